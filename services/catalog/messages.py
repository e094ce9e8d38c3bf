"""What catalog hears: the directory's groups, assignment's answers, and what it said itself of things deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from services.catalog import decide
from services.catalog.acts import Acts
from services.catalog.decide import At, Delete, Withdraw, later
from services.catalog.model import K
from services.catalog.store import LIVING, Shelf
from shared.contracts.assignment import UseAnswer
from shared.contracts.base import Cause, Fact
from shared.contracts.catalog import CatalogFact, DeletionAsked, Life, PackageFact, PopulationFact
from shared.contracts.topics import CATALOG_FACTS, GROUP_FACTS, PACKAGE_FACTS, POPULATION_FACTS, USE_ANSWERS
from shared.messaging.decision import Decision, Due, Handler, by
from shared.messaging.envelope import outgoing
from shared.messaging.loop import Work
from shared.messaging.service import Platform, Subscription, Timer

ANSWERED = Handler[Any, UseAnswer, Any](decide.answered, by(lambda one: one.subject))
WITHDRAWN = Handler[Any, Withdraw, Any](decide.withdraw, by(lambda one: one.id))


def subscriptions(platform: Platform, acts: Acts) -> list[Subscription]:
    """Which topic goes where."""

    async def groups(facts: Sequence[Any]) -> None:
        await acts.shelves.groups.replica.apply(facts)

    async def answers(messages: Sequence[UseAnswer]) -> None:
        asked: tuple[tuple[str, Shelf[Any]], ...] = (
            ("package", acts.shelves.packages),
            ("policy", acts.shelves.policies),
        )
        for kind, shelf in asked:
            works = [Work(one, _caused_by(one)) for one in messages if one.kind == kind]
            await acts.run(shelf, works, ANSWERED)

    async def insides(facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.state.life is Life.DELETED:
                await _empty(fact, acts)

    return [
        platform.takes([GROUP_FACTS], groups),
        platform.takes([USE_ANSWERS], answers),
        *(platform.takes([topic], insides) for topic in (CATALOG_FACTS, PACKAGE_FACTS, POPULATION_FACTS)),
    ]


def timers(acts: Acts) -> list[Timer]:
    """A deletion that nobody has answered is asked about again; one that was left half-way is settled."""
    asked: list[Shelf[Any]] = [acts.shelves.packages, acts.shelves.policies]
    settled: list[Shelf[Any]] = [acts.shelves.catalogs, acts.shelves.resources, acts.shelves.populations]
    return [
        *(Timer(acts.loops[shelf], Handler(_asking_again(shelf), by(lambda due: due.id))) for shelf in asked),
        *(Timer(acts.loops[shelf], acts.settling) for shelf in settled),
    ]


def _asking_again(shelf: Shelf[K]) -> Any:
    def ask_again(state: K | None, _message: Due, at: At) -> Decision[K]:
        """The very fact that asked, under its id: whoever has answered it answers the same again."""
        if state is None or state.deletion is None:
            return Decision(state)
        deletion, kind = state.deletion, shelf.kind
        assert kind.fact is not None
        assert kind.topic is not None
        fact: Fact = kind.fact.model_construct(
            id=f"{kind.name}:{state.id}:{deletion.version}",
            subject=state.id,
            version=deletion.version,
            at=deletion.asked_at,
            cause=deletion.cause,
            transitions=(DeletionAsked(),),
            state=state.public(),
        )
        record = outgoing(kind.topic, state.id, fact, source=kind.owner, at=deletion.asked_at)
        return Decision(later(state, at), messages=(record,))

    return ask_again


class _Inside(NamedTuple):
    shelf: Shelf[Any]
    query: dict[str, Any]
    asks: bool


async def _empty(fact: Fact, acts: Acts) -> None:
    """What lay in something deleted goes, too. What may still be held by people is asked about first."""
    shelves = acts.shelves
    match fact:
        case CatalogFact():
            inside = [
                _Inside(shelves.packages, {"state.catalog_id": fact.subject}, asks=True),
                _Inside(shelves.resources, {"state.catalog_id": fact.subject}, asks=False),
            ]
        case PackageFact():
            # Assignment has said that nobody holds the package, so nobody holds it under one of its policies.
            inside = [_Inside(shelves.policies, {"state.package_id": fact.subject}, asks=False)]
        case PopulationFact():
            inside = [_Inside(shelves.policies, {"state.population_id": fact.subject}, asks=True)]
        case _:
            return
    for shelf, query, asks in inside:
        ids = await shelf.store.ids({**query, **LIVING})
        cause = _caused_by(fact)
        if asks:
            await acts.run(shelf, [Work(Delete(id), cause) for id in ids], acts.deleting)
        else:
            await acts.run(shelf, [Work(Withdraw(id), cause) for id in ids], WITHDRAWN)


def _caused_by(message: Any) -> Cause:
    cause: Cause = message.cause
    return cause.model_copy(update={"id": message.id})
