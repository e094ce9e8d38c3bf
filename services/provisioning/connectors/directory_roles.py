"""Roles of the directory's own applications and sites, and ownership of its groups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.provisioning.connectors import Ask, portions
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.catalog import ResourceRole
from shared.contracts.resources import OWNER, HeldRoleWish, RoleSystem, SetHeldRoles
from shared.ids import derived_id
from shared.messaging.envelope import Outgoing, outgoing


class DirectoryRoles:
    """Asks the directory, which records who has them and answers all wishes of a command with one fact.

    A connector that gives the roles of one application in that application itself stands before this one."""

    def serves(self, role: ResourceRole) -> bool:
        return role.origin_system in {"AadApplication", "SharePointOnline"} or (
            role.origin_system == "AadGroup" and role.role == OWNER
        )

    def commands(self, person_id: str, asks: Sequence[Ask], cause: Cause, at: datetime) -> Sequence[Outgoing]:
        return [_command(person_id, some, cause, at) for some in portions(asks)]


def _command(person_id: str, asks: Sequence[Ask], cause: Cause, at: datetime) -> Outgoing:
    id = derived_id("set-held-roles", *(ask.command_id for ask in asks))
    command = SetHeldRoles(id=id, cause=cause, person_id=person_id, wishes=tuple(map(_wish, asks)))
    return outgoing(topics.HELD_ROLE_COMMANDS, person_id, command, source="provisioning", at=at, subject=person_id)


def _wish(ask: Ask) -> HeldRoleWish:
    return HeldRoleWish(
        origin_system=RoleSystem(ask.role.origin_system),
        origin_id=ask.role.origin_id,
        role=ask.role.role,
        id=ask.command_id,
        held=ask.wanted,
        grant_version=ask.version,
        repair=ask.repair,
    )
