"""The directory's decisions: pure functions of state, message and circumstances."""

from services.directory.decide import answers, groups, guests, links, memberships, people, sponsors

__all__ = ["answers", "groups", "guests", "links", "memberships", "people", "sponsors"]
