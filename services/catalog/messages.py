"""What catalog hears: of the directory what there is, of assignment what is used, of itself what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.catalog import decide
from services.catalog.acts import Acts
from services.catalog.decide import At, Change, Delete, Withdraw, later
from services.catalog.model import K
from services.catalog.store import LIVING, Shelf
from shared.contracts.assignment import UseAnswer
from shared.contracts.base import Fact
from shared.contracts.catalog import (
    CatalogFact,
    Created,
    DeletionAsked,
    EndRoleAssignment,
    Life,
    PackageFact,
    PopulationFact,
)
from shared.contracts.topics import (
    APPLICATION_FACTS,
    CATALOG_FACTS,
    EXTENSION_FACTS,
    GROUP_FACTS,
    PACKAGE_FACTS,
    POPULATION_FACTS,
    ROLE_ASSIGNMENT_COMMANDS,
    SITE_FACTS,
    USE_ANSWERS,
)
from shared.messaging.decision import Decision, Due, Handler, by
from shared.messaging.envelope import outgoing
from shared.messaging.loop import Work
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription

ANSWERED = Handler[Any, UseAnswer, Any](decide.answered, by(lambda one: one.subject))
ENDED = Handler[Any, EndRoleAssignment, Any](decide.end, by(lambda one: one.role_assignment_id))
WITHDRAWN = Handler[Any, Withdraw, Any](decide.withdraw, by(lambda one: one.id))


def subscriptions(platform: Platform, acts: Acts) -> list[Subscription]:
    """Which topic goes where."""

    async def groups(facts: Sequence[Any]) -> None:
        await acts.shelves.groups.replica.apply(facts)

    async def applications(facts: Sequence[Any]) -> None:
        await acts.origins.applications.apply(facts)

    async def sites(facts: Sequence[Any]) -> None:
        await acts.origins.sites.apply(facts)

    async def answers(messages: Sequence[UseAnswer]) -> None:
        asked: tuple[tuple[str, Shelf[Any]], ...] = (
            ("package", acts.shelves.packages),
            ("policy", acts.shelves.policies),
        )
        for kind, shelf in asked:
            works = [Work(one, one.follow_up) for one in messages if one.kind == kind]
            await acts.run(shelf, works, ANSWERED)

    lying_in = _insides(acts)

    async def insides(facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, CatalogFact) and any(isinstance(one, Created) for one in fact.transitions):
                await acts.make_first_owner(fact.state, fact.follow_up)
        gone = {fact.subject: fact for fact in facts if fact.state.life is Life.DELETED}
        if gone:
            for inside in lying_in[type(facts[0])]:
                await _empty(gone, inside, acts)

    async def extensions(facts: Sequence[Any]) -> None:
        for fact in facts:
            if fact.state.life is Life.DELETED:
                await _forget(fact, acts)

    return [
        platform.takes([GROUP_FACTS], groups),
        platform.takes([APPLICATION_FACTS], applications),
        platform.takes([SITE_FACTS], sites),
        platform.takes([USE_ANSWERS], answers),
        platform.takes([EXTENSION_FACTS], extensions),
        platform.hears(ROLE_ASSIGNMENT_COMMANDS, acts.loops[acts.shelves.role_assignments], ENDED),
        *(platform.takes([topic], insides) for topic in (CATALOG_FACTS, PACKAGE_FACTS, POPULATION_FACTS)),
    ]


def timers(acts: Acts) -> list[Timer]:
    """A deletion that nobody has answered is asked about again; one that was left half-way is settled."""
    asked: list[Shelf[Any]] = [acts.shelves.packages, acts.shelves.policies]
    settled = [shelf for shelf in acts.shelves.all() if shelf not in asked]
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
    parent: str
    asks: bool
    """What may still be held by people is asked about first."""


def _insides(acts: Acts) -> dict[type[Fact], tuple[_Inside, ...]]:
    """What lies in or refers to each kind of thing, and so goes with it."""
    shelves = acts.shelves
    return {
        CatalogFact: (
            _Inside(shelves.packages, "state.catalog_id", asks=True),
            _Inside(shelves.resources, "state.catalog_id", asks=False),
            _Inside(shelves.extensions, "state.catalog_id", asks=False),
            _Inside(shelves.role_assignments, "state.catalog_id", asks=False),
        ),
        # Assignment has said that nobody holds the package, so nobody holds it under one of its policies.
        PackageFact: (_Inside(shelves.policies, "state.package_id", asks=False),),
        PopulationFact: (_Inside(shelves.policies, "state.population_id", asks=True),),
    }


async def _empty(gone: Mapping[str, Fact], inside: _Inside, acts: Acts) -> None:
    """What lay in these goes, too; done again it finds nothing left."""
    found = await inside.shelf.store.pairs({inside.parent: {"$in": list(gone)}, **LIVING}, inside.parent)
    works = [Work(Delete(id) if inside.asks else Withdraw(id), gone[parent].follow_up) for id, parent in found]
    await acts.run(inside.shelf, works, acts.deleting if inside.asks else WITHDRAWN)


async def _forget(gone: Fact, acts: Acts) -> None:
    """Policies that came to name an extension while it was deleted name it no more."""
    policies = acts.shelves.policies
    naming = {"state.extensions.extension_id": gone.subject, "state.life": Life.ACTIVE.value}
    while found := await policies.find(naming):  # again, where somebody changed one at the same time
        works = []
        for one in found:
            rest = tuple(setting for setting in one.item.extensions if setting.extension_id != gone.subject)
            works.append(Work(Change(one.item.id, {"extensions": rest}, one.version), gone.follow_up))
        await acts.run(policies, works, acts.changing)
