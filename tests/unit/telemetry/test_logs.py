"""Logs say who by id and never by name; nothing personal leaves by a field, a text or an exception."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.telemetry import logs

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    stream = io.StringIO()
    root = logging.getLogger()
    level = root.level
    logs.configure("json", "info", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for handler in [h for h in root.handlers if getattr(h, "stream", None) is stream]:
        root.removeHandler(handler)
    root.setLevel(level)


def test_ids_of_the_context_stand_on_every_line(lines: Lines) -> None:
    log = logs.get_logger("a.module")
    with logs.bound(service="directory", correlation="hr:17", person="p-1"):
        log.info("change applied", version=4)
    log.info("outside")

    inside, outside = lines()
    assert inside | {"time": ""} == {
        "event": "change applied",
        "level": "info",
        "logger": "a.module",
        "service": "directory",
        "correlation": "hr:17",
        "person": "p-1",
        "version": 4,
        "time": "",
    }
    assert "person" not in outside


async def test_a_task_started_inside_keeps_the_ids(lines: Lines) -> None:
    async def work() -> None:
        logs.get_logger("t").info("working")

    with logs.bound(person="p-1"):
        task = asyncio.create_task(work())
    await task
    assert lines()[0]["person"] == "p-1"


@pytest.mark.parametrize(
    "field",
    [
        "display_name",
        "displayName",
        "mail",
        "userPrincipalName",
        "attributes",
        "value",
        "body",
        "password",
        "job_title",
    ],
)
def test_a_field_that_may_hold_something_personal_is_redacted(lines: Lines, field: str) -> None:
    logs.get_logger("t").info("person changed", **{field: "Ana Kovač"})
    assert lines()[0][field] == logs.REDACTED


def test_mail_addresses_are_redacted_wherever_they_stand(lines: Lines) -> None:
    logs.get_logger("t").info("sent to ana@example.com", note="<ana.kovač+x@example.com>; b@c.d")
    logging.getLogger("a.library").warning("refused %s", "ana@example.com")
    with logs.bound(correlation="ana@example.com"):
        logs.get_logger("t").info("bound")
    printed = json.dumps(lines())
    assert "example.com" not in printed
    assert "b@c.d" not in printed


def test_credentials_in_an_address_are_cut_out(lines: Lines) -> None:
    logs.get_logger("t").info("connected", server="mongodb://tenure:hunter2@db:27017/")
    assert lines()[0]["server"] == "mongodb://db:27017/"


def test_a_whole_message_shows_its_size_only(lines: Lines) -> None:
    class Person(BaseModel):
        city: str

    logs.get_logger("t").info("got", batch=[{"city": "Łódź"}], person_state=Person(city="Łódź"), raw=b"Oslo")
    (line,) = lines()
    assert (line["batch"], line["person_state"], line["raw"]) == ("<list of 1>", "<Person>", "<bytes of 4>")


def test_an_exception_says_type_and_place_and_not_what_it_choked_on(lines: Lines) -> None:
    class Person(BaseModel):
        level: int

    def load() -> None:
        Person.model_validate({"level": "Ana Kovač"})

    people: dict[str, int] = {}
    log = logs.get_logger("t")
    try:
        people["Ana Kovač"]
    except KeyError:
        log.exception("failed")
    try:
        load()
    except ValueError:
        log.exception("failed")
    try:
        Path("/no/such/file").read_bytes()
    except OSError:
        log.exception("failed")

    key, validation, missing = lines()
    assert key["error"] == "KeyError"
    assert "error_text" not in key
    assert "test_logs.py" in key["exception"]
    assert validation["error_text"] == "level: int_parsing"
    assert validation["exception"].count(" > ") >= 1
    assert "No such file" in missing["error_text"]
    assert "Kovač" not in json.dumps(lines(), ensure_ascii=False)


def test_a_long_text_is_cut(lines: Lines) -> None:
    logs.get_logger("t").info("x" * 10_000)
    assert len(lines()[0]["event"]) == 501


def test_the_console_passes_the_same_net() -> None:
    stream = io.StringIO()
    logs.configure("console", "info", stream)
    logs.get_logger("t").warning("refused", mail="ana@example.com", grant_id="g-1")
    logs.configure("json", "info", io.StringIO())
    assert "example.com" not in stream.getvalue()
    assert "grant_id=g-1" in stream.getvalue()


@given(st.text(), st.from_regex(r"[a-zA-Z0-9.]{1,20}@[a-z]{1,10}\.[a-z]{2,3}", fullmatch=True), st.text())
def test_no_mail_address_survives(before: str, address: str, after: str) -> None:
    assert address not in logs.cleaned(f"{before} {address} {after}")


def test_a_client_that_cannot_connect_says_so_a_few_times_and_not_by_the_thousand() -> None:
    now = 100.0
    sparing = logs.Sparing(most=2, within_s=10.0, clock=lambda: now)

    def said(name: str, text: str, *args: object) -> bool:
        return sparing.filter(logging.LogRecord(name, logging.ERROR, "", 0, text, args, None))

    assert [said("aiokafka", "no way to %s", n) for n in range(5)] == [True, True, False, False, False]
    assert said("aiokafka", "another thing")
    assert said("aiokafka.consumer", "no way to %s", 1)
    assert all(said("services.audit", "ours") for _ in range(5))
    now = 110.0
    assert said("aiokafka", "no way to %s", 9)
