"""What provisioning answers over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.provisioning import decide
from services.provisioning.model import Deliveries, Repair, shown
from services.provisioning.store import DeliveryStore
from shared.contracts.base import Cause, Contract
from shared.contracts.provisioning import DeliveryState
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop, Work
from shared.messaging.service import ANSWER_S, Platform
from shared.web.caller import cause_of
from shared.web.guard import Admitted, Guard

AT_ONCE = 200
"""People whose drift is repaired with one write."""


class DeliveriesOut(Contract):
    """One person's deliveries, by resource role; tombstones of removed ones too."""

    value: list[DeliveryState]


class DriftOut(Contract):
    """A membership that is not as it should be."""

    person_id: str
    resource: str
    role: str
    display_name: str
    expected: bool
    version: int


class FoundOut(Contract):
    """A membership that no grant explains: listed, and never taken away."""

    person_id: str
    group_id: str


class ReconciliationOut(Contract):
    """What was compared and what differs."""

    compared_at: datetime
    people: int
    unsettled: int
    """Deliveries under way or failed: not judged."""
    drift: list[DriftOut]
    repaired: int
    """People for whom commands were sent again; look again to see what became of it."""
    found_count: int
    found: list[FoundOut]
    """The first of them, at most `foundTop`."""


def router(platform: Platform, store: DeliveryStore, loop: Loop[Deliveries], guard: Guard) -> APIRouter:
    """The routes of provisioning."""
    routes = APIRouter(tags=["provisioning"], dependencies=[Depends(guard)])
    handler = Handler[Deliveries, Repair, None](decide.repair, by(lambda ask: ask.person_id))

    @routes.get("/v1.0/tenure/people/{person_id}/deliveries")
    async def deliveries(person_id: str, admitted: Admitted) -> DeliveriesOut:
        """How far each resource role has come for one person; empty for whoever never had any."""
        if person_id != admitted.standing.caller.person_id:
            await admitted.at(None)
        state = await store.of(person_id)
        return DeliveriesOut(value=[shown(one) for one in state.deliveries.values()] if state else [])

    @routes.get("/v1.0/tenure/reconciliation")
    async def reconciliation(
        found_top: Annotated[int, Query(alias="foundTop", ge=0, le=10_000)] = 1000,
    ) -> ReconciliationOut:
        """Compare what should be with what is; changes nothing."""
        return await _compared(platform, store, found_top)

    @routes.post("/v1.0/tenure/reconciliation/repair")
    async def repair(
        request: Request, found_top: Annotated[int, Query(alias="foundTop", ge=0, le=10_000)] = 1000
    ) -> ReconciliationOut:
        """Compare, and command again whatever is missing or there by a grant that is no more. Found access stays."""
        report = await _compared(platform, store, found_top)
        people = sorted({one.person_id for one in report.drift})
        await _repair(platform, loop, handler, people, cause_of(request).actor)
        return report.model_copy(update={"repaired": len(people)})

    return routes


async def _compared(platform: Platform, store: DeliveryStore, found_top: int) -> ReconciliationOut:
    people = unsettled = found_count = 0
    drift: list[DriftOut] = []
    found: list[FoundOut] = []
    now = platform.clock.now()
    async for state in store.everyone():
        people += 1
        unsettled += decide.unsettled_in(state)
        drift += [
            DriftOut(
                person_id=state.person_id,
                resource=one.role.origin_id,
                role=one.role.role,
                display_name=one.role.display_name,
                expected=one.expected,
                version=one.version,
            )
            for one in decide.drift_of(state)
        ]
        there = decide.found_access_of(state)
        found_count += len(there)
        found += [FoundOut(person_id=state.person_id, group_id=group) for group in there[: found_top - len(found)]]
    return ReconciliationOut(
        compared_at=now,
        people=people,
        unsettled=unsettled,
        drift=drift,
        repaired=0,
        found_count=found_count,
        found=found,
    )


async def _repair(
    platform: Platform,
    loop: Loop[Deliveries],
    handler: Handler[Deliveries, Repair, None],
    people: Sequence[str],
    actor: str,
) -> None:
    # An operator's act is its own first cause.
    run = f"reconciliation:{uuid.uuid4()}"
    cause = Cause(id=run, correlation=run, actor=actor)
    attempts = platform.patience("http.reconciliation", ANSWER_S)
    for start in range(0, len(people), AT_ONCE):
        works = [Work(Repair(person), cause) for person in people[start : start + AT_ONCE]]
        for outcome in await loop.run(works, handler, attempts):
            if outcome.error is not None:
                raise outcome.error
