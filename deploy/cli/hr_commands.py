"""`tenure hr send`, `tenure hr rejected list | show | resend`, `tenure sources`."""

from __future__ import annotations

import asyncio
import codecs
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.common import (
    DEFAULT_DIR,
    Api,
    AsJson,
    DataDir,
    asked,
    client,
    complain,
    console,
    plain,
    print_json,
    settings_of,
)
from deploy.cli.endpoints import CommandFailed, NothingRunning, endpoints

if TYPE_CHECKING:
    from shared.settings import Settings

hr = typer.Typer(no_args_is_help=True, help="Send HR changes as an HR system would; see which were rejected.")
rejected = typer.Typer(no_args_is_help=True, help="HR changes that were answered as rejected, and why.")
hr.add_typer(rejected, name="rejected")

Record = tuple[bytes | None, bytes]
"""Key and value."""
DEFAULT_SOURCE = "hr"


@hr.command()
def send(
    file: Annotated[Path, typer.Argument(help="One change a line, as JSON; - reads standard input.")],
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="To hr.urgent: ahead of whatever waits.")] = False,
) -> None:
    """Publish the lines of FILE to hr.attribute-changes, as they are.

    Nothing is checked here: what is no valid change is answered by Tenure as rejected, as for any HR system."""
    settings = settings_of(data_dir, api)
    topic = _topic(urgent)
    sent = _publish(settings, topic, (record_of(line) for line in _lines(file)))
    complain(f"{sent} sent to {settings.topic(topic)}.")


def record_of(line: bytes) -> Record:
    """The record that this line becomes. Its key is the employee id, behind the source if that is not the usual one."""
    import orjson  # noqa: PLC0415

    try:
        change = orjson.loads(line)
    except ValueError:
        return None, line
    inner = change.get("data", change) if isinstance(change, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("employeeId"), str):
        return None, line
    source = inner.get("source", DEFAULT_SOURCE)
    employee = inner["employeeId"]
    return (employee if source == DEFAULT_SOURCE else f"{source}:{employee}").encode(), line


@rejected.command("list")
def list_rejected(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also what has settled itself since.")] = False,
) -> None:
    """Rejections that Kafka still keeps (90 days), the oldest first: what was refused, and what still waits for a
    manager, a joining or a human's word. Nobody has to send again what waits."""
    found = list(_rejections(settings_of(data_dir, api)).values())
    _say_how_they_stand(found, data_dir, api)
    shown = [one for one in found if every or one["state"] != "settled"]
    if as_json:
        print_json(shown)
        return
    if not found:
        complain("Nothing was rejected.")
        return
    if settled := len(found) - len(shown):
        complain(f"{settled} that waited have settled since; --all shows them, too.")
    if not shown:
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "change", "employee", "state", "code", "reason"):
        table.add_column(title, overflow="fold")
    for one in shown:
        reason = one.get("reason") or {}
        named = (one.get(name) for name in ("id", "changeId", "employeeId", "state"))
        cells = (*named, reason.get("code"), reason.get("message"))
        table.add_row(*map(plain, cells))
    console().print(table)


@rejected.command("show")
def show_rejected(
    id: Annotated[str, typer.Argument(metavar="ID")], data_dir: DataDir = DEFAULT_DIR, api: Api = None
) -> None:
    """One rejection whole, with what was received and how it stands."""
    found = _one(settings_of(data_dir, api), id)
    _say_how_they_stand([found], data_dir, api)
    print_json(found)


def _say_how_they_stand(found: Sequence[dict[str, Any]], data_dir: Path, api: str | None) -> None:
    """Gives each a `state`; null where a change may wait and the directory does not answer."""
    from deploy.cli.rejections import people_who_wait, standing  # noqa: PLC0415
    from deploy.run.backlog import WAITING  # noqa: PLC0415

    people, told = {}, True
    if any((one.get("reason") or {}).get("code") in WAITING for one in found):
        try:
            people = people_who_wait(data_dir, api)
        except CommandFailed as problem:
            told = False
            complain(f"Whether they still wait cannot be told: {problem}")
    for one in found:
        state = standing(one, people)
        one["state"] = state.value if told or state == "refused" else None


@rejected.command()
def resend(
    ids: Annotated[list[str], typer.Argument(metavar="ID...")], data_dir: DataDir = DEFAULT_DIR, api: Api = None
) -> None:
    """Send what was received once more, to the topic it came by; for instance after the source was set up.

    It counts as said now: of a change that was corrected meanwhile it undoes the correction."""
    settings = settings_of(data_dir, api)
    found = _rejections(settings)
    if missing := [id for id in ids if id not in found]:
        raise CommandFailed(f"There is no rejection {missing[0]}; see `tenure hr rejected list`.")
    for id in ids:
        _publish(settings, found[id].get("topic") or _topic(False), iter([original_of(found[id])]))
    complain(f"{len(ids)} sent again.")


def original_of(rejection: dict[str, Any]) -> Record:
    """What was received, as a record. `original` is JSON; text that decodes as base64 to no JSON stands for bytes."""
    import base64  # noqa: PLC0415
    import binascii  # noqa: PLC0415

    import orjson  # noqa: PLC0415

    original = rejection.get("original")
    if isinstance(original, str):
        try:
            raw = base64.b64decode(original, validate=True)
        except (binascii.Error, ValueError):
            return record_of(orjson.dumps(original))
        return record_of(raw)
    return record_of(orjson.dumps(original))


def sources(data_dir: DataDir = DEFAULT_DIR, api: Api = None, as_json: AsJson = False) -> None:
    """The sources of people: who may say what, and how one person is recognised in several.

    Of the file that TENURE_SOURCES_FILE names here, to look at before a run reads it; else of the run."""
    found = _sources(data_dir, api)
    if as_json:
        print_json(found)
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("source", "its identities"):
        table.add_column(title)
    for one in found["sources"]:
        table.add_row(one["name"], "employee ids" if one["employeeIds"] else "its own numbers")
    out = console()
    out.print(table)
    out.print("Linked by: employee id" + "".join(f", then {name}" for name in found["correlate"]))
    for attribute, names in found["authority"].items():
        out.print(f"{attribute}: set by {', then '.join(names)}")
    if found["from"] is None:
        out.print("No run, and TENURE_SOURCES_FILE names no file: so it is without one.", style="dim")
    else:
        out.print(f"As {found['from']} says.", style="dim")


def _sources(data_dir: Path, api: str | None) -> dict[str, Any]:
    """As the API shows them, with the file or the address that says so under `from`."""
    from deploy.cli.common import read_settings  # noqa: PLC0415
    from services.directory.sources import SourcesFileError, read_sources  # noqa: PLC0415

    settings = read_settings(data_dir)
    where = str(settings.sources_file) if settings.sources_file else None
    if api or (settings.sources_file is None and _runs(data_dir)):
        with client(data_dir, api) as http:
            said = asked(http, "GET", "/v1.0/tenure/sources")
            where = f"{http.base_url}".rstrip("/")
    else:
        try:
            said = read_sources(settings.sources_file).said()
        except SourcesFileError as problem:
            raise CommandFailed(str(problem)) from None
    return {"from": where, "sources": said.pop("value"), **said}


def _runs(data_dir: Path) -> bool:
    try:
        endpoints(data_dir)
    except NothingRunning:
        return False
    return True


def _topic(urgent: bool) -> str:
    from shared.contracts import topics  # noqa: PLC0415

    return (topics.HR_URGENT if urgent else topics.HR_CHANGES).name


def _lines(file: Path) -> Iterator[bytes]:
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as problem:
        raise CommandFailed(f"{file}: {problem.strerror}.") from problem
    with stream:
        for number, line in enumerate(stream):
            # Editors put a mark before what they save as UTF-8; and leave blanks where nothing is said.
            if line := (line.removeprefix(codecs.BOM_UTF8) if number == 0 else line).strip():
                yield line


def _publish(settings: Settings, topic: str, records: Iterator[Record]) -> int:
    from aiokafka.errors import KafkaError, MessageSizeTooLargeError  # noqa: PLC0415

    from deploy.run.producing import producing  # noqa: PLC0415

    async def publish() -> int:
        sent = []
        async with producing(settings, linger_ms=5) as producer:
            for key, value in records:
                try:
                    sent.append(await producer.send(settings.topic(topic), value, key=key))
                except MessageSizeTooLargeError:
                    raise CommandFailed(
                        f"Change {len(sent) + 1}, of {len(value):,} bytes, is larger than Kafka takes. "
                        f"The {len(sent)} before it were sent; it and what follows were not."
                    ) from None
                if len(sent) % 10_000 == 0:
                    await asyncio.gather(*sent[-10_000:])
            await asyncio.gather(*sent)
        return len(sent)

    try:
        return asyncio.run(publish())
    except KafkaError as problem:
        raise CommandFailed(f"Kafka does not take it at {settings.kafka}: {type(problem).__name__}.") from problem


def _one(settings: Settings, id: str) -> dict[str, Any]:
    if (found := _rejections(settings).get(id)) is None:
        raise CommandFailed(f"There is no rejection {id}; see `tenure hr rejected list`.")
    return found


def _rejections(settings: Settings) -> dict[str, dict[str, Any]]:
    """By id: the same one may have been published twice."""
    import orjson  # noqa: PLC0415
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    from deploy.run.backlog import read_topic  # noqa: PLC0415
    from shared.contracts import topics  # noqa: PLC0415

    async def collect() -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for record in await read_topic(settings, topics.HR_REJECTED.name):
            try:
                one = orjson.loads(record.value)
                found[str(one["id"])] = one
            except (ValueError, KeyError, TypeError):
                continue
        return found

    try:
        return asyncio.run(collect())
    except KafkaError as problem:
        raise CommandFailed(f"Kafka does not answer at {settings.kafka}: {type(problem).__name__}.") from problem
