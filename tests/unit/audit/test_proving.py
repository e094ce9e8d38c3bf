"""A verification ends with a verdict whatever somebody made of what it reads, and uses every option it is given."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.cli.audit_commands import export, proven, verify
from deploy.cli.endpoints import CommandFailed
from services.audit.answers import Answers
from services.audit.decide.chain import extended
from services.audit.model import Document
from services.audit.signing import SigningKey
from services.audit.store.checkpoints import Checkpoints, public_key_in
from tests.unit.audit.said import START, cause, person, received

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
DOCUMENTS, HEADS = extended({}, received([person(1, START, cause("c"), "D", "D")]), ["00" * 16])
MARKS = [KEY.checkpoint(chain, head, START) for chain, head in HEADS.items()]


class Held:
    """A collection, or a trail, of these documents."""

    def __init__(self, *documents: Mapping[str, Any]) -> None:
        self._documents = [dict(one) for one in documents]

    async def walk(self, _query: Any = None) -> AsyncIterator[Document]:
        for one in self._documents:
            yield one

    async def find(self, _query: Any) -> list[Document]:
        return self._documents


class Sealing:
    key = KEY


def answers(folder: Path, *stored: Document, keys: tuple[Document, ...] = ()) -> Answers:
    made = Answers.__new__(Answers)
    checkpoints = Checkpoints.__new__(Checkpoints)
    checkpoints.file = folder / "audit-checkpoints.ndjson"
    checkpoints._checkpoints = cast(Any, Held(*stored))
    checkpoints._keys = cast(Any, Held(*keys))
    made._checkpoints = checkpoints
    made._trail = cast(Any, Held(*DOCUMENTS))
    made._sealer = cast(Any, Sealing())
    return made


def stored_marks() -> list[Document]:
    return [{"_id": one.id, "json": one.json_bytes().decode()} for one in MARKS]


@pytest.mark.parametrize("spoilt", [{"json": "{"}, {"json": None}, {"json": 7}, {}])
async def test_what_became_of_a_stored_checkpoint_is_named(spoilt: Document, tmp_path: Path) -> None:
    place = MARKS[0].id
    verdict = await answers(tmp_path, {"_id": place, **spoilt}).verify()
    assert [(one.chain, one.sequence, one.kind) for one in verdict.problems] == [(MARKS[0].chain, 1, "unreadable")]
    assert place in verdict.problems[0].message


@pytest.mark.parametrize("spoilt", [{"public": "zz"}, {"public": 7}, {"public": "00"}, {}])
async def test_what_is_no_key_proves_nothing_and_stops_nothing(spoilt: Document, tmp_path: Path) -> None:
    verdict = await answers(tmp_path, *stored_marks(), keys=({"_id": "x", **spoilt},)).verify()
    assert (verdict.sound, verdict.checkpoints) == (True, len(MARKS))
    assert public_key_in(spoilt) is None


async def test_a_file_of_checkpoints_may_hold_anything(tmp_path: Path) -> None:
    asked = answers(tmp_path, *stored_marks())
    file = tmp_path / "audit-checkpoints.ndjson"
    file.write_bytes(b"\xff\xfe\n" + b"".join(one.json_bytes() + b"\n" for one in MARKS))
    verdict = await asked.verify()
    assert (verdict.sound, verdict.checkpoints) == (True, 2 * len(MARKS))
    file.unlink()
    file.mkdir()
    (problem,) = (await asked.verify()).problems
    assert (problem.chain, problem.kind) == (file.name, "unreadable")


async def test_an_export_says_what_is_stored_and_is_proven_all_the_same(tmp_path: Path) -> None:
    spoilt = {**stored_marks()[0], "json": "{"}
    lines = b"".join([part async for part in answers(tmp_path, spoilt).export()]).splitlines()
    assert [one.kind for one in proven(lines).problems] == ["unreadable"]


@pytest.mark.parametrize("line", [b"\xff\n", b"[1]", b'{"kind": "record", "record": [1]}', b'{"kind": "checkpoint"}'])
def test_what_is_no_export_is_refused_by_its_line(line: bytes) -> None:
    with pytest.raises(CommandFailed, match=r"^Line 1 is not of an export"):
        proven([line])


def test_what_is_no_checkpoint_is_refused_by_its_line() -> None:
    kept = MARKS[0].json_bytes()
    for line in (b'{"kind":', b"\xff", b"[]"):
        with pytest.raises(CommandFailed, match=r"^Line 3 of --checkpoints"):
            proven([json.dumps({"kind": "record", "record": DOCUMENTS[0]})], [kept, b"", line])


@pytest.mark.parametrize(
    "given",
    [
        {"key": "00"},
        {"checkpoints": Path("x")},
        {"checkpoints": Path("x"), "bundle": Path("y")},
        {"file": Path("x"), "bundle": Path("y")},
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed, match=r"--(file|bundle)"):
        verify(**given)


def test_a_folder_that_takes_no_export_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stream(*_: Any, **__: Any) -> Any:
        def answer(request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=b"{}\n", request=request)

        return httpx.Client(transport=httpx.MockTransport(answer)).stream("GET", "http://run.test/")

    monkeypatch.setattr(httpx, "stream", stream)
    for out in (tmp_path, tmp_path / "none" / "x", Path("/dev/full")):
        with pytest.raises(CommandFailed, match=str(out)):
            export(api="http://run.test", out=out)
