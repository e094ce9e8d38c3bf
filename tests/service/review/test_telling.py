"""What a reviewer is told is still open, on a real MongoDB."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.embedded import Servers
from services.review.asking import Contacts, Telling
from services.review.decide import instances, items
from services.review.model import Asking, Instance, Item, dump_item
from services.review.store import Runs, Surroundings
from services.review.store import instances as instances_of
from services.review.store import items as items_of
from shared.contracts.base import Cause
from shared.contracts.review import (
    DefinitionState,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    StageSettings,
    StartInstance,
    Verdict,
)
from shared.contracts.roster import RosterEntry, RosterKind
from shared.messaging.decision import Circumstances
from shared.settings import Settings
from shared.storage import Documents, connect

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
GROUP, ANA, BEN, EVA, MAX = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "abcde")


def at(context: Any) -> Circumstances[Any]:
    return Circumstances(now=NOW, version=1, cause=CAUSE, context=context)


def two_stages() -> Instance:
    """The second one is in progress: Eva looked first, Max does now."""
    stages = tuple(
        StageSettings(stage_id=id, duration_in_days=2, reviewers=(ReviewerScope(query=f"/users/{one}"),))
        for id, one in (("1", EVA), ("2", MAX))
    )
    definition = DefinitionState(
        id="d", display_name="One", scope={}, settings=ReviewSettings(mail_notifications_enabled=True), stages=stages,
        staged=True, created_at=NOW, modified_at=NOW,
    )  # fmt: skip
    order = StartInstance(
        definition=definition, number=1, resource=ReviewedResource(kind=RosterKind.GROUP, id=GROUP), scope={},
        starts_at=NOW, ends_at=NOW,
    )  # fmt: skip
    command = ReviewCommand(id="c", cause=CAUSE, instance_id="i", order=order)
    started = instances.obey(None, command, at(instances.Look())).state
    assert started is not None
    second = started.stages[1].having(reviewers=(MAX,))
    return started.with_stage(1, second).having(current=1, asking=Asking(occasion="start", at=NOW))


def item(instance: Instance, person: str, decision: Verdict) -> Item:
    """As it came to the second stage, decided in the first."""
    entry = RosterEntry(person_id=person, role="Member", user_type="Member")
    look = items.Look({instance.id: instance.having(current=0)})
    one = items.enter(None, items.Enter(f"item-{person}", instance.id, entry), at(look)).state
    assert one is not None
    said: Any = {"decision": decision, "decided_by": EVA, "decided_at": NOW}
    if decision is not Verdict.NOT_REVIEWED:
        recorded = items.Recorded(stage=0, decision=decision, by=EVA, at=NOW)
        one = one.having(**said, decisions=(recorded,))
    return one.having(stage=1, reviewers=None)


@pytest.mark.spec("REV-15", "REV-21")
async def test_what_an_earlier_stage_decided_is_open_again(servers: Servers) -> None:
    settings = Settings(mongo=SecretStr(servers.endpoints.mongo), namespace=f"tel{uuid.uuid4().hex[:8]}")
    client = connect(settings)
    database = client.database("review")
    runs = Runs(instances_of(database), items_of(database))
    telling = Telling(runs, Surroundings(database), Contacts(database))
    instance = two_stages()
    ones = [item(instance, ANA, Verdict.APPROVE), item(instance, BEN, Verdict.NOT_REVIEWED)]
    kept = Documents(database, "items", ())
    await kept.insert([{"_id": one.id, "version": 1, "revision": 1, "state": dump_item(one)} for one in ones])

    told = await telling.step(instance)

    assert told.people == (MAX,)
    assert (told.open[MAX].count, set(told.open[MAX].people)) == (2, {ANA, BEN})
    client.close()


@pytest.mark.spec("REV-5")
async def test_what_nobody_can_decide_is_found_with_those_who_can_mend_it(servers: Servers) -> None:
    settings = Settings(mongo=SecretStr(servers.endpoints.mongo), namespace=f"tel{uuid.uuid4().hex[:8]}")
    client = connect(settings)
    database = client.database("review")
    telling = Telling(Runs(instances_of(database), items_of(database)), Surroundings(database), Contacts(database))
    instance = two_stages()
    instance = instance.having(definition=instance.definition.model_copy(update={"created_by": EVA}))
    # Max reviews everybody, and nobody decides about themself; of Ben nobody is the reviewer.
    ones = [
        item(instance, ANA, Verdict.NOT_REVIEWED),
        item(instance, MAX, Verdict.NOT_REVIEWED),
        item(instance, BEN, Verdict.NOT_REVIEWED).having(reviewers=()),
        item(instance, EVA, Verdict.NOT_REVIEWED).having(stage=0, reviewers=()),
    ]
    kept = Documents(database, "items", ())
    await kept.insert([{"_id": one.id, "version": 1, "revision": 1, "state": dump_item(one)} for one in ones])

    told = await telling.step(instance)
    assert told.unattended is not None
    assert (told.unattended.count, set(told.unattended.people), told.answerable) == (2, {MAX, BEN}, (EVA,))

    by_two = instance.with_stage(1, instance.stage.having(reviewers=(EVA, MAX)))
    told = await telling.step(by_two.having(asking=Asking(occasion="start", at=NOW)))
    assert told.unattended is not None
    assert told.unattended.people == (BEN,)
    by_none = instance.with_stage(1, instance.stage.having(reviewers=()))
    told = await telling.step(by_none.having(asking=Asking(occasion="start", at=NOW)))
    assert told.unattended is not None
    assert set(told.unattended.people) == {ANA, MAX, BEN}
    told = await telling.step(instance.having(asking=Asking(occasion="reminder", at=NOW)))
    assert (told.unattended, told.answerable) == (None, ())
    client.close()
