"""`tenure dead-letters list | show | replay | discard`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, complain, console, plain, print_json, settings_of
from deploy.cli.endpoints import CommandFailed

if TYPE_CHECKING:
    from deploy.run.letters import Letter, Letters
    from shared.settings import Settings

T = TypeVar("T")

dead_letters = typer.Typer(
    no_args_is_help=True,
    help="Messages that a service could not take: each is a change that has not happened yet.",
)
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them.")]
Group = Annotated[str | None, typer.Option("--group", help="Only this consumer group's.")]
All = Annotated[bool, typer.Option("--all", help="All that are open.")]
Found = list[tuple[str, "Letter"]]


@dead_letters.command("list")
def list_letters(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    group: Group = None,
    settled: Annotated[bool, typer.Option("--settled", help="Those replayed or discarded, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Which messages were set aside, and why."""
    found = [
        (of, letter)
        for of, letters in sorted(_collected(data_dir, api).items())
        for letter in letters.all.values()
        if (settled or letter.settled is None) and group in (None, of)
    ]
    if as_json:
        print_json([{"group": of} | letter.as_json() for of, letter in found])
        return
    if not found:
        complain("There are no dead letters.")
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("id", "group", "since", "times", "reason", "state"):
        table.add_column(title, overflow="fold")
    for of, letter in found:
        since = f"{letter.at:%Y-%m-%d %H:%M:%S}" if letter.at else ""
        reason = f"{letter.code}: {letter.reason[:120]}"
        table.add_row(letter.id, of, since, str(letter.times), plain(reason), plain(letter.settled or "open"))
    console().print(table)


@dead_letters.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID")],
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    group: Group = None,
) -> None:
    """One letter whole: headers, body, reason; as JSON."""
    found = _chosen(_collected(data_dir, api), [id], group, everything=False, settled=True)
    said = [{"group": of} | letter.as_json() for of, letter in found]
    print_json(said[0] if len(said) == 1 else said)


@dead_letters.command()
def replay(
    ids: Ids = None, data_dir: DataDir = DEFAULT_DIR, api: Api = None, group: Group = None, everything: All = False
) -> None:
    """Send letters on their way again, for the group that could not take them. Mend the cause first."""
    from deploy.run import mailroom  # noqa: PLC0415

    found = _chosen(_collected(data_dir, api), ids or [], group, everything=everything)
    settings = settings_of(data_dir, api)
    refused = _on_kafka(settings, mailroom.replay(settings, found))
    complain(f"{len(found) - len(refused)} replayed.")
    if refused:
        (of, letter) = refused[0]
        raise CommandFailed(
            f"{len(refused)} could not be: with what marks a replay they are larger than their topic takes, "
            f"{letter.id} of {of} first. Raise max.message.bytes of {settings.topic(letter.topic)}, or discard them."
        )


@dead_letters.command()
def discard(
    reason: Annotated[str, typer.Option("--reason", help="Why it may be given up; kept with it.")],
    ids: Ids = None,
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    group: Group = None,
    everything: All = False,
) -> None:
    """Give letters up: what they say never happens, and their people are judged as usual again."""
    from deploy.run import mailroom  # noqa: PLC0415

    if not reason.strip():
        raise CommandFailed("Say with --reason why they may be given up: it is all that is kept of it.")
    found = _chosen(_collected(data_dir, api), ids or [], group, everything=everything)
    settings = settings_of(data_dir, api)
    _on_kafka(settings, mailroom.discard(settings, found, reason))
    complain(f"{len(found)} discarded.")


def _collected(data_dir: DataDir, api: str | None) -> dict[str, Letters]:
    from deploy.run import mailroom  # noqa: PLC0415

    settings = settings_of(data_dir, api)
    return _on_kafka(settings, mailroom.collect(settings))


def _on_kafka(settings: Settings, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. Raises CommandFailed if Kafka does not do its part."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    try:
        return asyncio.run(work)
    except KafkaError as problem:
        raise CommandFailed(f"Kafka does not answer at {settings.kafka}: {type(problem).__name__}.") from problem


def _chosen(
    letters: dict[str, Letters], ids: list[str], group: str | None, *, everything: bool, settled: bool = False
) -> Found:
    """Those asked for; one id may stand for several groups' letters. Raises CommandFailed for an id nobody has."""
    if bool(ids) == everything:
        raise CommandFailed("Name the letters by their ids, or say --all.")
    there = [
        (of, letter)
        for of, some in sorted(letters.items())
        for letter in (some.all.values() if settled else some.open)
        if group in (None, of)
    ]
    if everything:
        return there
    if missing := [id for id in ids if id not in {letter.id for _, letter in there}]:
        raise CommandFailed(f"There is no open dead letter {missing[0]}; see `tenure dead-letters list`.")
    return [(of, letter) for of, letter in there if letter.id in ids]
