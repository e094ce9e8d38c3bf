"""The directory's decisions: pure functions of state, message and circumstances."""

from services.directory.decide import groups, links, memberships, people

__all__ = ["groups", "links", "memberships", "people"]
