"""The part of the demo in which people ask: prepares it, has it played, notes how far it has come, and checks it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.cli.endpoints import CannotStart, CommandFailed
from deploy.demo import onrequest, outcomes
from deploy.demo.callers import Callers
from deploy.demo.outcomes import Difference, Found
from deploy.demo.player import Player, Stage
from deploy.demo.reading import listed
from deploy.demo.script import LAST_DAY, Script
from deploy.files import write_whole

FILE = "asked.json"
LOOK_EVERY_S = 2.0
LATE = timedelta(days=2)
"""A scene that begins later than this after its day would come out otherwise: the next dates are that near."""

Apply = Callable[[Mapping[str, Any]], Awaitable[None]]
Show = Callable[[str, Mapping[str, int]], None]
"""Told what is going on and how many wishes have come to what."""


@dataclass(frozen=True, slots=True)
class Note:
    """How far the play has come in this folder."""

    asking: int
    until: str
    began: str
    done: int = -1
    """The day of the last scene that was played to its end."""

    @classmethod
    def read(cls, folder: Path) -> Note | None:
        try:
            return cls(**json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return None

    def write(self, folder: Path) -> None:
        write_whole(folder / FILE, json.dumps({name: getattr(self, name) for name in self.__slots__}))

    @property
    def is_over(self) -> bool:
        return self.done >= LAST_DAY

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(self.began)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    asked: int
    wanted: Counter[str]
    found: Counter[str]
    differences: list[Difference]
    surprises: list[str]

    @property
    def is_right(self) -> bool:
        return not self.differences and not self.surprises

    def as_json(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "outcomes": dict(sorted(self.found.items())),
            "differences": [one.as_json() for one in self.differences],
            "surprises": self.surprises,
        }


def check_note(folder: Path, asking: int, until: date) -> None:
    """Raises CannotStart if another play was begun in this folder and is not over."""
    if (note := Note.read(folder)) is None:
        return
    if note.asking != asking:
        raise CannotStart(f"In {folder} {note.asking} people ask: say --asking {note.asking}, or another --data-dir.")
    if note.until != until.isoformat() and not note.is_over:
        raise CannotStart(
            f"In {folder} people are in the middle of asking, on the history until {note.until}: "
            f"say --until {note.until} first, or choose another --data-dir."
        )


def moved_on(folder: Path, until: date) -> bool:
    """Whether the history has gone on since the play was over: then its outcome is the script's no longer."""
    note = Note.read(folder)
    return note is not None and note.until != until.isoformat()


async def play(
    client: httpx.AsyncClient, callers: Callers, folder: Path, script: Script, note: Note, apply: Apply, show: Show
) -> Result:
    """All that is not done yet, and the check. Raises CommandFailed, CannotStart."""
    people = await _people(client, script)
    assert script.owner is not None
    await apply(onrequest.document(people[script.owner][1]))
    client.headers.update(callers.operator)
    ids = {number: id for number, (id, _) in people.items()}
    stage = Stage(await outcomes.packages_by_name(client), ids)
    player = Player(client, callers, stage)
    note = note if note.began else replace(note, began=(await player.clock()).isoformat())
    note.write(folder)

    async def found() -> Found:
        return await outcomes.read_found(client, stage.packages, ids)

    async def watched(day: int, work: Coroutine[Any, Any, None]) -> None:
        """Show how far they are until `work` is done."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                show(f"Day {day}", outcomes.counted(script, await found()))
                await asyncio.wait({task}, timeout=LOOK_EVERY_S)
            await task
        finally:
            task.cancel()

    for day in [day for day in script.days if day > note.done]:
        due = note.start + timedelta(days=day)
        if await player.clock() > due + LATE:
            raise CannotStart(
                f"The people in {folder} were left in the middle of asking for too long: choose another --data-dir."
            )
        await watched(day, player.put_clock(due))
        await watched(day, player.scene(script, day))
        note = replace(note, done=day)
        note.write(folder)
    elapsed = (await player.clock() - note.start) / timedelta(days=1)
    now = await found()
    return Result(
        asked=len(script.wishes),
        wanted=outcomes.wanted(script, elapsed),
        found=outcomes.counted(script, now),
        differences=outcomes.compare(script, now, elapsed),
        surprises=player.surprises,
    )


async def _people(client: httpx.AsyncClient, script: Script) -> dict[int, tuple[str, str]]:
    """Id and name of everybody in the script, by number. Raises CommandFailed if somebody is not in the directory."""
    named = {act.by for wish in script.wishes for act in wish.acts} | {wish.person for wish in script.wishes}
    named |= {script.owner} if script.owner is not None else set()
    found = {
        int(one["employeeId"]): (one["id"], one["userPrincipalName"])
        async for one in listed(client, "/v1.0/users", {"$select": "id,employeeId,userPrincipalName"})
        if str(one.get("employeeId") or "").isdigit() and int(one["employeeId"]) in named
    }
    if missing := named - found.keys():
        raise CommandFailed(f"The directory does not know employee {min(missing)}.")
    return found
