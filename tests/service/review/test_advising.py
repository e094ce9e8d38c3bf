"""What recommendations need, gathered on a real MongoDB from what others say."""

import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.embedded import Servers
from services.review.advising import Advisor, Holder, Measured, people_kept
from services.review.recommend import Asked, Recommendation
from shared.contracts.base import Cause
from shared.contracts.directory import GroupFact, GroupState, PersonFact, PersonState, PersonStatus
from shared.contracts.signins import AppUse, SignInsFact, SignInsState
from shared.settings import Settings
from shared.storage import Replica, connect

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="source:hr")
HOLDERS = [*(f"s{number}" for number in range(6)), "far", "guest"]


def ago(days: int) -> datetime:
    return START - timedelta(days=days)


def groups_kept(fact: GroupFact) -> dict[str, Any]:
    return {"deleted": fact.state.deleted_at is not None}


class World:
    """An advisor, and what it has heard: a team in Sales of whom six hold it, somebody from IT, and a guest."""

    def __init__(self, settings: Settings) -> None:
        self.client = connect(settings)
        database = self.client.database("review")
        self.people: Replica[PersonFact] = Replica(database, "people", people_kept)
        self.groups: Replica[GroupFact] = Replica(database, "groups", groups_kept)
        self.advisor = Advisor(database, self.people, self.groups)
        self._version = 0

    async def hear(self) -> None:
        for replica in (self.people, self.groups, self.advisor.sign_ins):
            await replica.ensure_indexes()
        await self.person("ceo", None, "Board", "Chief")
        for head in ("sales", "it"):
            await self.person(head, "ceo", head, "Head")
        await self.person("lead", "it", "IT", "Lead")
        for number in range(10):
            await self.person(f"s{number}", "sales", "Sales", "Clerk")
        await self.person("far", "lead", "IT", "Engineer")
        for number in range(3):
            await self.person(f"i{number}", "lead", "it ", "engineer")
        await self.person("i9", "lead", "IT", "Engineer", status=PersonStatus.LEFT)
        await self.person("guest", None, None, None, userType="Guest", sponsors=["gone"])
        await self.person("gone", None, None, None, status=PersonStatus.LEFT)
        for id in HOLDERS:
            await self.signed_in(id, ago(3), app=(ago(60), ago(50)) if id == "s0" else None)

    async def person(
        self, id: str, manager: str | None, department: str | None, title: str | None,
        status: PersonStatus = PersonStatus.ACTIVE, **more: Any,
    ) -> None:  # fmt: skip
        await self.people.apply([self.fact_of(id, manager, department, title, status, **more)])

    def fact_of(
        self, id: str, manager: str | None, department: str | None, title: str | None,
        status: PersonStatus = PersonStatus.ACTIVE, **more: Any,
    ) -> PersonFact:  # fmt: skip
        attributes = {"department": department, "jobTitle": title, "userType": "Member", **more}
        state = PersonState(id=id, status=status, attributes=attributes, manager_id=manager)
        return PersonFact(**self._fact(id), state=state)

    async def group(self, id: str, deleted_at: datetime | None = None) -> None:
        state = GroupState(id=id, display_name=id, created_at=START, deleted_at=deleted_at)
        await self.groups.apply([GroupFact(**self._fact(id), state=state)])

    async def signed_in(self, id: str, last: datetime, app: tuple[datetime, datetime] | None = None) -> None:
        apps = (AppUse(app_id="crm", first_at=app[0], last_at=app[1]),) if app else ()
        state = SignInsState(person_id=id, last_at=last, apps=apps)
        await self.advisor.sign_ins.apply([SignInsFact(**self._fact(id), state=state)])

    def _fact(self, subject: str) -> dict[str, Any]:
        self._version += 1
        return {
            "id": str(self._version), "cause": CAUSE, "subject": subject, "version": self._version, "at": START,
            "transitions": (),
        }  # fmt: skip

    async def measured(self, asked: Asked, holders: Sequence[str] = HOLDERS) -> Measured:
        async def portions() -> AsyncIterator[Sequence[str]]:
            for begin in range(0, len(holders), 3):
                yield holders[begin : begin + 3]

        return await self.advisor.measure(asked, portions())

    async def advised(self, asked: Asked, holders: Sequence[str] = HOLDERS) -> dict[str, Recommendation]:
        items = [Holder(f"item-{id}", id, ago(100)) for id in holders]
        found = await self.advisor.advise(asked, await self.measured(asked, holders), START, items)
        return {key.removeprefix("item-"): one for key, one in found.items()}


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = Settings(mongo=SecretStr(servers.endpoints.mongo), namespace=f"adv{uuid.uuid4().hex[:8]}")
    made = World(settings)
    await made.hear()
    yield made
    made.client.close()


@pytest.mark.spec("REC-1")
async def test_each_item_is_advised_by_its_own_person(world: World) -> None:
    await world.signed_in("s1", ago(40))
    found = await world.advised(Asked())
    assert {id: (one.decision, one.reason) for id, one in found.items()} == {
        **{f"s{number}": ("approve", "signedIn") for number in range(6) if number != 1},
        "s1": ("deny", "notSignedIn"),
        "far": ("deny", "noPeerHasIt"),
        "guest": ("deny", "sponsorLeft"),
    }
    assert found["s0"].figures["shareOfPeers"] == round(5 / 9, 4)
    assert found["far"].figures["peers"] == 3, "one of four has left"
    assert (await world.advised(Asked(look_back=timedelta(days=60))))["s1"].decision == "approve"


@pytest.mark.spec("REC-2")
async def test_of_a_group_the_distances_in_the_reporting_tree_count_if_asked(world: World) -> None:
    found = await world.advised(Asked(affiliation=True))
    assert "farFromOthers" not in {found[id].reason for id in HOLDERS if id != "far"}
    assert found["far"].figures["meanDistance"] == 5
    assert "steps in the reporting tree" in found["far"].words
    assert "meanDistance" not in (await world.advised(Asked()))["far"].figures
    many = [f"many-{number}" for number in range(601)]
    await world.people.apply([world.fact_of(id, None, None, None) for id in many])
    measured = await world.measured(Asked(affiliation=True), many)
    assert measured.affiliation is not None
    assert (measured.affiliation.members, measured.affiliation.distances) == (601, {})


@pytest.mark.spec("REC-1")
async def test_of_an_application_its_use_counts(world: World) -> None:
    asked = Asked(app_id="CRM")
    assert (await world.measured(asked)).reported_since == ago(60)
    found = await world.advised(asked)
    assert (found["s0"].decision, found["s2"].reason) == ("approve", "neverUsed")
    assert "60 days" in found["s2"].words
    by_use = await world.advised(Asked(app_id="crm", by_application=True))
    assert (by_use["s0"].decision, by_use["s0"].words) == (
        "deny", "Last used it on 10 January 2026, 50 days before the review began."
    )  # fmt: skip
    unknown = await world.advised(Asked(app_id="wiki", by_application=True))
    assert unknown["s0"].decision == "noInfoAvailable"


async def test_a_guest_is_kept_while_a_sponsor_is_there(world: World) -> None:
    await world.group("hosts")
    await world.person("guest", None, None, None, userType="Guest", sponsors=["gone", "hosts"])
    found = await world.advised(Asked())
    assert (found["guest"].decision, found["guest"].figures["sponsorsThere"]) == ("approve", 1)
    await world.group("hosts", deleted_at=START)
    assert (await world.advised(Asked()))["guest"].reason == "sponsorLeft"


@pytest.mark.spec("REC-2")
async def test_only_who_works_here_is_a_member_to_be_close_to(world: World) -> None:
    measured = await world.measured(Asked(affiliation=True), [*HOLDERS, "gone", "unheard-of"])
    assert measured.affiliation is not None
    assert measured.affiliation.members == len(HOLDERS)


async def test_where_not_all_who_have_it_are_known_nobody_is_told_that_no_peer_has_it(world: World) -> None:
    found = await world.advised(Asked(jobs=False))
    assert (found["far"].decision, "peers" in found["far"].figures) == ("approve", False)
