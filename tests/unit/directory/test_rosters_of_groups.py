"""Who is in a group, told to reviews in pages: people, and groups inside it where these are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from services.directory.resources.rosters import roster_reader
from shared.contracts.roster import GROUP_MEMBER, RosterAbout, RosterKind

PEOPLE = ("a", "c", "d")
INSIDE = ("b", "e")


class Kept:
    """Three people and two groups in the group `g`."""

    async def states(self, query: dict[str, Any], limit: int = 0) -> list[dict[str, Any]]:
        wanted = query.get("_id", {})
        ids = [id for id in PEOPLE if id > wanted.get("$gt", "") and id in wanted.get("$in", PEOPLE)]
        person = {"attributes": {"userType": "Member"}, "manager_id": None, "member_of": ["g"]}
        row = ["g", True, True, False, None]
        return [{"_id": id, **person, "by_group": [row]} for id in ids][: limit or None]

    async def ids(self, query: dict[str, Any], *, after: str | None, limit: int) -> list[str]:
        assert query == {"state.member_of": "g", "state.deleted_at": None}
        return [id for id in INSIDE if after is None or id > after][:limit]

    async def there(self, ids: list[str]) -> list[str]:
        return ids

    async def dynamic(self, _ids: list[str]) -> list[str]:
        return []


async def told(about: RosterAbout, limit: int) -> list[list[tuple[str, str]]]:
    """The pages, of holders with their user types."""
    kept: Any = Kept()
    read, after, pages = roster_reader(kept, kept, kept, kept, kept), None, []
    while True:
        page = await read(about, after, limit)
        pages.append([(one.person_id, one.user_type) for one in page.entries])
        if page.over:
            return pages
        after = page.upto


@pytest.mark.spec("REV-4")
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 10])
async def test_a_group_that_is_a_direct_member_is_one_entry_wherever_pages_end(limit: int) -> None:
    about = RosterAbout(kind=RosterKind.GROUP, id="g", direct=True, groups=True)
    pages = await told(about, limit)
    entries = [one for page in pages for one in page]
    assert [id for id, _ in entries] == sorted((*PEOPLE, *INSIDE))
    assert {id for id, kind in entries if kind == GROUP_MEMBER} == set(INSIDE)
    assert all(len(page) <= limit for page in pages)


async def test_groups_are_left_out_where_people_are_asked_for() -> None:
    for more in ({}, {"groups": True, "guests_only": True}):
        about = RosterAbout(kind=RosterKind.GROUP, id="g", direct=True, **more)
        assert GROUP_MEMBER not in {kind for page in await told(about, 10) for _, kind in page}
