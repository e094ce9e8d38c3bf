"""Who is in a group, or has a role of an application or of the directory: what reviews ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from services.directory.resources.store import Applications, HeldRoles, place
from services.directory.store import GroupStore, MembershipStore, People, members_of, people_shown
from shared.contracts.base import Refusal
from shared.contracts.resources import OWNER, TENANT, RoleSystem
from shared.contracts.roster import GROUP_MEMBER, NESTED, RosterAbout, RosterEntry, RosterKind
from shared.rosters import Read, Reader
from shared.security.permissions import DIRECTORY_ROLES

Row = dict[str, Any]
_A_GROUP: Row = {"role": "Member", "user_type": GROUP_MEMBER}
"""Of a group that is a direct member: all that a roster says of it."""


def roster_reader(
    people: People, groups: GroupStore, memberships: MembershipStore, applications: Applications, held: HeldRoles
) -> Reader:
    """Reads a page of holders, by index in the order of person ids."""

    async def read(about: RosterAbout, after: str | None, limit: int) -> Read:
        if reason := await refusal(about):
            return Read((), None, True, reason)
        if about.kind is RosterKind.GROUP:
            found, rows = await members(about, after, limit)
        else:
            found, rows = await holders(about, after, limit)
        shown = await people_shown(people, found, about.joined_before)
        entries = _entries(rows, shown, guests_only=about.guests_only)
        return Read(entries, found[-1] if found else None, len(found) < limit)

    async def refusal(about: RosterAbout) -> Refusal | None:
        there: bool
        match about.kind:
            case RosterKind.GROUP:
                there = bool(await groups.there([about.id]))
            case RosterKind.APPLICATION:
                there = (RoleSystem.APPLICATION, about.id) in await applications.offered([about.id], ())
            case RosterKind.DIRECTORY_ROLE:
                there = about.id in DIRECTORY_ROLES.values()
            case _:
                return Refusal(code="notKept", message=f"The directory does not know who has: {about.kind.value}.")
        return None if there else Refusal(code="notFound", message=f"There is no {about.kind.value} {about.id}.")

    async def members(about: RosterAbout, after: str | None, limit: int) -> tuple[list[str], list[tuple[str, Row]]]:
        query: dict[str, Any] = members_of(*([about.id] if about.direct else await groups.within([about.id])))
        if after is not None:
            query = {**query, "_id": {"$gt": after}}
        found = await memberships.states(query, limit=limit)
        by_rule = bool(await groups.dynamic([about.id]))
        rows: list[tuple[str, Row]] = []
        for one in found:
            # A row a group: id, member, by hand, by grant, since, … (model.dump_memberships).
            mine = next((row for row in one["by_group"] if row[0] == about.id and about.id in one["member_of"]), None)
            if mine is None:
                rows.append((one["_id"], {"role": NESTED}))
                continue
            rows.append((one["_id"], {"role": "Member", "by_grant": mine[3], "since": mine[4], "by_rule": by_rule}))
        if about.groups and not about.guests_only:
            lying = {"state.member_of": about.id, "state.deleted_at": None}
            inside = await groups.ids(lying, after=after, limit=limit)
            rows = sorted([*rows, *((id, _A_GROUP) for id in inside)], key=itemgetter(0))[:limit]
        return [id for id, _ in rows], rows

    async def holders(about: RosterAbout, after: str | None, limit: int) -> tuple[list[str], list[tuple[str, Row]]]:
        if about.kind is RosterKind.APPLICATION:
            at = place(RoleSystem.APPLICATION, about.id)
            role: Any = {"$ne": OWNER}
        else:
            at, role = place(RoleSystem.DIRECTORY, TENANT), about.id
        wanted = {"at": at, "held": True, "role": role}
        query: dict[str, Any] = {"state.roles": {"$elemMatch": wanted}, "state.roles.at": at}
        if after is not None:
            query["_id"] = {"$gt": after}
        found = await held.states(query, limit=limit)
        rows = [
            (one["_id"], {"role": row["role"], "by_grant": row["by_grant"], "since": row["since"]})
            for one in found
            for row in one["roles"]
            if row["at"] == at and row["held"] and (row["role"] == role or (role != about.id and row["role"] != OWNER))
        ]
        return [one["_id"] for one in found], rows

    return read


def _entries(
    rows: Sequence[tuple[str, Row]], shown: Mapping[str, tuple[str, str | None]], *, guests_only: bool
) -> list[RosterEntry]:
    """Of groups, and of people who are shown: with their user type and manager."""
    entries = []
    for holder, row in rows:
        if "user_type" in row:
            entries.append(RosterEntry(person_id=holder, **row))
        elif holder in shown:
            user_type, manager = shown[holder]
            if user_type == "Guest" or not guests_only:
                entries.append(RosterEntry(person_id=holder, user_type=user_type, manager_id=manager, **row))
    return entries
