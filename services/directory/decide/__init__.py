"""The directory's decisions: pure functions of state, message and circumstances."""

from services.directory.decide import groups, guests, links, memberships, people, sponsors

__all__ = ["groups", "guests", "links", "memberships", "people", "sponsors"]
