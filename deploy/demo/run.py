"""`tenure demo`: a company's history through everything, and the outcome checked against the history itself."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.common import DEFAULT_DIR, DataDir, complain, console, credentials, read_settings, set_up_logs
from deploy.cli.endpoints import CannotStart, CommandFailed
from deploy.files import write_whole

if TYPE_CHECKING:
    import httpx
    from rich.console import Console

    from deploy.demo.asking import Result
    from deploy.demo.reading import Outcome
    from deploy.demo.reviewed import Cast
    from deploy.demo.reviewing import Result as Reviewed
    from deploy.demo.script import Script
    from deploy.demo.settling import Progress
    from deploy.run.process import Run

_LOOK_EVERY_S = 0.5
_COUNT_EVERY_S = 10.0
_MAILS_S = 1800.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Asked:
    """What the command line said."""

    data_dir: Path
    data: Path | None
    until: date | None
    catalog: Path | None
    report: Path | None
    once: bool
    people: int
    rough: int | None
    asking: int


@dataclass
class Played:
    """What is known after the last change."""

    changes: int
    seconds: float
    outcome: Outcome
    mismatches: list[Any]
    employed: int
    judged: set[str] = field(default_factory=set)
    asked: Result | None = None
    """What came of those who asked; None if nobody did."""
    reviewed: Reviewed | None = None
    """What came of the reviews; None if there were none."""

    @property
    def is_right(self) -> bool:
        return not self.mismatches and all(one is None or one.is_right for one in (self.asked, self.reviewed))


def demo(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="A history to play: five CSV files. Default: a made one."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The last day whose changes are sent.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option("--catalog", metavar="FILE", help="Catalog file instead of one made from the data.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the outcome as JSON.")] = None,
    data_dir: DataDir = DEFAULT_DIR,
    once: Annotated[bool, typer.Option("--once", help="End after the check, instead of serving on.")] = False,
    people: Annotated[int, typer.Option("--people", min=1, help="Size of the made company.")] = 10_000,
    rough: Annotated[
        int | None, typer.Option("--rough", metavar="SEED", help="Some changes late, twice, corrected or rescinded.")
    ] = None,
    asking: Annotated[
        int, typer.Option("--asking", min=0, help="So many people ask for packages afterwards, and time goes by.")
    ] = 300,
) -> None:
    """Play a company's history through Kafka, MongoDB and all services, and check who holds what in the end.

    Then people ask for packages, others decide, and the run's clock goes forward by five weeks. Exit code 1 if anybody
    holds anything that history and requests do not call for, or lacks what they do."""
    settings = read_settings(data_dir)
    set_up_logs(settings)
    asked = Asked(data_dir, data, until.date() if until else None, catalog, report, once, people, rough, asking)
    from deploy.demo.history import HistoryError  # noqa: PLC0415
    from deploy.run.process import all_in_one, until_told  # noqa: PLC0415

    # What is wrong with any of these is said before anything starts.
    if report is not None and (report.is_dir() or not report.absolute().parent.is_dir()):
        raise CannotStart(f"{report} can be no file: there is no such folder, or it is one itself.")
    if catalog is not None:
        from deploy.cli.plan import read_file  # noqa: PLC0415

        read_file(catalog)
    if data is not None:
        try:
            _documents(data, catalog)
        except HistoryError as problem:
            raise CannotStart(str(problem)) from problem

    async def play() -> bool:
        async with all_in_one(settings, (), complain) as up:
            over = asyncio.Event()
            told = asyncio.create_task(until_told(over))
            work = asyncio.create_task(_Demo(up, asked).play())
            await asyncio.wait({told, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
                raise typer.Exit(130)
            as_it_should = await work
            if not once:
                complain(f"Serving at {up.endpoints.api}/v1.0, mails at {up.endpoints.mail}. Ctrl-C stops it.")
                await told
            over.set()
            await told
            return as_it_should

    try:
        right = asyncio.run(play())
    except HistoryError as problem:
        raise CannotStart(str(problem)) from problem
    if not right:
        raise typer.Exit(1)


class _Demo:
    def __init__(self, up: Run, asked: Asked) -> None:
        self._up = up
        self._asked = asked
        self._out: Console = console()

    async def play(self) -> bool:
        """Everything from the company to the check. True if the outcome is as it should be."""
        from deploy.demo.asking import check_note  # noqa: PLC0415

        folder = await self._company()
        until = self._asked.until
        if until is None:
            until = await asyncio.to_thread(_last_day, folder)
        check_note(self._asked.data_dir, self._asked.asking, until)
        self._same_history_as_before(folder, until)
        async with _client(self._up.endpoints.api, self._asked.data_dir) as client:
            await _reach(client, folder, until)
        self._note_history(folder, until)
        made, given = await asyncio.to_thread(_documents, folder, self._asked.catalog)
        await self._apply(given)
        played = await self._play(folder, until, made, given)
        await self._tell(played, folder, until)
        await self._ask_and_review(played, folder, until)
        if self._asked.report:
            _write_report(self._asked.report, played, until)
        if played.is_right:
            await self._show_why(played)
        return played.is_right

    async def _company(self) -> Path:
        """The folder with the history, made if none was named and none is there yet."""
        if self._asked.data is not None:
            return self._asked.data
        folder = self._asked.data_dir / "company"
        if not (folder / "made.json").exists():
            complain(f"Making up a company of {self._asked.people:,} people in {folder}")
            await _process("deploy.demo.company", str(folder), "--people", str(self._asked.people))
            write_whole(folder / "made.json", json.dumps({"people": self._asked.people}))
        if (people := json.loads((folder / "made.json").read_text())["people"]) != self._asked.people:
            raise CannotStart(
                f"{folder} holds a company of {people:,} people: say --people {people}, or choose another --data-dir."
            )
        return folder

    def _same_history_as_before(self, folder: Path, until: date) -> None:
        """Two histories in one database would be checked as one; and what was sent cannot be unsent."""
        if self._history_noted.exists():
            before = json.loads(self._history_noted.read_text())
            if before["data"] != str(folder.resolve()):
                raise CannotStart(
                    f"{self._asked.data_dir} has played {before['data']} already: choose another --data-dir."
                )
            if before["until"] > until.isoformat():
                raise CannotStart(
                    f"{self._asked.data_dir} has been sent changes up to {before['until']}: "
                    "choose a later --until, or another --data-dir."
                )

    def _note_history(self, folder: Path, until: date) -> None:
        write_whole(self._history_noted, json.dumps({"data": str(folder.resolve()), "until": until.isoformat()}))

    @property
    def _history_noted(self) -> Path:
        return self._asked.data_dir / "demo.json"

    async def _apply(self, document: Mapping[str, Any]) -> None:
        from deploy.cli import plan as planning  # noqa: PLC0415

        api = self._up.endpoints.api
        headers = credentials(self._asked.data_dir)
        found = await planning.plan(api, document, headers=headers)
        if found.is_empty:
            complain("The catalog is as it should be.")
            return
        result = await planning.apply(api, found, headers=headers)
        if not result.is_complete:
            raise CommandFailed(planning.render_result(result))
        complain(f"Catalog: {_summary(found)}")

    async def _play(self, folder: Path, until: date, made: Mapping[str, Any], given: Mapping[str, Any]) -> Played:
        from deploy.demo import checking, reading, settling, truth  # noqa: PLC0415
        from deploy.demo.packages import packages_of  # noqa: PLC0415

        progress = settling.Progress()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(_client(self._up.endpoints.api, self._asked.data_dir))
            while True:  # what a killed run left to do may keep the services busy
                with contextlib.suppress(settling.NoAnswer):
                    await settling.look(client, self._up.endpoints.mail, progress, 0)
                    break
            before, progress = progress.changes, settling.Progress()
            began = time.monotonic()
            feed = asyncio.create_task(self._feed(folder, until, progress))
            stack.callback(feed.cancel)
            settled = await self._watch(client, progress, before, feed, stack)
            seconds = settled - began
        changes = feed.result()
        outcome = await reading.read_outcome(self._up.endpoints.api, credentials(self._asked.data_dir))
        packages = await asyncio.to_thread(packages_of, folder)
        expected = await asyncio.to_thread(truth.holders_on, folder, packages, until)
        judged = checking.judged(made, given)
        wanted = {name: people for name, people in expected.items() if name in judged}
        mismatches = checking.compare("package", wanted, outcome.packages)
        mismatches += checking.compare("group", wanted, outcome.groups)
        employed = len(await asyncio.to_thread(truth.facts_on, folder, until))
        return Played(changes, seconds, outcome, mismatches, employed, judged)

    async def _feed(self, folder: Path, until: date, progress: Progress) -> int:
        """Have the sample producer publish the history, in a process of its own. Returns how many changes that are.

        What this Kafka has been given in full is not sent again. Smooth changes would be repeats that change nothing;
        but rough ones state wrong things first and correct them later, and would do so once more."""
        from deploy.demo import fed  # noqa: PLC0415
        from shared.contracts.topics import HR_CHANGES  # noqa: PLC0415

        topic = self._up.settings.topic(HR_CHANGES.name)
        note = self._asked.data_dir / "fed.json"
        stream = await asyncio.to_thread(fed.digest, folder, until, self._asked.rough)
        if (known := await fed.in_full(note, stream, self._up.endpoints.kafka, topic)) is not None:
            complain(f"Kafka holds all {known:,} changes already: nothing to send.")
            progress.sent = known
            return known
        options = [str(folder), "--kafka", self._up.endpoints.kafka, "--until", until.isoformat()]
        options += ["--topic", topic]
        if self._asked.rough is not None:
            options += ["--rough", str(self._asked.rough)]
        said = await _process("deploy.demo.hr_feed", *options)
        progress.sent = int(said.split()[0])
        await fed.note_down(note, stream, progress.sent, self._up.endpoints.kafka, topic)
        return progress.sent

    async def _watch(
        self,
        client: httpx.AsyncClient,
        progress: Progress,
        before: int,
        feed: asyncio.Task[int],
        stack: AsyncExitStack,
    ) -> float:
        """Show how it goes until all is settled, mails too. Returns the (monotonic) time when the access was."""
        from rich.live import Live  # noqa: PLC0415

        from deploy.demo import settling, view  # noqa: PLC0415

        show: Callable[[str], None]
        if self._out.is_terminal:
            frames = stack.enter_context(Live(console=self._out, refresh_per_second=4, transient=True))

            def show(stage: str) -> None:
                frames.update(view.live(progress, stage))
        else:
            said = 0.0

            def show(stage: str) -> None:
                nonlocal said
                if time.monotonic() - said > 5.0:
                    said = time.monotonic()
                    complain(view.plain(progress, stage))

        counting = asyncio.create_task(_count_now_and_then(client, progress))
        stack.callback(counting.cancel)
        settled = 0.0
        quiet = False
        while True:
            if fed := feed.done():
                feed.result()
            try:
                await settling.look(client, self._up.endpoints.mail, progress, before)
            except settling.NoAnswer:
                quiet = False
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            show("Playing" if not settled else "Waiting for the mails")
            if fed and not settled:
                # Twice in a row: a timer may have had its hands on something at the first look.
                if progress.quiet and quiet and await settling.nothing_under_way(client):
                    settled = time.monotonic()
                quiet = progress.quiet
            if settled and (progress.mails_waiting == 0 or time.monotonic() - settled > _MAILS_S):
                self._progress = progress
                return settled
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _tell(self, played: Played, folder: Path, until: date) -> None:
        from deploy.demo import view  # noqa: PLC0415

        names = await asyncio.to_thread(_names, folder) if played.mismatches else {}
        unjudged = [name for name in played.outcome.packages if name not in played.judged]
        view.outcome(self._out, played.outcome.packages, played.outcome.groups, unjudged)
        rate = played.changes / played.seconds if played.seconds else 0.0
        mails = self._progress.mails
        self._out.print(
            f"\n{played.changes:,} HR changes until {until} became access in {played.seconds:.1f} s: {rate:,.0f}/s"
            + (f"; {mails:,} mails" if mails is not None else "")
            + "."
        )
        if self._progress.dead_letters:
            self._out.print(f"[red]{self._progress.dead_letters} dead letters: see `tenure dead-letters list`.[/red]")
        view.verdict(self._out, played.mismatches, names, len(played.judged), played.employed)

    @property
    def _beside_report(self) -> Path:
        """Where the evidence of the reviews is written."""
        return (self._asked.report.parent if self._asked.report else self._asked.data_dir) / "evidence"

    async def _ask_and_review(self, played: Played, folder: Path, until: date) -> None:
        """What is reviewed is there before time goes by, so that it has been used or not by then."""
        from deploy.demo import asking, view  # noqa: PLC0415
        from deploy.demo.callers import Callers  # noqa: PLC0415
        from deploy.demo.reviewing import Note, Reviews  # noqa: PLC0415
        from shared.contracts.topics import SIGN_INS  # noqa: PLC0415

        data_dir, up = self._asked.data_dir, self._up
        reviews: Reviews | None = None
        async with _client(up.endpoints.api, data_dir) as client:
            wanted = self._asked.asking and up.endpoints.issuer is not None and not asking.moved_on(data_dir, until)
            cast = await asyncio.to_thread(_cast, folder, until) if wanted else None
            to = up.endpoints.kafka, up.settings.topic(SIGN_INS.name)
            if cast is not None and asking.Note.read(data_dir) and not Note.read(data_dir).began:
                complain("Nothing is reviewed: the weeks in which it would have been used have gone by already.")
            elif cast is not None:
                reviews = await Reviews.of(client, Callers.of(up.endpoints, data_dir), data_dir, cast)
                await reviews.prepare(self._apply, *to)
            played.asked = await self._ask(folder, until)
            if reviews is None:
                return
            complain("Managers and owners review what a department, guests, a team and an application's users have.")
            began = time.monotonic()
            played.reviewed = await reviews.play(*to)
            played.reviewed.differences.extend(await reviews.evidence(self._beside_report))
        view.reviews(self._out, played.reviewed, time.monotonic() - began, self._beside_report)

    async def _ask(self, folder: Path, until: date) -> Result | None:
        """People ask and decide and time goes by; what came of it, shown and compared. None if nobody asks."""
        from deploy.demo import asking, view  # noqa: PLC0415
        from deploy.demo.callers import Callers  # noqa: PLC0415

        data_dir = self._asked.data_dir
        if self._asked.asking == 0:
            return None
        if self._up.endpoints.issuer is None:
            complain("Nobody asks for packages: that needs the clock and the tokens of a run with servers of its own.")
            return None
        if asking.moved_on(data_dir, until):
            complain("People have asked before; the history has gone on since, and so it is not looked at again.")
            return None
        script = await asyncio.to_thread(_script, folder, until, self._asked.asking)
        if not script.wishes:
            return None
        complain(f"{len(script.wishes):,} wishes: people ask, managers and owners decide, and five weeks go by.")
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(_client(self._up.endpoints.api, data_dir))
            show = view.showing_wishes(stack, self._out, script, complain)
            note = asking.Note.read(data_dir) or asking.Note(self._asked.asking, until.isoformat(), "")
            callers = Callers.of(self._up.endpoints, data_dir)
            result = await asking.play(client, callers, data_dir, script, note, self._apply, show)
        names = {} if result.is_right else await asyncio.to_thread(_names, folder)
        view.wishes(self._out, result, names, time.monotonic() - began)
        return result

    async def _show_why(self, played: Played) -> None:
        """One answer to 'why', and one to 'who had what when', with the command that gives it."""
        held = next(((name, people) for name, people in played.outcome.packages.items() if people), None)
        if held is None:
            return
        name, people = held
        async with _client(self._up.endpoints.api, self._asked.data_dir) as client:
            person, now = str(people[0]), f"{await _now(client):%Y-%m-%dT%H:%M:%SZ}"
        # A name that begins like an option has to be told from one.
        named = ["--", name] if name.startswith("-") else [name]
        for command, *arguments in (["explain", person, *named], ["access", person, "--at", now]):
            self._out.print(f"\n$ tenure {shlex.join([command, *arguments])}", style="bold", markup=False)
            complete = [command, "--data-dir", str(self._asked.data_dir), *arguments]
            try:
                self._out.print((await _process("deploy.cli", *complete)).rstrip(), markup=False)
            except CommandFailed as problem:
                complain(str(problem))


async def _count_now_and_then(client: httpx.AsyncClient, progress: Progress) -> None:
    from deploy.demo import settling  # noqa: PLC0415

    while True:
        with contextlib.suppress(settling.NoAnswer):
            await settling.count(client, progress)
        await asyncio.sleep(_COUNT_EVERY_S)


async def _reach(client: httpx.AsyncClient, folder: Path, until: date) -> None:
    """Put the run's clock to the last day that is played: what lies ahead of it would not have come true.

    Raises CannotStart for a day that it cannot be put to."""
    from deploy.run.clock import PATH as CLOCK  # noqa: PLC0415

    if (now := await _now(client)).date() >= until:
        return
    last = min(until, await asyncio.to_thread(_last_day, folder))
    if now >= (day := datetime.combine(last, datetime.min.time(), UTC)):
        return
    complain(f"{last} lies ahead: the run's clock is put forward to it.")
    if (answer := await client.post(CLOCK, json={"to": day.isoformat()}, timeout=None)).is_error:
        raise CannotStart(f"{last} lies ahead. {answer.json()['error']['message']} Choose an earlier --until.")


async def _now(client: httpx.AsyncClient) -> datetime:
    """What time it is for the run."""
    from deploy.run.clock import PATH as CLOCK  # noqa: PLC0415

    return datetime.fromisoformat((await client.get(CLOCK)).raise_for_status().json()["now"])


def _client(api: str, data_dir: Path) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415

    return httpx.AsyncClient(base_url=api, timeout=60, trust_env=False, headers=credentials(data_dir))


def _documents(folder: Path, catalog: Path | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The catalog made from the history, and the one to apply."""
    import yaml  # noqa: PLC0415

    from deploy.demo.catalog import document  # noqa: PLC0415

    made = document(folder)
    if catalog is None:
        return made, made
    try:
        given = yaml.safe_load(catalog.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise CannotStart(f"{catalog}: {problem}") from problem
    if not isinstance(given, dict):
        raise CannotStart(f"{catalog} describes no catalog: it has to be an object with groups and catalogs.")
    return made, given


def _script(folder: Path, until: date, asking: int) -> Script:
    from deploy.demo.history import read_company  # noqa: PLC0415
    from deploy.demo.script import colleagues, script  # noqa: PLC0415

    return script(colleagues(read_company(folder), until), asking)


def _cast(folder: Path, until: date) -> Cast | None:
    from deploy.demo.history import read_company  # noqa: PLC0415
    from deploy.demo.reviewed import Employee, cast  # noqa: PLC0415
    from deploy.demo.script import colleagues  # noqa: PLC0415

    company = read_company(folder)
    found: dict[int, Employee] = {}
    for number, manager in colleagues(company, until).items():
        person = company.people[number]
        departments = [spell.name for spell in person.departments if spell.covers(until)]
        titles = [spell.name for spell in person.titles if spell.covers(until)]
        found[number] = Employee(departments[-1], titles[-1] if titles else None, manager)
    return cast(found)


def _last_day(folder: Path) -> date:
    from deploy.demo.history import last_day  # noqa: PLC0415

    return last_day(folder)


def _names(folder: Path) -> dict[int, str]:
    from deploy.demo.history import read_company  # noqa: PLC0415

    return {one.emp_no: f"{one.first_name} {one.last_name}" for one in read_company(folder).people.values()}


def _write_report(file: Path, played: Played, until: date) -> None:
    report = {
        "until": until.isoformat(),
        "people": played.employed,
        "packages": played.outcome.packages,
        "groups": played.outcome.groups,
        "changes": played.changes,
        "seconds": round(played.seconds, 3),
        "mismatches": [one.as_json() for one in played.mismatches],
        "requests": played.asked.as_json() if played.asked else None,
        "reviews": played.reviewed.as_json() if played.reviewed else None,
    }
    write_whole(file, json.dumps(report, ensure_ascii=False, indent=1) + "\n")


async def _process(module: str, *arguments: str) -> str:
    """What a module prints, run in a process of its own that dies with this one. Raises CommandFailed."""
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_us() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_us,
        start_new_session=True,  # Ctrl-C is for us
    )
    try:
        out, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines() or ["no word why"]
        raise CommandFailed(f"{module} ended with {process.returncode}: {last[-1]}")
    return out.decode()


def _summary(plan: Any) -> str:
    from deploy.cli.applying.showing import summary  # noqa: PLC0415

    return summary(plan)
