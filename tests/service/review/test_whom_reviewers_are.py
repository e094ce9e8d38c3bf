"""Whom reviewer scopes lead to, on a real MongoDB, from what the directory says."""

import pytest

from services.review.decide.reviewers import Resolved, named
from shared.contracts.review import ReviewedResource, ReviewerScope
from shared.contracts.roster import RosterKind
from tests.service.review.test_groups_with_guests import START, World, world
from tests.unit.review.test_advised_by_replicas import INSTANCE

__all__ = ["world"]

OUTER, MIDDLE, INNER, FORMER = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "abcd")


async def led_to(world: World, query: str) -> set[str]:
    resource = ReviewedResource(kind=RosterKind.GROUP, id=OUTER)
    found: Resolved = await world.around.resolved(named([ReviewerScope(query=query)]), resource)
    [people] = found.values()
    return set(people)


@pytest.mark.spec("REV-5")
async def test_members_of_groups_within_a_group_review_if_its_transitive_members_do(world: World) -> None:
    await world.group(OUTER)
    await world.group(MIDDLE, OUTER, INNER)
    await world.group(INNER, MIDDLE)
    await world.group(FORMER, OUTER, deleted_at=START)
    for name, group in (("ana", OUTER), ("ben", MIDDLE), ("eva", INNER), ("max", FORMER)):
        await world.person(name, group, type="Member")

    assert await led_to(world, f"/groups/{OUTER}/transitiveMembers") == {"ana", "ben", "eva"}
    assert await led_to(world, f"/groups/{OUTER}/members/microsoft.graph.user") == {"ana"}


@pytest.mark.spec("REV-5")
async def test_of_the_owners_of_a_group_those_review_who_are_as_the_filter_says(world: World) -> None:
    await world.group(OUTER)
    for name, country, type in (("ana", "USA", "Member"), ("ben", "Italy", "Member"), ("gus", "USA", "Guest")):
        await world.person(name, type=type, country=country)
        await world.owner(name, OUTER)
    owners = f"/groups/{OUTER}/owners"
    of_usa = "microsoft.graph.user/userType eq 'Member' and microsoft.graph.user/country eq 'usa'"

    assert await led_to(world, owners) == {"ana", "ben", "gus"}
    assert await led_to(world, f"{owners}?$filter={of_usa}") == {"ana"}
    assert await led_to(world, "./owners?$filter=country eq 'Norway'") == set()


@pytest.mark.spec("REC-1", "REC-2")
async def test_peers_are_compared_with_everybody_in_the_group_whoever_of_them_is_reviewed(world: World) -> None:
    await world.group(OUTER)
    await world.group(INNER, OUTER)
    for name, group in (("ana", OUTER), ("ben", INNER), ("eva", INNER)):
        await world.person(name, group, type="Member")
    of = ReviewedResource(kind=RosterKind.GROUP, id=OUTER)
    assert await world.around.members(of, None, 2) == ["ana", "ben"]
    assert await world.around.members(of, "ben", 2) == ["eva"]
    assert await world.around.members(of.model_copy(update={"direct": True}), None, 9) == ["ana"]


@pytest.mark.parametrize(
    ("kind", "guests_only", "policy", "jobs"),
    [
        (RosterKind.GROUP, True, None, True),
        (RosterKind.PACKAGE, False, None, True),
        (RosterKind.PACKAGE, False, "policy", False),
        (RosterKind.DIRECTORY_ROLE, True, None, False),
        (RosterKind.DIRECTORY_ROLE, False, None, True),
    ],
)
async def test_peers_are_compared_where_it_is_known_who_of_them_has_it(
    world: World, kind: RosterKind, guests_only: bool, policy: str | None, jobs: bool
) -> None:
    resource = ReviewedResource(kind=kind, id=OUTER, policy_id=policy)
    asked = await world.around.asked(INSTANCE.having(resource=resource, guests_only=guests_only))
    assert asked.jobs is jobs
