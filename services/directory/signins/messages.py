"""What is heard of sign-ins: bare JSON or a CloudEvent, as HR changes are."""

from __future__ import annotations

from pydantic import ValidationError

from services.directory.decide.rejections import REASON
from services.directory.decide.sign_ins import HeardSignIn, signed_in
from services.directory.messages import answered, data_of
from services.directory.signins.store import SignIns
from shared.contracts import topics
from shared.contracts.base import Cause, made
from shared.contracts.signins import SignIn, SignInsState
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Handler
from shared.messaging.envelope import Incoming
from shared.messaging.errors import WillNotPass
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.telemetry.metrics import REJECTIONS

ACTOR = "source:sign-ins"


def decode(record: Incoming) -> HeardSignIn:
    """Raises WillNotPass with a code and a sentence."""
    raw = record.value
    if not raw:
        raise WillNotPass("empty", "The record has no body. Send the sign-in as JSON.")
    try:
        said = SignIn.model_validate_json(data_of(record, raw))
    except ValidationError as problem:
        raise WillNotPass(*_said(problem)) from None
    except OverflowError:
        raise WillNotPass("invalidDate", "'at' lies beyond what a date can be.") from None
    return HeardSignIn(said, raw, record.key_text or "")


def _said(problem: ValidationError) -> tuple[str, str]:
    """A stable code and a sentence. Values are not repeated."""
    error = problem.errors(include_url=False, include_input=False, include_context=False)[0]
    where = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "json_invalid":
        return "notJson", "The body is not JSON. Send the sign-in as UTF-8 JSON."
    if not where and error["type"] == "value_error":
        return "personMissing", "Say in employeeId or userPrincipalName who signed in."
    if not where:
        return "notASignIn", "The body is JSON but no object: send {employeeId or userPrincipalName, at, appId?}."
    if error["type"] == "missing":
        return f"{where}Missing", f"{where} is missing."
    if where == "at":
        return "invalidDate", "at must be an ISO 8601 date or date-time: 2026-03-01, 2026-03-01T09:00:00Z."
    return "invalid", f"{where}: {error['msg'].removeprefix('Value error, ')}."


def cause_of(heard: HeardSignIn, _record: Incoming) -> Cause:
    """Derived, so that a repeat has the same: what follows names neither the person nor the time."""
    said = heard.said
    who = said.employee_id or said.user_principal_name or ""
    id = derived_id("sign-in", who, said.at.isoformat(), said.app_id or "")
    return made(Cause, id=id, correlation=id, actor=ACTOR, effective_at=said.at, lane=topics.SIGN_INS.lane)


def _decide(state: SignInsState | None, heard: HeardSignIn, at: Circumstances[None]) -> Decision[SignInsState]:
    decision = signed_in(state, heard, at)
    for answer in decision.messages:
        REJECTIONS.add(service="directory", reason=dict(answer.headers)[REASON])
    return decision


def sign_ins(store: SignIns) -> Handler[SignInsState, HeardSignIn, None]:
    return Handler(_decide, store.locate)


def sign_ins_heard(platform: Platform, loop: Loop[SignInsState], store: SignIns) -> Subscription:
    return platform.hears(
        topics.SIGN_INS, loop, sign_ins(store), decode=decode, on_invalid=answered(platform.clock), cause_of=cause_of
    )
