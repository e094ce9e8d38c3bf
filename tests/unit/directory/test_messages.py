"""Three shapes of one change, and an answer for whatever is none."""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.directory.messages import answered, cause_of, decoder
from services.directory.sources import DEFAULT, SourcesFileError, sources_of
from shared.clock import TurnableClock
from shared.contracts.base import Lane
from shared.contracts.hr import LARGEST_CHANGE, HrRejection, hr_correlation
from shared.contracts.topics import HR_REJECTED
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

CHANGE: dict[str, Any] = {
    "changeId": "c1", "employeeId": "E1", "kind": "joined", "effectiveAt": "2026-01-01", "attributes": {"city": "Łódź"}
}  # fmt: skip


def record(value: bytes | None, *headers: tuple[str, bytes], topic: str = "hr.attribute-changes") -> Incoming:
    return Incoming(Position(topic, 2, 7), b"E1", value, headers, 1)


SHAPES = {
    "bare": record(orjson.dumps(CHANGE)),
    "binary": record(orjson.dumps(CHANGE), ("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"x")),
    "structured": record(orjson.dumps({"specversion": "1.0", "id": "1", "type": "x", "source": "y", "data": CHANGE})),
    "structured, base64": record(
        orjson.dumps({"specversion": "1.0", "data_base64": base64.b64encode(orjson.dumps(CHANGE)).decode()}),
        ("content-type", b"application/cloudevents+json; charset=utf-8"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_change_comes_in_three_shapes(shape: str) -> None:
    heard = decoder(DEFAULT)(SHAPES[shape])
    assert heard.change.attributes == {"city": "Łódź"}
    assert heard.change.effective_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert heard.identity == "hr:E1"


INVALID = {
    "empty": None,
    "notJson": b"\xff\xfe no",
    "notAChange": b"[1]",
    "employeeIdMissing": orjson.dumps({k: v for k, v in CHANGE.items() if k != "employeeId"}),
    "changeIdMissing": orjson.dumps(CHANGE | {"changeId": ""}),
    "kindMissing": orjson.dumps({k: v for k, v in CHANGE.items() if k != "kind"}),
    "unknownKind": orjson.dumps(CHANGE | {"kind": "promoted"}),
    "invalidDate": orjson.dumps(CHANGE | {"effectiveAt": "01/02/2026"}),
    "unknownSource": orjson.dumps(CHANGE | {"source": "sap"}),
    "rescindsMissing": orjson.dumps(CHANGE | {"kind": "rescinded"}),
    "invalid": b'{"sequence": 18446744073709551616, ' + orjson.dumps(CHANGE)[1:],
    "dataMissing": orjson.dumps({"specversion": "1.0"}),
    "tooLarge": orjson.dumps(CHANGE | {"attributes": {"city": "x" * LARGEST_CHANGE}}),
}


@pytest.mark.parametrize("code", INVALID)
def test_what_is_no_change_is_answered_with_a_code_and_the_original(code: str) -> None:
    received = record(INVALID[code])
    with pytest.raises(WillNotPass) as refused:
        decoder(DEFAULT)(received)
    assert refused.value.code == code
    answer = answered(TurnableClock(datetime(2026, 3, 1, tzinfo=UTC)))(received, refused.value)
    assert (answer.topic, answer.key) == (HR_REJECTED.name, b"E1")
    said = orjson.loads(answer.value)
    assert (said["reason"]["code"], said["topic"], said["partition"], said["offset"]) == (
        code, "hr.attribute-changes", 2, 7
    )  # fmt: skip
    assert said["reason"]["message"].endswith((".", "…}."))
    value = INVALID[code]
    if code == "notJson":
        assert base64.b64decode(said["original"]) == value
    elif value is not None:
        assert said["original"] == orjson.loads(value)


def test_an_answer_has_every_field_of_the_contract_and_says_null_of_what_is_not_known() -> None:
    said = answer_to(b"\xff")
    assert said.keys() == {field.alias for field in HrRejection.model_fields.values()}
    assert (said["changeId"], said["employeeId"], said["source"]) == (None, None, None)


def test_the_original_is_the_very_json_that_came() -> None:
    raw = b'{ "changeId" : "c1", "sequence": 123456789012345678901234567890 }'
    received = record(raw)
    answer = answered(TurnableClock(datetime(2026, 3, 1, tzinfo=UTC)))(received, WillNotPass("x", "x."))
    assert raw in answer.value


@pytest.mark.parametrize("depth", [100, 300, 900, 5000])
def test_whatever_is_nested_is_answered_so_that_it_can_be_read(depth: int) -> None:
    raw = b'{"changeId": "c1", "kind": "no", "x": ' + b"[" * depth + b"]" * depth + b"}"
    said = answer_to(raw)
    assert said["reason"]["code"] in {"notJson", "employeeIdMissing"}
    assert said["original"] in (orjson.loads(raw) if depth == 100 else None, base64.b64encode(raw).decode())


def answer_to(raw: bytes) -> dict[str, Any]:
    received = record(raw)
    with pytest.raises(WillNotPass) as refused:
        decoder(DEFAULT)(received)
    value = answered(TurnableClock(datetime(2026, 3, 1, tzinfo=UTC)))(received, refused.value).value
    HrRejection.model_validate_json(value)
    said: dict[str, Any] = orjson.loads(value)
    return said


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_date_beyond_dates_is_invalid(date: str) -> None:
    with pytest.raises(WillNotPass) as refused:
        decoder(DEFAULT)(record(orjson.dumps(CHANGE | {"effectiveAt": date})))
    assert refused.value.code == "invalidDate"


def test_the_urgent_topic_makes_an_urgent_cause() -> None:
    for topic, lane in (("hr.urgent", Lane.URGENT), ("hr.attribute-changes", Lane.ORDINARY)):
        received = record(orjson.dumps(CHANGE), topic=topic)
        cause = cause_of(decoder(DEFAULT)(received), received)
        assert (cause.lane, cause.actor, cause.correlation) == (lane, "source:hr", hr_correlation("hr", "E1", "c1"))
        assert cause.effective_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert "E1" not in cause.model_dump_json()


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, "sources"),
        ({"sources": {"a:b": {}}}, "sources"),
        ({"sources": {"hr": {"x": 1}}}, "sources/hr"),
        ({"sources": {"hr": {}}, "correlate": ["salary"]}, "correlate"),
        ({"sources": {"hr": {}}, "authority": {"mail": ["it"]}}, "authority/mail"),
    ],
)
def test_a_sources_file_that_cannot_be_names_the_place(said: Any, place: str) -> None:
    with pytest.raises(SourcesFileError, match=place):
        sources_of(said)
