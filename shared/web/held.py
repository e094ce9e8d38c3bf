"""An application asked from inside the process, and its answer held until it is whole."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Answer:
    """Status, headers and body of one answer. It can be given as an ASGI response, changed or not."""

    def __init__(self) -> None:
        self.status = 500
        self.headers = MutableHeaders()
        self.body = b""
        self.over = asyncio.Event()

    async def take(self, message: Message) -> None:
        """Stands where `send` stands."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = MutableHeaders(raw=list(message.get("headers", [])))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                self.over.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.raw})
        await send({"type": "http.response.body", "body": self.body})


async def ask(app: ASGIApp, scope: Scope, body: bytes = b"", receive: Receive | None = None) -> Answer:
    """What `app` answers to a request with this body, or with what `receive` brings. Raises what the app raises."""
    answer = Answer()
    await app(scope, receive or _bringing(body, answer.over), answer.take)
    return answer


def _bringing(body: bytes, over: asyncio.Event) -> Receive:
    brought = False

    async def receive() -> Message:
        nonlocal brought
        if brought:
            await over.wait()  # whoever streams takes a disconnect for a caller who has gone
            return {"type": "http.disconnect"}
        brought = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
