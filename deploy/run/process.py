"""What runs in this process and for how long: the all-in-one run, or one service alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.cli.endpoints import FILE, LOCK, CannotStart, Endpoints, endpoints, write
from deploy.embedded import EmbeddedError, Server, servers
from deploy.embedded.folder import Folder
from deploy.mailcatcher import MailCatcher
from deploy.run import peers, registry
from deploy.run.clock import RunClock
from deploy.run.front import application
from deploy.run.identity import check_callers, issuer_joined, own_issuer, unasked
from deploy.run.interpreter import at_work, hand_over_soon, use_one_heap
from deploy.run.joined_settings import half_named, joined, servers_named, with_values
from deploy.run.lock import hold
from shared.messaging.admin import create_topics
from shared.messaging.errors import GivenUp, MayPass, StateLost
from shared.messaging.host import Host, groups_of
from shared.settings import NotLocalError, Settings
from shared.storage.database import NotAReplicaSet, WrongAddress
from shared.telemetry.logs import get_logger
from shared.web.server import CannotListen, HttpServer

log = get_logger(__name__)

Say = Callable[[str], None]
READY_S = 120.0
"""A fresh folder on a slow machine takes some 30 s."""


@dataclass(frozen=True)
class Run:
    """What is up."""

    endpoints: Endpoints
    host: Host
    without: tuple[str, ...]
    settings: Settings


def silent(_: str) -> None:
    """Says nothing."""


@asynccontextmanager
async def all_in_one(settings: Settings, without: Collection[str] = (), say: Say = silent) -> AsyncIterator[Run]:
    """Servers (unless named), topics, mail catcher, all services but `without`, one HTTP application; then
    endpoints.json, until left.

    Raises CannotStart with a reason in words; NotLocalError for an address that others reach."""
    data_dir = settings.data_dir
    use_one_heap()
    hand_over_soon()
    embedded = not servers_named(settings)
    check_callers(settings, embedded=embedded)
    if warning := unasked(settings):
        say(warning)
    registry.check(without)  # an unknown name is said before anything starts
    with _telling_why():
        async with AsyncExitStack() as stack:
            loading = asyncio.create_task(asyncio.to_thread(registry.assemblies, without))  # while the servers start
            settings = await _with_servers(stack, settings, say)
            # The embedded servers hold the folder and name who else does; without them this lock says it.
            if not stack.enter_context(hold(data_dir / LOCK)):
                raise CannotStart(f"Another run serves {data_dir}: stop it, or choose another folder with --data-dir.")
            (data_dir / FILE).unlink(missing_ok=True)
            settings = await _with_mail_and_ports(stack, settings)
            clock = _clock(settings, data_dir) if embedded else None
            host = Host(settings, await loading, clock)
            elsewhere = registry.assembled(settings, without)
            say("Making topics")
            await create_topics(settings, groups_of([*host.services.values(), *elsewhere.values()]))
            say("Starting the services")
            if clock is not None:
                clock.when_turned = host.look_at_dates
            if host.services:  # else this is the front alone, which leads to services in other processes
                await stack.enter_async_context(host)
            issuer = own_issuer(settings, data_dir) if embedded else None
            http = HttpServer(
                application(settings, host, elsewhere, data_dir, issuer, clock),
                settings.http_host,
                settings.http_port,
            )
            await http.start()
            stack.push_async_callback(http.stop)
            await _until_ready(host)
            await stack.enter_async_context(at_work())
            found = Endpoints(
                api=http.url,
                kafka=settings.kafka,
                mongo=settings.mongo.get_secret_value(),
                mail=settings.mail_url,
                pid=os.getpid(),
                smtp=f"{settings.smtp_host}:{settings.smtp_port}",
                namespace=settings.namespace,
                issuer=issuer.name if issuer else None,
                audience=settings.auth_audience,
                auth=settings.auth,
            )
            write(data_dir, found)
            stack.callback((data_dir / FILE).unlink, missing_ok=True)
            yield Run(found, host, tuple(without), settings)


@asynccontextmanager
async def alone(
    settings: Settings, name: str, data_dir: Path | None, say: Say = silent, *, another: bool = False
) -> AsyncIterator[str]:
    """One service in this process, with its routes on an address of its own, which is yielded.

    With `data_dir` it joins that run and can be found by it: as the one process of its name, or as `another` beside
    them. Raises CannotStart, NothingRunning, NotLocalError."""
    use_one_heap()
    hand_over_soon()
    assemble = registry.assembly(name)
    issuer = None
    if data_dir is not None:
        run = endpoints(data_dir, by_api=False)
        settings = joined(settings, run)
        issuer = issuer_joined(data_dir, run.issuer)
    check_callers(settings, embedded=issuer is not None)
    if warning := unasked(settings):
        say(warning)
    with _telling_why():
        async with AsyncExitStack() as stack:
            seat = stack.enter_context(peers.seat(data_dir, name, another=another)) if data_dir is not None else 0
            say(f"Starting {name}")
            # A clock that was never turned is the machine's, so any run's will do.
            clock = _clock(settings, data_dir) if data_dir is not None else None
            host = await stack.enter_async_context(Host(settings, {name: assemble}, clock))
            http = HttpServer(application(settings, host, {}, None, issuer), settings.http_host, settings.http_port)
            await http.start()
            stack.push_async_callback(http.stop)
            await _until_ready(host)
            await stack.enter_async_context(at_work())
            if data_dir is not None:
                peers.register(data_dir, name, http.url, seat)
            if (file := settings.address_file) is not None:
                file.write_text(http.url + "\n")
                stack.callback(file.unlink, missing_ok=True)
            yield http.url


def _clock(settings: Settings, data_dir: Path) -> RunClock:
    return RunClock(data_dir, timedelta(seconds=settings.clock_offset_s))


async def until_told(over: asyncio.Event | None = None) -> None:
    """Wait for Ctrl-C, SIGTERM or `over`."""
    over = over or asyncio.Event()
    loop = asyncio.get_running_loop()
    for asked in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(asked, over.set)
    await over.wait()


@contextlib.contextmanager
def _telling_why() -> Iterator[None]:
    try:
        yield
    except (EmbeddedError, NotAReplicaSet, NotLocalError, StateLost, WrongAddress) as problem:
        raise CannotStart(str(problem)) from problem
    except CannotListen as problem:
        raise CannotStart(f"{problem} TENURE_HTTP_HOST and TENURE_HTTP_PORT say where.") from problem
    except OSError as problem:
        if problem.filename is None:
            raise
        raise CannotStart(
            f"{problem.filename}: {problem.strerror}. A run keeps all it has in its folder: name one that can be "
            "written to with --data-dir."
        ) from problem
    except (MayPass, GivenUp) as problem:
        # Who gave up says where in our code it was; what was the matter is its cause.
        why = problem.__cause__ if isinstance(problem, GivenUp) and problem.__cause__ else problem
        raise CannotStart(f"A server does not answer as it should. {why}") from problem


async def _with_servers(stack: AsyncExitStack, settings: Settings, say: Say) -> Settings:
    if servers_named(settings):
        say(f"Using Kafka at {settings.kafka} and the MongoDB that TENURE_MONGO names")
        return settings
    if warning := half_named(settings):
        say(warning)
    both = await stack.enter_async_context(
        servers(
            settings.data_dir,
            kafka_heap_mb=settings.kafka_heap_mb,
            mongo_cache_mb=settings.mongo_cache_mb,
            progress=say,
        )
    )
    watch = asyncio.create_task(_keep_up([both.kafka, both.mongo]))
    stack.push_async_callback(_cancelled, watch)
    return with_values(settings, kafka=both.endpoints.kafka, mongo=both.endpoints.mongo)


async def _keep_up(both: Sequence[Server], first_pause_s: float = 1.0, longest_pause_s: float = 30.0) -> None:
    """Start a server again that ended by itself, or was killed: its data is there, and the services wait for it.

    What keeps it from starting may pass, such as a full disk: it is tried again and again."""

    async def one(server: Server) -> None:
        while True:
            code = await server.wait()
            log.error("a server has ended and is started again", server=server.name, code=code)
            pause = first_pause_s
            while True:
                await asyncio.sleep(pause)
                try:
                    await server.start()
                except (EmbeddedError, OSError) as problem:
                    pause = min(pause * 2, longest_pause_s)
                    # Without the end of its log that may follow: a database logs what it was asked.
                    what = str(problem).partition("\n")[0]
                    log.error("a server does not start", server=server.name, problem=what, next_try_s=pause)
                else:
                    log.info("a server is there again", server=server.name)
                    break

    await asyncio.gather(*(one(server) for server in both))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, EmbeddedError):
        await task


async def _with_mail_and_ports(stack: AsyncExitStack, settings: Settings) -> Settings:
    """The mail catcher, unless the operator names a mail server; and a port for the API, the same as last time."""
    catches = not {"smtp_host", "smtp_port", "mail_url"} & settings.model_fields_set
    wanted = {"api": settings.http_port or None} | ({"smtp": None, "mail": None} if catches else {})
    ports = Folder(settings.data_dir).choose_ports(wanted)
    if catches:
        catcher = MailCatcher()
        await catcher.start(settings.data_dir / "mails", ports["smtp"], ports["mail"])
        stack.push_async_callback(catcher.stop)
        host, port = catcher.smtp
        settings = with_values(settings, smtp_host=host, smtp_port=port, mail_url=catcher.url)
    api = settings.api_url or f"http://{settings.http_host}:{ports['api']}"
    return with_values(settings, http_port=ports["api"], api_url=api)


async def _until_ready(host: Host) -> None:
    deadline = asyncio.get_running_loop().time() + READY_S
    while not host.ready:
        if asyncio.get_running_loop().time() > deadline:
            raise CannotStart(f"Not ready after {READY_S:.0f} s: {host.troubles()}")
        await asyncio.sleep(0.02)
