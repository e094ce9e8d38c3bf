"""Mail over SMTP: two connections, kept open between batches."""

from __future__ import annotations

import asyncio
import binascii
import re
import socket
import time
from collections import deque
from collections.abc import Sequence
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr

import aiosmtplib

from services.notification.channels import Away, Letter, Results
from services.notification.decide import PutOff, Refused, Result, Sent
from shared.settings import Settings

CONNECTIONS = 2
TIMEOUT_S = 10.0
"""For one answer of the server."""
MAIL_S = 15.0
"""For one mail as a whole; with it a batch stays within its lease."""
BATCH_S = 12.0
"""No mail is begun later than that after its batch."""
LONGEST_LINE = 998
"""Of a mail, without its end. Source: RFC 5322, 2.1.1."""

# Nothing that ends an address or begins another header; whether it exists is for the mail server to say.
_ADDRESS = re.compile(r'[^\s@<>,;:"()\[\]\\]+@[^\s@<>,;:"()\[\]\\]+')


class MailOutlet:
    """Sends mail. Message-ID and boundary derive from the message's id, so a mail sent again is the same mail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        name, address = parseaddr(settings.smtp_sender)
        self._sender = address or "tenure@localhost"
        self._from = formataddr((name, self._sender))
        self._domain = self._sender.rpartition("@")[2]
        self._idle: list[aiosmtplib.SMTP] = []

    async def deliver(self, letters: Sequence[Letter], results: Results) -> None:
        by_recipient: dict[str, deque[Letter]] = {}
        for letter in letters:
            by_recipient.setdefault(letter.message.recipient, deque()).append(letter)
        waiting = deque(by_recipient.values())
        began = time.monotonic()
        senders = [self._send_all(waiting, results, began) for _ in range(min(CONNECTIONS, len(waiting)))]
        outcomes = await asyncio.gather(*senders, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    async def _send_all(self, waiting: deque[deque[Letter]], results: Results, began: float) -> None:
        """Each connection takes a recipient's next mail, and nobody else theirs meanwhile: they come in order."""
        connection: aiosmtplib.SMTP | None = None
        try:
            while waiting and time.monotonic() - began < BATCH_S:
                if connection is None or not connection.is_connected:
                    connection = await self._connect()
                if not waiting:  # the other connection was quicker
                    break
                theirs = waiting.popleft()
                letter = theirs.popleft()
                results[letter.message.id] = None
                results[letter.message.id] = await self._send(connection, letter)
                if theirs:
                    waiting.append(theirs)
        except Away:
            waiting.clear()
            raise
        finally:
            if connection is not None and connection.is_connected and len(self._idle) < CONNECTIONS:
                self._idle.append(connection)

    async def _connect(self) -> aiosmtplib.SMTP:
        while self._idle:
            kept = self._idle.pop()
            if kept.is_connected:
                return kept
        settings = self._settings
        password = settings.smtp_password
        connection = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            start_tls=True if settings.smtp_starttls else None,
            timeout=TIMEOUT_S,
            local_hostname=socket.gethostname(),  # else it asks the name server, and waits for it
        )
        try:
            await connection.connect()
        except (aiosmtplib.SMTPException, OSError) as problem:
            connection.close()
            raise Away(f"{type(problem).__name__}: {problem}") from problem
        return connection

    async def _send(self, connection: aiosmtplib.SMTP, letter: Letter) -> Result:
        """What became of one mail. Raises Away if it is not this mail's fault."""
        to = letter.to.mail
        if not _ADDRESS.fullmatch(to):
            return Refused("badAddress")
        options: list[str] = []
        if not to.isascii():
            if not connection.supports_extension("smtputf8"):
                return Refused("serverLacksSmtpUtf8")
            options.append("SMTPUTF8")
        try:
            async with asyncio.timeout(MAIL_S):
                await connection.sendmail(self._sender, [to], self.mime(letter), mail_options=options)
        except aiosmtplib.SMTPRecipientsRefused as problem:
            return _by_code(problem.recipients[0].code, "recipient")
        except aiosmtplib.SMTPDataError as problem:
            return _by_code(problem.code, "content")
        except aiosmtplib.SMTPSenderRefused as problem:
            # All mails have the same sender: failing one after the other would lose them all.
            raise Away(f"the server refuses our sender: {problem.code}") from problem
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as problem:
            # Perhaps this very mail breaks the connection: it is put off, so that the others are not held by it.
            connection.close()
            return PutOff(type(problem).__name__)
        return Sent()

    def message_id(self, id: str) -> str:
        """Stable: a mail that was sent twice is known by it."""
        return f"<{id}@{self._domain}>"

    def mime(self, letter: Letter) -> bytes:
        """The mail as bytes. Put together by hand, for the standard library takes about a millisecond."""
        message, text = letter.message, letter.text
        boundary = f"=_{message.id}"
        head = (
            ("From", self._from),
            ("To", letter.to.mail),
            ("Subject", _encoded(text.subject)),
            ("Date", format_datetime(message.created_at)),
            ("Message-ID", self.message_id(message.id)),
            ("List-Id", f"Tenure <notifications.{self._domain}>"),
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
            ("MIME-Version", "1.0"),
            ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
        )
        parts = [
            "".join(f"{name}: {value}\r\n" for name, value in head).encode(),
            *(_part(boundary, kind, body) for kind, body in (("plain", text.text), ("html", text.html))),
            f"--{boundary}--\r\n".encode(),
        ]
        return b"\r\n".join(parts)


def _part(boundary: str, kind: str, body: str) -> bytes:
    lines = body.splitlines()
    text = "\r\n".join(lines) + "\r\n"
    # Plain where it can be: shorter, and servers read mail line by line.
    plain = text.isascii() and all(len(line) <= LONGEST_LINE for line in lines)
    head = (
        f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {'7bit' if plain else 'quoted-printable'}\r\n\r\n"
    )
    return head.encode() + (text.encode() if plain else binascii.b2a_qp(text.encode(), istext=True))


def _encoded(subject: str) -> str:
    if subject.isascii():
        return subject
    return Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _by_code(code: int, what: str) -> Result:
    said = f"{what}:{code}"
    return Refused(said) if code >= 500 else PutOff(said)
