"""A review asks who may administer catalogs, and that a role be taken away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.catalog import decide
from services.catalog.model import RoleAssignment, role_assignment
from services.catalog.rosters import roster_reader
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.catalog import EndRoleAssignment, Life
from shared.contracts.roster import NESTED, RosterAbout, RosterKind
from shared.hearing import Hearing, Taken
from shared.messaging.decision import Circumstances, Decision
from shared.messaging.errors import WillNotPass
from shared.rosters import Read
from shared.security.roles import CatalogRole

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="review-item:x", correlation="review:i", actor="person:boss")


def assigned(id: str, principal: str, kind: str = "user", catalog: str | None = "sales") -> RoleAssignment:
    return role_assignment(id, CatalogRole.OWNER, principal, kind, catalog, NOW)


def end(state: RoleAssignment | None) -> Decision[RoleAssignment]:
    command = EndRoleAssignment(id="review-item:x", cause=CAUSE, role_assignment_id="r")
    return decide.end(state, command, Circumstances(NOW, 2, CAUSE, decide.Surroundings()))


def test_a_denied_role_ends_once_and_every_asking_is_answered() -> None:
    first = end(assigned("r", "ana"))
    assert [one.type for one in first.transitions] == ["Deleted", "RoleEndObeyed"]
    assert first.state is not None
    assert first.state.life is Life.DELETED
    again = end(first.state)
    [answer] = again.transitions
    assert answer.already  # type: ignore[attr-defined]
    assert again.state is first.state
    with pytest.raises(WillNotPass):
        end(None)


class Shelves:
    """Has these; asked by role alone, as `about` has it, it filters by nothing else."""

    def __init__(self, *found: RoleAssignment) -> None:
        self.asked: dict[str, Any] = {}
        self._found = found
        self.role_assignments = self

    async def find(self, query: dict[str, Any]) -> list[Any]:
        self.asked = query
        return [SimpleNamespace(item=one) for one in self._found]


class Delegates:
    """Has heard of the members of a group only once it was looked so often whether it has."""

    def __init__(self, late: int = 0) -> None:
        self._late = late

    async def said_so_far(self, about: Mapping[str, Any]) -> Taken:
        assert topics.MEMBERSHIP_FACTS.name in about

        async def taken() -> bool:
            self._late -= 1
            return self._late < 0

        return taken

    async def members_of(self, groups: list[str]) -> dict[str, list[str]]:
        known = {"team": ["ben", "ana"]} if self._late < 0 else {}
        return {group: known.get(group, []) for group in groups}


async def read(*found: RoleAssignment, after: str | None = None, limit: int = 10, late: int = 0, **about: Any) -> Read:
    shelves: Any = Shelves(*found)
    delegates: Any = Delegates(late)
    hearing = Hearing(5.0, said_so_far=delegates.said_so_far)
    wanted = RosterAbout(**{"kind": RosterKind.GOVERNANCE_ROLE, "id": CatalogRole.OWNER.value, **about})
    page = await roster_reader(shelves, delegates, hearing)(wanted, after, limit)
    if about.get("catalog_id"):
        assert shelves.asked["state.catalog_id"] == about["catalog_id"]
    return page


ALL = (
    assigned("r1", "cy"),
    assigned("r2", "team", "group"),
    assigned("r3", "app", "servicePrincipal"),
    assigned("r4", "ana", catalog=None),
)


async def test_whoever_has_the_role_is_listed_by_group_too_and_page_by_page() -> None:
    page = await read(*ALL, catalog_id="sales")
    assert [(one.person_id, one.role, one.assignment_id) for one in page.entries] == [
        ("ana", NESTED, "r2"), ("ana", "Member", "r4"), ("ben", NESTED, "r2"), ("cy", "Member", "r1"),
    ]  # fmt: skip
    assert (page.upto, page.over) == ("cy", True)
    first = await read(*ALL, limit=1)
    assert ([one.person_id for one in first.entries], first.upto, first.over) == (["ana", "ana"], "ana", False)
    rest = await read(*ALL, after=first.upto, late=-1)
    assert [one.person_id for one in rest.entries] == ["ben", "cy"]
    nobody = await read()
    assert (nobody.entries, nobody.over) == ([], True)


async def test_members_of_a_group_that_are_on_their_way_are_waited_for() -> None:
    page = await read(assigned("r2", "team", "group"), late=2)
    assert [one.person_id for one in page.entries] == ["ana", "ben"]


async def test_a_group_without_anybody_is_not_waited_for_on_later_pages() -> None:
    page = await read(*ALL, assigned("r5", "nobody", "group"), after="ana", late=1)
    assert [one.person_id for one in page.entries] == ["cy"]


@pytest.mark.parametrize("about", [{"kind": RosterKind.GROUP}, {"id": "11111111-0000-4000-8000-000000000000"}])
async def test_of_anything_else_nothing_is_told(about: dict[str, Any]) -> None:
    page = await read(*ALL, **about)
    assert page.refusal is not None
    assert (page.entries, page.over) == ((), True)
