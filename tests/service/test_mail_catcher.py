"""The mail catcher, with real SMTP and HTTP: what was acknowledged is shown, once, and stays."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from deploy.mailcatcher import MailCatcher

MAILS = 1000


def mail(to: str, *, message_id: str, subject: str = "Access given", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Tenure <tenure@example.com>"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = "Wed, 01 Jul 2026 09:30:00 +0200"
    message["Message-ID"] = f"<{message_id}@tenure>"
    message.set_content("You have access to Łódź Finance.\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[MailCatcher]:
    catcher = MailCatcher()
    await catcher.start(tmp_path)
    yield catcher
    await catcher.stop()


async def send(catcher: MailCatcher, *mails: EmailMessage) -> None:
    async with aiosmtplib.SMTP(hostname=catcher.smtp[0], port=catcher.smtp[1], start_tls=False) as smtp:
        for one in mails:
            await smtp.send_message(one)


async def get(catcher: MailCatcher, path: str, **params: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=catcher.url) as client:
        return await client.get(path, params=params)


async def shown(catcher: MailCatcher, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await get(catcher, "/messages", **params)).raise_for_status().json()
    return found


async def test_a_mail_is_shown_with_everything_in_it(catcher: MailCatcher) -> None:
    await send(catcher, mail("Ana.Kovac@example.com", message_id="a", subject="Zugang für Žofia", html="<b>Łódź</b>"))
    (one,) = await shown(catcher, to="ana.kovac@EXAMPLE.com")
    assert one.pop("receivedAt")
    headers = one.pop("headers")
    assert one == {
        "id": "1",
        "messageId": "<a@tenure>",
        "from": "tenure@example.com",
        "to": ["Ana.Kovac@example.com"],
        "subject": "Zugang für Žofia",
        "date": "2026-07-01T07:30:00+00:00",
        "text": "You have access to Łódź Finance.\n",
        "html": "<b>Łódź</b>\n",
        "repeats": 0,
    }
    assert headers["From"] == "Tenure <tenure@example.com>"
    assert (await get(catcher, "/messages/1")).json()["subject"] == "Zugang für Žofia"


async def test_mails_are_listed_by_recipient_in_order_of_arrival(catcher: MailCatcher) -> None:
    await send(catcher, *(mail(f"{who}@example.com", message_id=f"{who}{n}") for n in range(3) for who in ("a", "b")))
    assert [one["messageId"] for one in await shown(catcher, to="b@example.com")] == [
        "<b0@tenure>",
        "<b1@tenure>",
        "<b2@tenure>",
    ]
    assert len(await shown(catcher)) == 6
    assert [one["id"] for one in await shown(catcher, after="2", limit="2")] == ["3", "4"]
    assert await shown(catcher, to="nobody@example.com") == []


async def test_a_mail_that_came_twice_is_one_mail_with_a_count(catcher: MailCatcher) -> None:
    twice, other = mail("a@example.com", message_id="x"), mail("b@example.com", message_id="x")
    await send(catcher, twice, twice, other, twice)
    assert [(one["to"], one["repeats"]) for one in await shown(catcher)] == [
        (["a@example.com"], 2),
        (["b@example.com"], 0),
    ]
    assert (await get(catcher, "/status")).json() == {"mails": 2, "repeats": 2}


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    first = MailCatcher()
    await first.start(tmp_path)
    await send(first, *(mail("a@example.com", message_id=str(n % 5)) for n in range(8)))
    before = await shown(first)
    await first.stop()
    # A process killed in the middle of a line leaves half of one behind.
    with (tmp_path / "mails.jsonl").open("ab") as file:
        file.write(b'{"id":6,"to":["a@exam')

    again = MailCatcher()
    await again.start(tmp_path)
    assert await shown(again) == before
    await send(again, mail("a@example.com", message_id="new"))
    assert [one["id"] for one in await shown(again, to="a@example.com")] == ["1", "2", "3", "4", "5", "6"]
    await again.stop()


async def test_mails_can_be_thrown_away_and_ids_go_on(catcher: MailCatcher) -> None:
    await send(catcher, mail("a@example.com", message_id="1"))
    async with httpx.AsyncClient(base_url=catcher.url) as client:
        assert (await client.delete("/messages")).status_code == 204
    await send(catcher, mail("a@example.com", message_id="1"))
    (one,) = await shown(catcher)
    assert (one["id"], one["repeats"]) == ("2", 0)


async def test_a_mail_that_is_no_proper_mail_is_shown_all_the_same(catcher: MailCatcher) -> None:
    async with aiosmtplib.SMTP(hostname=catcher.smtp[0], port=catcher.smtp[1], start_tls=False) as smtp:
        await smtp.sendmail("x@example.com", ["a@example.com"], b"Subject: \xff\xfe\r\nDate: never\r\n\r\n\xff body")
        await smtp.sendmail(
            "x@example.com", ["a@example.com"], b'Content-Type: text/plain; charset="no-such"\r\n\r\nbody'
        )
        await smtp.sendmail("x@example.com", ["a@example.com"], b"")
    assert len(await shown(catcher)) == 3
    assert (await get(catcher, "/")).status_code == 200


async def test_any_user_may_log_in(catcher: MailCatcher) -> None:
    async with aiosmtplib.SMTP(
        hostname=catcher.smtp[0], port=catcher.smtp[1], start_tls=False, username="u", password="p"
    ) as smtp:
        await smtp.send_message(mail("a@example.com", message_id="1"))
    assert catcher.count == 1


async def test_pages_show_a_mail_and_run_nothing_of_it(catcher: MailCatcher) -> None:
    script = "<script>alert(1)</script>"
    await send(catcher, mail("a@example.com", message_id="1", subject=script, html=f"<p>Hello</p>{script}"))
    index, one, html = [await get(catcher, path) for path in ("/", "/mails/1", "/mails/1/html")]

    assert script not in index.text + one.text
    assert "&lt;script&gt;" in index.text
    assert "iframe sandbox title" in one.text
    for page in (index, one):
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
        assert "http" not in page.text.replace("http-equiv", "")
    assert html.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert "Łódź" in one.text


async def test_pages_go_back_in_time(catcher: MailCatcher) -> None:
    await send(catcher, *(mail("a@example.com", message_id=str(n), subject=f"Mail {n}.") for n in range(130)))
    newest = await get(catcher, "/", to="a@example.com")
    assert "Mail 129." in newest.text
    assert "Mail 29." not in newest.text
    assert "to=a%40example.com&amp;before=31" in newest.text
    older = await get(catcher, "/", to="a@example.com", before="31")
    assert "Mail 29." in older.text
    assert "Mail 30." not in older.text


async def test_other_sites_cannot_read_or_delete_mails(catcher: MailCatcher) -> None:
    async with httpx.AsyncClient(base_url=catcher.url) as client:
        assert (await client.get("/messages", headers={"Host": "rebound.example.com"})).status_code == 400
        assert (await client.delete("/messages", headers={"Origin": "https://evil.example.com"})).status_code == 403
    assert (await get(catcher, "/messages/99")).json()["error"]["code"] == "ResourceNotFound"


async def test_many_mails_come_in_quickly_and_are_all_there(
    catcher: MailCatcher, record_testsuite_property: Callable[[str, object], None]
) -> None:
    async def sender(start: int) -> None:
        await send(catcher, *(mail(f"p{n}@example.com", message_id=str(n)) for n in range(start, MAILS, 8)))

    started = time.perf_counter()
    await asyncio.gather(*(sender(start) for start in range(8)))
    seconds = time.perf_counter() - started
    record_testsuite_property("mails_per_s", round(MAILS / seconds))  # sender and catcher in one process

    assert catcher.count == MAILS
    assert (await shown(catcher, to=f"p{MAILS - 1}@example.com"))[0]["messageId"] == f"<{MAILS - 1}@tenure>"
    assert len(await shown(catcher)) == MAILS


@asynccontextmanager
async def process(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The catcher as a process of its own, and its SMTP port."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deploy.mailcatcher", "--data-dir", str(data_dir), "--smtp-port", "0", "--http-port", "0"),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert started.stderr
        said = (await asyncio.wait_for(started.stderr.readline(), 20)).decode()
        yield started, int(said.split('"smtp":"127.0.0.1:')[1].split('"')[0])
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_alone_as_a_process_it_keeps_its_mails_when_killed_and_stops_when_asked(tmp_path: Path) -> None:
    async with process(tmp_path) as (killed, port):
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
            await smtp.send_message(mail("a@example.com", message_id="1"))
        killed.kill()
        await killed.wait()
    async with process(tmp_path) as (asked, _):
        asked.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(asked.wait(), 10) == 0
    assert (tmp_path / "mails.jsonl").read_bytes().count(b"\n") == 1
