"""A TCP proxy that cuts the connection after a request and before its answer: whether it was done, nobody can know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards to `port`. The next `cuts` requests for which `matches` holds reach the server; their answers do not."""

    def __init__(self, port: int, matches: Callable[[bytes], bool]) -> None:
        self.cuts = 0
        self.cut = 0
        """How many were cut."""
        self.port = 0
        self._target = port
        self._matches = matches
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self._target)
        answers = asyncio.create_task(self._answers(there, writer))
        self._tasks.add(answers)
        try:
            while data := await reader.read(1 << 20):
                if self.cuts and self._matches(data):
                    self.cuts -= 1
                    self.cut += 1
                    answers.cancel()
                    out.write(data)
                    await out.drain()
                    # A large request comes in pieces: the server has it once it answers.
                    while not (await asyncio.wait([more := asyncio.create_task(reader.read(1 << 20))], timeout=0.1))[1]:
                        out.write(more.result())
                    more.cancel()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(there.read(1 << 20), 2)
                    break
                out.write(data)
                await out.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answers.cancel()
            self._tasks.discard(answers)
            writer.close()
            out.close()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await there.read(1 << 20):
                writer.write(data)
                await writer.drain()
            writer.close()


@asynccontextmanager
async def cutting(port: int, matches: Callable[[bytes], bool]) -> AsyncIterator[Proxy]:
    proxy = Proxy(port, matches)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 22)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
