"""Members of the directory's own groups."""

from __future__ import annotations

from services.provisioning.connectors import Ask
from shared.contracts import topics
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import SetMembership
from shared.messaging.envelope import Outgoing, outgoing


class DirectoryGroups:
    """Asks the directory, which answers with a membership fact."""

    def serves(self, role: ResourceRole) -> bool:
        return role.origin_system == "AadGroup" and role.role == "Member"

    def command(self, ask: Ask) -> Outgoing:
        command = SetMembership.model_construct(
            id=ask.command_id,
            cause=ask.cause,
            group_id=ask.role.origin_id,
            person_id=ask.person_id,
            member=ask.wanted,
            grant_version=ask.version,
            repair=ask.repair,
        )
        return outgoing(
            topics.MEMBERSHIP_COMMANDS,
            ask.person_id,
            command,
            source="provisioning",
            at=ask.at,
            subject=f"{ask.role.origin_id}:{ask.person_id}",
        )
