"""The directory's decisions: pure functions of state, message and circumstances."""

from services.directory.decide import groups, memberships, people

__all__ = ["groups", "memberships", "people"]
