"""The acts that HTTP, files and messages share: run a decision on things of one kind, with what it looks at."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.catalog import decide
from services.catalog.decide import Change, Create, Delete, Surroundings, orphaned
from services.catalog.model import GENERAL, Catalog, K, Kept, first_ownership
from services.catalog.origins import Origins
from services.catalog.store import Shelf, Shelves
from shared.contracts.base import Cause
from shared.contracts.catalog import CatalogState, Life
from shared.messaging.decision import Decision, Handler, by
from shared.messaging.loop import Loop, Outcome, Work
from shared.messaging.service import ANSWER_S, Platform

DELETION_WAIT_S = 2.0
"""How long an HTTP caller waits for assignment's answer."""


class Acts:
    """What can be done to a catalog's things."""

    def __init__(self, platform: Platform, shelves: Shelves) -> None:
        self.platform = platform
        self.shelves = shelves
        self.origins = Origins(platform.database, shelves.groups)
        self.loops: dict[Shelf[Any], Loop[Any]] = {
            shelf: platform.loop(shelf.kind, shelf.store) for shelf in shelves.all()
        }
        self.creating = Handler[Any, Create[Any], Surroundings](
            decide.create, by(lambda one: one.item.id), self._look, self._look_again, decide.again
        )
        self.changing = Handler[Any, Change, Surroundings](decide.change, by(lambda one: one.id), self._look)
        self.deleting = Handler[Any, Delete, Surroundings](decide.delete, by(lambda one: one.id), self._look)
        self.settling = Handler[Any, Any, Surroundings](decide.settle, by(lambda one: one.id), self._look_uses)

    async def run(self, shelf: Shelf[K], works: Sequence[Work], handler: Handler[K, Any, Any]) -> list[Outcome[K]]:
        """All of `works`, with one read and one write. Raises GivenUp if the servers stay away."""
        if not works:
            return []
        return await self.loops[shelf].run(works, handler, self.platform.patience(f"{shelf.kind.name}.run", ANSWER_S))

    async def run_one(self, shelf: Shelf[K], message: Any, cause: Cause) -> Decision[K]:
        """One command. Raises WillNotPass, or GivenUp if the servers stay away."""
        outcome = await self.platform.run_one(self.loops[shelf], self.handler_of(message), message, cause)
        assert outcome.decision is not None
        return outcome.decision

    def handler_of(self, message: Any) -> Handler[Any, Any, Any]:
        match message:
            case Create():
                return self.creating
            case Change():
                return self.changing
            case Delete():
                return self.deleting
        raise TypeError(f"{type(message).__name__} is no command of this service.")

    def asks(self, shelf: Shelf[Any]) -> bool:
        """Whether assignment is asked before something on this shelf goes."""
        return shelf is self.shelves.packages or shelf is self.shelves.policies

    async def delete(self, shelf: Shelf[K], message: Delete, cause: Cause) -> Decision[K]:
        """Both phases, as far as they go within `DELETION_WAIT_S`: the state tells how far."""
        decision = await self.run_one(shelf, message, cause)
        if decision.refusal or decision.state is None or decision.state.life is not Life.DELETING:
            return decision
        if self.asks(shelf):
            version = decision.state.deletion.version if decision.state.deletion else 0
            return await self._answer(shelf, message.id, version)
        (outcome,) = await self.run(shelf, [Work(message, cause)], self.settling)
        if outcome.error is not None:
            raise outcome.error
        assert outcome.decision is not None
        return outcome.decision

    async def _answer(self, shelf: Shelf[K], id: str, version: int) -> Decision[K]:
        """Wait until the deletion asked about in that version is decided, here or in another replica."""
        deadline = asyncio.get_running_loop().time() + DELETION_WAIT_S
        while True:
            (found,) = await shelf.find({"_id": id}, limit=1)
            state = found.item
            asked = state.deletion.version if state.deletion else None
            if asked != version or asyncio.get_running_loop().time() > deadline:
                return Decision(state)
            await asyncio.sleep(0.02)

    async def make_general(self) -> None:
        """The built-in catalog; made once, whoever comes first."""
        now = self.platform.clock.now()
        general = Catalog(
            id=GENERAL,
            display_name="General",
            description="Built-in catalog.",
            is_built_in=True,
            created_at=now,
            modified_at=now,
        ).as_made()
        cause = Cause(id=f"start:{GENERAL}", correlation=f"start:{GENERAL}", actor="system:catalog")
        await self.run_one(self.shelves.catalogs, Create(general), cause)

    async def make_first_owner(self, catalog: CatalogState, cause: Cause) -> None:
        """Whoever made it without being an administrator owns it (CAT-5); doing it again is harmless, and revives
        nothing that was taken away since."""
        if (owner := first_ownership(catalog)) is not None:
            await self.run_one(self.shelves.role_assignments, Create(owner), cause)

    async def _look(self, messages: Sequence[Any], states: Mapping[str, Kept | None]) -> Surroundings:
        items = [message.item for message in messages if isinstance(message, Create)]
        parents = {
            value
            for message in messages
            if isinstance(message, Change)
            for name, value in message.values.items()
            if name == "population_id" and value
        }
        named = {
            one.extension_id
            for message in messages
            if isinstance(message, Change)
            for one in message.values.get("extensions", ())
        }
        lives = await self.shelves.parents_of([*items, *(state for state in states.values() if state)])
        return Surroundings(parents={**lives, **await self.shelves.lives(parents | named)})

    async def _look_again(self, _context: Surroundings, states: Mapping[str, Kept | None]) -> Collection[str]:
        living = [state for state in states.values() if state and state.life is not Life.DELETED]
        context = Surroundings(parents=await self.shelves.parents_of(living))
        return [state.id for state in living if orphaned(state, context)]

    async def _look_uses(self, _messages: Sequence[Any], states: Mapping[str, Kept | None]) -> Surroundings:
        return Surroundings(uses=await self.shelves.uses_of([state for state in states.values() if state]))
