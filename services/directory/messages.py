"""What the directory hears: HR changes in three shapes and two lanes, membership commands, dates that have come."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from pydantic import ValidationError

from services.directory.decide import answers, groups, guests, links, memberships, people, sponsors
from services.directory.decide.links import KeepApart, Link
from services.directory.decide.people import Around, Heard, Purge
from services.directory.decide.rejections import REASON, rejection
from services.directory.decide.sponsors import SetSponsor
from services.directory.model import Memberships, Person
from services.directory.sources import Sources
from services.directory.store import MembershipStore, People
from shared.clock import Clock
from shared.contracts import topics
from shared.contracts.answers import AnswersCommand
from shared.contracts.base import Cause, Refusal, made
from shared.contracts.directory import GroupState, UnnestGroup
from shared.contracts.hr import LARGEST_CHANGE, ChangeKind, HrChange, hr_correlation
from shared.messaging.decision import Circumstances, Decision, Due, Handler, by
from shared.messaging.envelope import Incoming, Outgoing
from shared.messaging.errors import TOO_LARGE, WillNotPass
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.telemetry.metrics import REJECTIONS


def decoder(sources: Sources) -> Any:
    """Reads a record of the public topics: bare JSON, or a CloudEvent, structured or binary."""

    def decode(record: Incoming) -> Heard:
        raw = record.value
        if not raw:
            raise WillNotPass("empty", "The record has no body. Send the change as JSON.")
        if len(raw) > LARGEST_CHANGE:
            raise WillNotPass(TOO_LARGE, f"A change has at most {LARGEST_CHANGE:,} bytes, and this one {len(raw):,}.")
        try:
            change = HrChange.model_validate_json(data_of(record, raw))
        except ValidationError as problem:
            raise WillNotPass(*_said(problem)) from None
        except OverflowError:
            raise WillNotPass("invalidDate", "effectiveAt lies beyond what a date can be.") from None
        if change.source not in sources.by_name:
            raise WillNotPass(
                "unknownSource", "The source is not one of ours: see `tenure sources` and the sources file."
            )
        if change.kind is ChangeKind.RESCINDED and not change.rescinds:
            raise WillNotPass("rescindsMissing", "Say in 'rescinds' the changeId of the change that is taken back.")
        return Heard(change, raw, record.key_text or "", record.timestamp_ms)

    return decode


def data_of(record: Incoming, raw: bytes) -> bytes:
    """The change inside a structured CloudEvent; the body itself otherwise."""
    structured = b'"specversion"' in raw or (record.header("content-type") or "").startswith("application/cloudevents")
    if not structured:
        return raw
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(event, dict) or "specversion" not in event:
        return raw
    if "data" in event:
        return orjson.dumps(event["data"])
    if isinstance(event.get("data_base64"), str):
        try:
            return base64.b64decode(event["data_base64"], validate=True)
        except ValueError:
            raise WillNotPass("notJson", "data_base64 of the CloudEvent is no base64.") from None
    raise WillNotPass("dataMissing", "The CloudEvent has no 'data': put the change there.")


_CODES = {
    "changeId": "changeIdMissing",
    "employeeId": "employeeIdMissing",
    "kind": "unknownKind",
    "effectiveAt": "invalidDate",
}


def _said(problem: ValidationError) -> tuple[str, str]:
    """A stable code and a sentence. Values are not repeated."""
    error = problem.errors(include_url=False, include_input=False, include_context=False)[0]
    where = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "json_invalid":
        deep = "recursion" in error["msg"]
        plain = "The body is not JSON. Send the change as UTF-8 JSON."
        return "notJson", "The body is nested deeper than any change is." if deep else plain
    if not where:
        return "notAChange", "The body is JSON but no object: send {changeId, employeeId, kind, effectiveAt, …}."
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] in {"missing", "string_too_short"}:
        code = _CODES.get(where, "invalid") if where in {"changeId", "employeeId"} else f"{where}Missing"
        return code, f"{where} is missing."
    if where == "kind":
        return "unknownKind", f"kind must be one of {', '.join(kind.value for kind in ChangeKind)}."
    if where == "effectiveAt":
        return "invalidDate", "effectiveAt must be an ISO 8601 date or date-time: 2026-03-01, 2026-03-01T09:00:00Z."
    return "invalid", f"{where}: {text}."


def answered(clock: Clock) -> Any:
    """Answers on the rejected topic what is no valid change."""

    def answer(record: Incoming, reason: WillNotPass) -> Outgoing:
        said: Any = None
        try:
            said = orjson.loads(record.value or b"null")
        except orjson.JSONDecodeError:
            pass
        if isinstance(said, dict) and isinstance(said.get("data"), dict) and "specversion" in said:
            said = said["data"]
        known = said if isinstance(said, dict) else {}
        REJECTIONS.add(service="directory", reason=reason.code)
        return rejection(
            record.position, clock.now(), record.key_text or "", record.value,
            Refusal(code=reason.code, message=reason.message),
            change_id=_text(known.get("changeId")), employee_id=_text(known.get("employeeId")),
            source=_text(known.get("source", "hr")) if known else None,
        )  # fmt: skip

    return answer


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def cause_of(heard: Heard, record: Incoming) -> Cause:
    """The HR change is the first cause of all that follows; what came by the urgent topic stays urgent."""
    said = heard.change
    id = hr_correlation(said.source, said.employee_id, said.change_id)
    lane = topics.BY_NAME[record.position.topic].lane
    actor = f"source:{said.source}"
    return made(Cause, id=id, correlation=id, actor=actor, effective_at=said.effective_at, lane=lane)


def change(state: Person | None, heard: Heard, at: Circumstances[Around]) -> Decision[Person]:
    """`decide.people.change`, its rejections counted."""
    decision = people.change(state, heard, at)
    for record in decision.messages:
        if record.topic == topics.HR_REJECTED.name:
            REJECTIONS.add(service="directory", reason=dict(record.headers)[REASON])
    return decision


def hr_changes(store: People) -> Handler[Person, Heard, Around]:
    return Handler(change, store.locate, store.look, store.look_again, people.again)


def dates(store: People) -> Handler[Person, Due, Around]:
    async def locate(messages: Any) -> Any:
        return [message.id for message in messages]

    return Handler(people.due, locate, store.look, store.look_again, people.again)


def link(store: People) -> Handler[Person, Link, Around]:
    return Handler(links.link, by(lambda command: command.person_id), store.look)


def keep_apart(store: People) -> Handler[Person, KeepApart, Around]:
    return Handler(links.keep_apart, by(lambda command: command.person_id), store.look, store.look_again, people.again)


def purge(store: People) -> Handler[Person, Purge, Around]:
    return Handler(people.purge, by(lambda command: command.person_id), store.look, store.look_again, people.again)


def sponsor(store: People) -> Handler[Person, SetSponsor, Around]:
    return Handler(sponsors.wish, by(lambda asked: asked.person_id), store.look, store.look_again, people.again)


def guest_commands_heard(platform: Platform, loop: Loop[Person], store: People) -> Subscription:
    """A review has a guest blocked, and deleted later."""
    handler = Handler(
        guests.obey, by(lambda command: command.person_id), store.look, store.look_again, people.again
    )  # fmt: skip
    return platform.hears(topics.GUEST_COMMANDS, loop, handler)


def group_commands_heard(platform: Platform, loop: Loop[GroupState]) -> Subscription:
    """A review has groups taken out of others."""
    handler = Handler[GroupState, UnnestGroup, None](groups.obey, by(lambda command: command.group_id))
    return platform.hears(topics.GROUP_COMMANDS, loop, handler)


def answers_heard(platform: Platform, loop: Loop[Person], store: People) -> Subscription:
    """What people answered when they asked for access."""
    handler = Handler[Person, AnswersCommand, Around](
        answers.obey, by(lambda command: command.person_id), store.look, store.look_again, people.again
    )
    return platform.hears(topics.ANSWER_COMMANDS, loop, handler)


def hr_changes_heard(platform: Platform, loop: Loop[Person], store: People, sources: Sources) -> list[Subscription]:
    """The urgent topic first."""
    return [
        platform.hears(
            topic, loop, hr_changes(store), decode=decoder(sources), on_invalid=answered(platform.clock),
            cause_of=cause_of,
        )
        for topic in (topics.HR_URGENT, topics.HR_CHANGES)
    ]  # fmt: skip


def membership_commands_heard(
    platform: Platform, loop: Loop[Memberships], store: MembershipStore
) -> list[Subscription]:
    """Provisioning asks for memberships, the urgent lane first."""
    handler = Handler(memberships.command, by(lambda command: command.person_id), store.look)
    return [platform.hears(topic, loop, handler) for topic in topics.lanes_of(topics.MEMBERSHIP_COMMANDS)]
