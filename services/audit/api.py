"""What audit answers over HTTP: the trail, its proof, why, and who had what when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from services.audit.answers import Answers
from services.audit.evidence import Evidence
from services.audit.sealing import Sealer
from shared.clock import zoned
from shared.security.caller import Caller
from shared.security.operations import ROLE_REVIEWS_READ
from shared.web.caller import NOBODY_NAMED, Asking
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphInput
from shared.web.guard import Admitted, Guard

LOCAL_OPERATOR = "operator:local"
"""Who sits at this machine and names nobody."""
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Stays in the trail for good: blank, it would say nothing to whoever reads it."""


class EraseIn(GraphInput):
    """Why a person is erased, for the record; name nobody in it."""

    reason: Reason = "erasure request"


class NewLogIn(GraphInput):
    """What became of Kafka, for the record."""

    reason: Reason


def router_of(answers: Answers, evidence: Evidence, sealer: Sealer, guard: Guard) -> APIRouter:
    router = APIRouter(prefix="/v1.0/tenure", tags=["audit"], dependencies=[Depends(guard)])

    @router.get("/audit/verify")
    async def verify() -> dict[str, Any]:
        """Prove the whole trail, or say exactly where it breaks. Takes a while for a long one."""
        return (await answers.verify()).body()

    @router.get("/audit/export", response_class=StreamingResponse)
    async def export() -> StreamingResponse:
        """The whole trail as NDJSON: keys, checkpoints, records. `tenure audit verify --file` proves it elsewhere."""
        return StreamingResponse(answers.export(), media_type="application/x-ndjson")

    @router.get("/audit/key")
    async def key() -> dict[str, Any]:
        """The public key that checkpoints are signed with. Keep it, and the checkpoints, away from this system."""
        return sealer.public()

    @router.post("/audit/seal")
    async def seal() -> dict[str, Any]:
        """Sign the heads of the chains now, not at the next interval."""
        return {"checkpoints": [one.model_dump(mode="json") for one in await sealer.seal()]}

    @router.post("/audit/people/{person_id}/erase")
    async def erase(person_id: str, caller: Asking, body: Annotated[EraseIn | None, Body()] = None) -> dict[str, Any]:
        """Take a person's names, attribute values and HR changes out of the trail; the chains still verify."""
        return await answers.erase(person_id, _named(caller), (body or EraseIn()).reason)

    @router.post("/audit/newLog")
    async def new_log(body: NewLogIn, caller: Asking) -> dict[str, Any]:
        """Go on recording although Kafka was emptied, and say so in every chain. What was in Kafka alone is lost."""
        return await answers.begin_anew(_named(caller), body.reason)

    @router.get("/reviewEvidence/{instance_id}", response_class=StreamingResponse)
    async def bundle(instance_id: str, caller: Asking, admitted: Admitted) -> StreamingResponse:
        """The signed evidence of one run of a review: who was asked, who decided what and why, what was done, and the
        trail's records of it. `tenure audit verify --bundle` proves it elsewhere."""
        lines = await evidence.bundle(instance_id.lower(), _named(caller), lambda: admitted.meets(ROLE_REVIEWS_READ))
        return StreamingResponse(lines, media_type="application/json")

    @router.get("/reviewEvidence/{instance_id}/page", response_class=StreamingResponse)
    async def page(instance_id: str, caller: Asking, admitted: Admitted) -> StreamingResponse:
        """The same for people to read and print: one HTML file that loads nothing."""
        lines = await evidence.page(instance_id.lower(), _named(caller), lambda: admitted.meets(ROLE_REVIEWS_READ))
        return StreamingResponse(lines, media_type="text/html; charset=utf-8")

    @router.get("/explain")
    async def explain(
        person: Annotated[str, Query(description="Person id, user principal name or employee id.")],
        package: Annotated[str | None, Query(description="Package id or exact name. All held, if absent.")] = None,
    ) -> dict[str, Any]:
        """Why someone has a package, had it, or never had it: HR change, rule, assignment, grant, membership."""
        return await answers.explain(person, package)

    @router.get("/access")
    async def access(
        person: Annotated[str | None, Query(description="Person id, user principal name or employee id.")] = None,
        package: Annotated[str | None, Query(description="Package id or exact name.")] = None,
        group: Annotated[str | None, Query(description="Group id or exact name.")] = None,
        at: Annotated[
            str | None,
            Query(description="Date-time, UTC unless it says otherwise, or a date: the end of that day. Now."),
        ] = None,
        basis: Annotated[
            Literal["record", "effective"],
            Query(description="`record`: when it was so in Tenure. `effective`: by the dates that the sources gave."),
        ] = "record",
    ) -> dict[str, Any]:
        """Who had what at a moment."""
        return await answers.access(
            person=person, package=package, group=group, at=moment_of(at), effective=basis == "effective"
        )

    return router


def _named(caller: Caller) -> str:
    return LOCAL_OPERATOR if caller.actor == NOBODY_NAMED else caller.actor


def moment_of(text: str | None) -> date | datetime | None:
    """The day, or the point in time in UTC. Raises BadRequest."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        # A '+' of an offset that was not percent-encoded arrives as a blank.
        at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        return zoned(at).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise BadRequest(
            f"'{text[:50]}' is no date such as 1995-06-01 or 2026-03-01T09:00:00Z.", target="at"
        ) from problem
