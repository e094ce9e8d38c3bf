"""Who may administer catalogs: what reviews of governance roles ask.

Role assignments are few, so a roster is put in order here and not by the database. Whoever has a role by a group is on
it, too: what they have ends where they leave the group. Service principals are not: only people are reviewed.

Members of groups are not read before all that was said of them until the question is known here.
"""

from __future__ import annotations

from services.catalog.delegation import Delegates
from services.catalog.model import RoleAssignment
from services.catalog.store import LIVING, Shelves
from shared.contracts.base import Refusal
from shared.contracts.roster import NESTED, RosterAbout, RosterEntry, RosterKind
from shared.contracts.topics import MEMBERSHIP_FACTS
from shared.hearing import Hearing
from shared.rosters import Read, Reader
from shared.security.roles import CatalogRole

DIRECT = "Member"


def roster_reader(shelves: Shelves, delegates: Delegates, hearing: Hearing) -> Reader:
    """Reads a page of holders in the order of person ids."""

    async def read(about: RosterAbout, after: str | None, limit: int) -> Read:
        if about.kind is not RosterKind.GOVERNANCE_ROLE:
            reason = Refusal(code="notKept", message=f"Catalog does not know who has: {about.kind.value}.")
            return Read((), None, True, reason)
        if about.id not in {one.value for one in CatalogRole}:
            reason = Refusal(code="notFound", message=f"There is no role {about.id} of entitlement management.")
            return Read((), None, True, reason)
        scope = {"state.catalog_id": about.catalog_id} if about.catalog_id is not None else {}
        found = [one.item for one in await shelves.role_assignments.find({"state.role": about.id, **scope, **LIVING})]
        groups = [one.principal_id for one in found if one.principal_kind == "group"]
        held = _held(found, await _members(groups, begins=after is None))
        people = sorted(person for person in held if after is None or person > after)[:limit]
        entries = [entry for person in people for entry in held[person]]
        return Read(entries, people[-1] if people else None, len(people) < limit)

    async def _members(groups: list[str], *, begins: bool) -> dict[str, list[str]]:
        if begins and groups:
            await hearing.abreast({MEMBERSHIP_FACTS: None})
        return await delegates.members_of(groups)

    def _held(found: list[RoleAssignment], members: dict[str, list[str]]) -> dict[str, list[RosterEntry]]:
        """By person, what they have."""
        held: dict[str, list[RosterEntry]] = {}
        for one in sorted(found, key=lambda it: it.id):
            direct = one.principal_kind == "user"
            for person in [one.principal_id] if direct else members.get(one.principal_id, ()):
                entry = RosterEntry(
                    person_id=person,
                    role=DIRECT if direct else NESTED,
                    assignment_id=one.id,
                    since=one.created_at if direct else None,
                )
                held.setdefault(person, []).append(entry)
        return held

    return read
