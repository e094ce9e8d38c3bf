"""The SMTP side: takes any mail for anyone."""

import asyncio
import re
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from deploy.mailcatcher.mailbox import Mailbox

MAX_MAIL = 10 * 1024 * 1024
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_PLAIN = re.compile(rf"\s*<({_ATOM}(?:\.{_ATOM})*@[\w-]+(?:\.[\w-]+)*)>\s*(.*)", re.ASCII | re.DOTALL)
"""An address as nearly all are, and what follows it (RFC 5321, 4.1.2)."""


def plain_address(said: str) -> tuple[str, str] | None:
    """The address and what follows it, of what a client says after `MAIL FROM:` or `RCPT TO:`; None if it is not plain
    (quoted, routed, not ASCII, empty): the library reads that."""
    plain = _PLAIN.fullmatch(said)
    return (plain[1], plain[2]) if plain else None


class _Keep:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        raw = envelope.original_content or b""
        try:
            mail_id = self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, raw)
        except OSError as error:
            return f"452 4.3.1 Not kept: {error.strerror or 'disk'}"
        return f"250 2.0.0 Kept as {mail_id}"


def _anybody(*_: Any) -> AuthResult:
    return AuthResult(success=True)


class SmtpServer:
    """Listens for mail and puts it into `mailbox`. Any user and password are right, so that settings can be tried."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._handler = _Keep(mailbox)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Returns host and port it listens on. Raises OSError if the address is taken."""
        loop = asyncio.get_running_loop()
        opened = self._open

        class Connection(SMTP):  # type: ignore[misc, unused-ignore]
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                opened.add(transport)
                super().connection_made(transport)

            def connection_lost(self, error: Exception | None) -> None:
                opened.difference_update([one for one in opened if one.is_closing()])
                super().connection_lost(error)

            def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
                # The library makes a class for each address that it reads, 5 KB that lie about until the collector
                # comes by.
                return plain_address(arg) or super()._getaddr(arg)

        def connection() -> SMTP:
            return Connection(
                self._handler,
                data_size_limit=MAX_MAIL,
                enable_SMTPUTF8=True,
                hostname="mailcatcher",  # else each connection looks its own name up
                ident="Tenure mail catcher",
                authenticator=_anybody,
                auth_require_tls=False,
                loop=loop,
            )

        self._server = await loop.create_server(connection, host, port)
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Take no more mail and drop who is connected; a sender without an answer sends again."""
        if self._server is None:
            return
        self._server.close()
        for transport in list(self._open):
            transport.close()
        await self._server.wait_closed()
        self._server = None
