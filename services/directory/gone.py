"""Whose group is deleted is a member of it no longer, and is one again if it is restored.

Everybody else goes by memberships: who approves, who may ask, what excludes what, which rules match, who keeps a
catalog. Decided by whether the group is there now and not by the fact that led here, which may come late, or again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.directory.decide.memberships import FollowGroup, Groups, follow_group
from services.directory.model import Memberships
from services.directory.store import GroupStore, MembershipStore, members_of, members_once_of
from shared.contracts.directory import DYNAMIC, GroupDeleted, GroupFact, GroupRestored
from shared.messaging.decision import Handler, by
from shared.messaging.errors import WillNotPass
from shared.messaging.loop import Loop, Work
from shared.messaging.service import Isolating, Platform

STEP = 500
"""People looked at with one read and one write."""


Failed = dict[int, WillNotPass]
"""By its place the fact that could not be followed, and why."""


def memberships_followed(
    platform: Platform, loop: Loop[Memberships], groups: GroupStore, memberships: MembershipStore
) -> Callable[[Sequence[GroupFact]], Awaitable[Failed]]:
    """What brings memberships in line with these facts about their groups."""

    async def look(messages: Sequence[FollowGroup], _states: Mapping[str, Memberships | None]) -> Groups:
        types = await groups.types({message.group_id for message in messages})
        return Groups(types.keys(), frozenset(id for id, found in types.items() if DYNAMIC in found))

    handler = Handler[Memberships, FollowGroup, Groups](follow_group, by(lambda asked: asked.person_id), look)
    isolating = Isolating()

    async def followed(fact: GroupFact) -> list[WillNotPass]:
        query = members_of(fact.subject) if fact.state.deleted_at is not None else members_once_of(fact.subject)
        failed: list[WillNotPass] = []
        after: str | None = None
        while ids := await memberships.ids(query, after=after, limit=STEP):
            works = [Work(FollowGroup(id, fact.subject), fact.follow_up) for id in ids]
            outcomes = await isolating.run(loop, works, handler, lambda: platform.patience("groups-gone"))
            failed += [one.error for one in outcomes if one.error is not None]
            after = ids[-1]
        return failed

    async def follow(facts: Sequence[GroupFact]) -> Failed:
        unhandled: Failed = {}
        for place, fact in enumerate(facts):
            if any(isinstance(one, GroupDeleted | GroupRestored) for one in fact.transitions) and (
                failed := await followed(fact)
            ):
                unhandled[place] = failed[0]
        return unhandled

    return follow
