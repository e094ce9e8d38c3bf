"""The HTTP side: JSON for tests, plain pages for people.

A mail is other people's text: pages escape it, and its HTML is shown in a sandboxed frame that may load nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from deploy.mailcatcher.mailbox import Mailbox
from shared.web.errors import NotFound

_PAGE = 100
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_PAGES = {
    **_COMMON,
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}
_MAIL = {
    **_COMMON,
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
}


def router(mailbox: Mailbox) -> APIRouter:
    """Routes over `mailbox`."""
    routes = APIRouter()

    def read(mail_id: str) -> dict[str, object]:
        mail = mailbox.read(int(mail_id)) if mail_id.isascii() and mail_id.isdigit() and len(mail_id) < 16 else None
        if mail is None:
            raise NotFound(f"There is no mail {mail_id[:32]}.")
        return mail

    @routes.get("/messages")
    async def messages(
        to: Annotated[str | None, Query(description="Only mails to this address.")] = None,
        after: Annotated[int, Query(ge=0, description="Only mails with a greater id.")] = 0,
        limit: Annotated[int | None, Query(ge=1, description="At most so many, the oldest ones.")] = None,
    ) -> Response:
        """Mails in order of arrival."""
        return StreamingResponse(_list(mailbox, mailbox.ids(to, after)[:limit]), media_type="application/json")

    @routes.get("/messages/{mail_id}")
    async def message(mail_id: str) -> Response:
        """One mail."""
        return JSONResponse(read(mail_id), headers=_COMMON)

    @routes.delete("/messages", status_code=204)
    async def clear() -> None:
        """Throw all mails away."""
        mailbox.clear()

    @routes.get("/status")
    async def status() -> dict[str, int]:
        """How many mails there are, and how many came again."""
        return {"mails": len(mailbox), "repeats": mailbox.repeats}

    @routes.get("/", include_in_schema=False)
    async def index(to: str = "", before: Annotated[int | None, Query(ge=0)] = None) -> Response:
        ids = mailbox.ids(to or None)
        if before is not None:
            ids = [one for one in ids if one < before]
        mails = [mail for one in reversed(ids[-_PAGE:]) if (mail := mailbox.read(one))]
        page = _templates.get_template("index.html").render(
            mails=mails, to=to, total=len(ids), older=ids[-_PAGE] if len(ids) > _PAGE else None
        )
        return HTMLResponse(page, headers=_PAGES)

    @routes.get("/mails/{mail_id}", include_in_schema=False)
    async def one(mail_id: str) -> Response:
        return HTMLResponse(_templates.get_template("mail.html").render(mail=read(mail_id)), headers=_PAGES)

    @routes.get("/mails/{mail_id}/html", include_in_schema=False)
    async def html(mail_id: str) -> Response:
        return HTMLResponse(str(read(mail_id)["html"] or ""), headers=_MAIL)

    @routes.get("/style.css", include_in_schema=False)
    async def style() -> Response:
        text = (Path(__file__).parent / "templates" / "style.css").read_text()
        return Response(text, media_type="text/css", headers=_COMMON)

    return routes


async def _list(mailbox: Mailbox, ids: list[int]) -> AsyncIterator[bytes]:
    # Mails are parsed when they are asked for; in pieces, so that tens of thousands do not stop the mail coming in.
    yield b"["
    first = True
    for start in range(0, len(ids), 50):
        mails = [mail for one in ids[start : start + 50] if (mail := mailbox.read(one))]
        if mails:
            yield (b"" if first else b",") + orjson.dumps(mails)[1:-1]
            first = False
        await asyncio.sleep(0)
    yield b"]"
