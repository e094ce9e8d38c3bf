"""Which groups a review of the guests of every group is about, on a real MongoDB, from what the directory says."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.embedded import Servers
from services.review.store import Surroundings
from shared.contracts.base import Cause
from shared.contracts.directory import (
    GroupFact,
    GroupState,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    PersonFact,
    PersonState,
    PersonStatus,
)
from shared.contracts.resources import OWNER, HeldRolesFact, HeldRolesState, HeldRoleState, RoleSystem
from shared.settings import Settings
from shared.storage import connect

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
pytestmark = pytest.mark.spec("REV-2")


class World:
    """What review has heard of people and groups."""

    def __init__(self, settings: Settings) -> None:
        self.client = connect(settings)
        self.around = Surroundings(self.client.database("review"))
        self._version = 0

    async def group(self, id: str, *within: str, **more: Any) -> None:
        state = GroupState(
            id=id, display_name=id, created_at=START, member_of=within, **{"group_types": ("Unified",), **more}
        )
        await self.around.groups.apply([GroupFact(**self._fact(id), state=state)])

    async def person(
        self,
        id: str,
        *groups: str,
        type: str = "Guest",
        status: PersonStatus = PersonStatus.ACTIVE,
        **attributes: str,
    ) -> None:
        state = PersonState(id=id, status=status, attributes={"userType": type, **attributes})
        await self.around.people.apply([PersonFact(**self._fact(id), state=state)])
        rows = tuple(MembershipState(group_id=one, member=True) for one in groups)
        memberships = MembershipsState(person_id=id, groups=rows)
        await self.around.memberships.apply([MembershipsFact(**self._fact(id), state=memberships)])

    async def owner(self, id: str, group: str) -> None:
        held = HeldRoleState(id=f"{id}:{group}", origin_system=RoleSystem.GROUP, origin_id=group, role=OWNER, held=True)
        state = HeldRolesState(person_id=id, roles=(held,))
        await self.around.owners.apply([HeldRolesFact(**self._fact(id), state=state)])

    async def reviewed(self, *, direct: bool = False, after: str | None = None, limit: int = 100) -> list[str]:
        among = await self.around.groups_with_guests(direct=direct)
        return await self.around.groups_after(after, limit, among)

    def _fact(self, subject: str) -> dict[str, Any]:
        self._version += 1
        return {
            "id": str(self._version), "cause": Cause(id="c", correlation="c", actor="source:hr"), "subject": subject,
            "version": self._version, "at": START, "transitions": (),
        }  # fmt: skip


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = Settings(mongo=SecretStr(servers.endpoints.mongo), namespace=f"gwg{uuid.uuid4().hex[:8]}")
    made = World(settings)
    for replica in made.around.replicas:
        await replica.ensure_indexes()
    yield made
    made.client.close()


async def test_groups_without_a_guest_have_no_instance(world: World) -> None:
    for id in ("a", "b", "c", "d", "e"):
        await world.group(id)
    await world.group("security", group_types=())
    await world.group("rule", group_types=("Unified", "DynamicMembership"), membership_rule="user.city -ne null")
    await world.person("gus", "a", "d", "security", "rule")
    await world.person("ana", "b", type="Member")
    await world.person("gone", "c", status=PersonStatus.LEFT)
    await world.person("away", "e", status=PersonStatus.SUSPENDED)
    assert await world.reviewed() == ["a", "d", "e"]
    assert await world.reviewed(limit=1) == ["a"]
    assert await world.reviewed(after="a") == ["d", "e"]
    assert len(await world.around.groups_after(None, 100)) == 5


async def test_a_group_has_an_instance_from_its_first_guest_to_its_last(world: World) -> None:
    await world.group("a")
    assert await world.reviewed() == []
    await world.person("ana", "a", type="Member")
    assert await world.reviewed() == []
    await world.person("ana", "a", type="Guest")
    assert await world.reviewed() == ["a"]
    await world.person("ana")
    assert await world.reviewed() == []


async def test_a_guest_in_a_group_within_counts_unless_only_direct_members_are_reviewed(world: World) -> None:
    await world.group("inner", "middle", group_types=())
    await world.group("middle", "outer", "inner")
    await world.group("outer")
    await world.group("former", "bystander", group_types=(), deleted_at=START)
    await world.group("bystander")
    await world.person("gus", "inner", "former")
    assert await world.reviewed() == ["middle", "outer"]
    assert await world.reviewed(direct=True) == []


async def test_a_review_of_teams_is_about_no_other_group(world: World) -> None:
    for id, options in (("a", ()), ("b", ("Team",)), ("c", ("Team",))):
        await world.group(id, resource_provisioning_options=options)
    await world.person("guest", "a", "b")
    assert await world.around.groups_after(None, 100) == ["a", "b", "c"]
    assert await world.around.groups_after(None, 100, teams=True) == ["b", "c"]
    assert await world.around.groups_after("b", 100, teams=True) == ["c"]
    among = await world.around.groups_with_guests(direct=True)
    assert await world.around.groups_after(None, 100, among, teams=True) == ["b"]
