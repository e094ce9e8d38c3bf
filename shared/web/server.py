"""Serving an application inside a process with a life of its own: no signal handlers, and the port is known."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class CannotListen(OSError):
    """The address is taken, not this machine's, or not ours to take. Says which and why."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # Ctrl-C is for the whole process, and its owner stops us


class HttpServer:
    """One application on one address. `start` once, then `stop`."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end. Known from `start` on."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def start(self) -> None:
        """Listen, run the application's start-up, and return when requests are answered.

        Raises CannotListen, or RuntimeError if the application does not start (its error is logged).
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio sends at once (TCP_NODELAY) only where a socket says that it is TCP. Else an answer's body would wait
        # until the client acknowledges the head, which it does 40 ms later.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((self._host, self._port))
        except OSError as error:
            listening.close()
            raise CannotListen(f"Cannot listen on {self._host}:{self._port}: {error.strerror}.") from None
        self._port = listening.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=5,
            # Longer than clients keep a connection that they do not use: whoever closes it first must be the client, or
            # its next request meets the closing.
            timeout_keep_alive=75,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._task.done():
                listening.close()
                raise RuntimeError("The HTTP application did not start.") from self._task.exception()
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Answer what is under way, at most 5 s, run the application's shutdown, close. Harmless if never started."""
        if self._server and self._task:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None
