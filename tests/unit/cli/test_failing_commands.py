"""What goes wrong in a command is told in a line: what, where, and what to do."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from deploy.cli import app, audit_commands, hr_commands
from deploy.cli.common import print_json, read_settings
from deploy.cli.deadletter_commands import _on_kafka, discard
from deploy.cli.endpoints import CommandFailed, NothingAnswers, NothingRunning
from deploy.cli.hr_commands import _lines, _publish
from deploy.cli.reconcile_command import reach
from deploy.cli.review_commands import download
from deploy.cli.run_commands import service
from deploy.run import producing
from shared.settings import Settings


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="http://run.test", transport=httpx.MockTransport(answer))


def test_evidence_that_is_refused_is_told_in_the_apis_own_words(tmp_path: Path) -> None:
    http = answering(lambda _: httpx.Response(404, json={"error": {"code": "x", "message": "No such run."}}))
    with pytest.raises(CommandFailed, match=r"^GET /run: 404\. No such run\.$"):
        download(http, "/run", tmp_path / "run.json")


def test_evidence_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("gone")

    with pytest.raises(NothingAnswers):
        download(answering(broken), "/run", tmp_path / "run.json")
    with pytest.raises(OSError, match="none"):
        download(answering(lambda _: httpx.Response(200)), "/run", tmp_path / "none" / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_a_service_joins_the_run_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_DATA_DIR", str(tmp_path))
    with pytest.raises(NothingRunning, match=str(tmp_path)):
        service("directory")
    assert read_settings(None).data_dir == tmp_path


class Producing:
    """A producer that takes no more than ten bytes."""

    def __init__(self, **_: Any) -> None:
        pass

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def send(self, _topic: str, value: bytes, *, key: bytes | None) -> Any:
        if len(value) > 10:
            raise MessageSizeTooLargeError

        assert key is None
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged


def test_a_change_that_is_too_large_is_named_and_what_was_sent_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producing, "AIOKafkaProducer", Producing)
    lines = [(None, b"x"), (None, b"y"), (None, b"z" * 1100), (None, b"x")]
    with pytest.raises(CommandFailed, match=r"^Change 3, of 1,100 bytes, .* The 2 before it were sent"):
        _publish(Settings(), "hr.attribute-changes", iter(lines))


def test_a_producer_that_does_not_start_is_put_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []

    class Refused(Producing):
        async def start(self) -> None:
            raise KafkaConnectionError

        async def stop(self) -> None:
            stopped.append(self)

    monkeypatch.setattr(producing, "AIOKafkaProducer", Refused)
    with pytest.raises(CommandFailed, match="KafkaConnectionError"):
        _publish(Settings(), "hr.attribute-changes", iter([]))
    assert len(stopped) == 1


def test_a_kafka_that_goes_away_is_told() -> None:
    async def gone() -> None:
        raise KafkaConnectionError

    with pytest.raises(CommandFailed, match=r"^Kafka does not answer at k:1: KafkaConnectionError"):
        _on_kafka(Settings(kafka="k:1"), gone())


def test_nothing_is_given_up_without_a_reason(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="--reason"):
        discard(reason=" ", ids=["a/0/1"], data_dir=tmp_path)


def test_what_others_wrote_is_shown_as_it_is_and_never_obeyed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal would: rich reads [/x] as an end of markup and fails, and ESC begins a command."""
    said = {"id": "1", "changeId": "[/x]", "employeeId": "\x1b[2J", "reason": {"code": "notJoined"}}
    monkeypatch.setattr(hr_commands, "settings_of", lambda *_: Settings())
    monkeypatch.setattr(hr_commands, "_rejections", lambda _: {"1": said})
    monkeypatch.setattr(hr_commands, "_say_how_they_stand", lambda found, *_: found[0].update(state="refused"))
    hr_commands.list_rejected()

    shown = capsys.readouterr().out
    assert "[/x]" in shown
    assert "\x1b[2J" not in shown


def test_why_is_told_whole_and_nothing_in_it_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "x" * 100
    line = {"at": "2026-03-01T00:00:00Z", "what": f"[/x]{long}", "actor": "source:hr"}
    monkeypatch.setattr(audit_commands, "_get", lambda *_: {"summary": "\x1b[2JAna [/x]", "value": [line]})
    audit_commands.explain("ana")

    shown = capsys.readouterr().out
    assert "\x1b[2J" not in shown
    assert "Ana [/x]" in shown
    assert shown.count("x") >= len(long), "broken, not cut"


def test_letters_that_an_output_has_none_for_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="latin-1", write_through=True))
    monkeypatch.setattr(app, "app", lambda: print_json({"name": "Ü, Č"}))
    app.main()
    assert written.getvalue().split() == [b"{", b'"name":', b'"\xdc,', b'\\u010c"', b"}"]


def test_no_differences_says_among_whom() -> None:
    assert reach({"people": 0, "unsettled": 0, "foundCount": 0}) == "0 people compared"
    assert reach({"people": 4, "unsettled": 2, "foundCount": 1}) == (
        "4 people compared, 2 deliveries under way or failed and not judged, "
        "1 memberships that no grant explains left as they are"
    )


def test_what_editors_leave_around_changes_is_no_part_of_them(tmp_path: Path) -> None:
    file = tmp_path / "changes.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"changeId": "1"}\r\n  \r\n\n {"changeId": "2"} \n')

    assert list(_lines(file)) == [b'{"changeId": "1"}', b'{"changeId": "2"}']
