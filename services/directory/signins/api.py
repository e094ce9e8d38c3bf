"""Sign-ins over HTTP: reported one or many at once, and shown as Graph's `signInActivity`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, model_validator
from pydantic import Field as Described

from services.directory.decide.sign_ins import HeardSignIn
from shared.contracts.base import Refusal
from shared.contracts.signins import SignIn, SignInsState
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.web.caller import cause_of
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphInput
from shared.web.guard import Guard

MOST_AT_ONCE = 1000


class SignInIn(SignIn):
    """Somebody signed in: say in `employeeId` or `userPrincipalName` who. An unknown property is a 400."""

    model_config = ConfigDict(extra="forbid")


class SignInsIn(GraphInput):
    """`{"value": [...]}`; one alone may be sent as it is."""

    value: Annotated[tuple[SignInIn, ...], Described(min_length=1, max_length=MOST_AT_ONCE)]

    @model_validator(mode="before")
    @classmethod
    def _one(cls, body: Any) -> Any:
        return body if not isinstance(body, dict) or "value" in body else {"value": [body]}


@dataclass(frozen=True)
class Reports:
    """What the route works with."""

    platform: Platform
    loop: Loop[SignInsState]
    handler: Handler[SignInsState, HeardSignIn, None]


def sign_in_routes(reports: Reports, route_class: type[Any], guard: Guard) -> APIRouter:
    """`route_class` answers repeated requests once."""
    router = APIRouter(tags=["people"], route_class=route_class, dependencies=[Depends(guard)])

    @router.post("/v1.0/tenure/signIns")
    async def report(request: Request, body: SignInsIn) -> dict[str, Any]:
        """Report sign-ins, one or up to 1,000; a repeat is harmless.

        Each is taken or refused by itself: `refused` names those that were not by their place. One that is sent alone
        and refused is a 400."""
        heard = [HeardSignIn(one) for one in body.value]
        outcomes = await reports.platform.run_all(reports.loop, reports.handler, heard, cause_of(request))
        refused = [
            (index, outcome.decision.refusal)
            for index, outcome in enumerate(outcomes)
            if outcome.decision is not None and outcome.decision.refusal is not None
        ]
        if len(heard) == 1 and refused:
            raise BadRequest(refused[0][1].message, code=refused[0][1].code)
        return {
            "accepted": len(heard) - len(refused),
            "refused": [{"index": index, "error": _error(reason)} for index, reason in refused],
        }

    return router


def _error(reason: Refusal) -> dict[str, str]:
    return {"code": reason.code, "message": reason.message}
