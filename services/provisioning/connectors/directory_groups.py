"""Members of the directory's own groups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.provisioning.connectors import Ask, portions
from shared.contracts import topics
from shared.contracts.base import Cause, made
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import MembershipWish, SetMemberships
from shared.ids import derived_id
from shared.messaging.envelope import Outgoing, outgoing


class DirectoryGroups:
    """Asks the directory, which answers all wishes of a command with one memberships fact."""

    def serves(self, role: ResourceRole) -> bool:
        return role.origin_system == "AadGroup" and role.role == "Member"

    def commands(self, person_id: str, asks: Sequence[Ask], cause: Cause, at: datetime) -> Sequence[Outgoing]:
        return [_command(person_id, some, cause, at) for some in portions(asks)]


def _command(person_id: str, asks: Sequence[Ask], cause: Cause, at: datetime) -> Outgoing:
    command = made(
        SetMemberships,
        id=derived_id("set-memberships", *(ask.command_id for ask in asks)),
        cause=cause,
        person_id=person_id,
        wishes=tuple(map(_wish, asks)),
    )
    return outgoing(topics.MEMBERSHIP_COMMANDS, person_id, command, source="provisioning", at=at, subject=person_id)


def _wish(ask: Ask) -> MembershipWish:
    return made(
        MembershipWish,
        id=ask.command_id,
        group_id=ask.role.origin_id,
        member=ask.wanted,
        grant_version=ask.version,
        repair=ask.repair,
    )
