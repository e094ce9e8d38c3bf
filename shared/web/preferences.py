"""`Prefer`: whether a change is answered with what it made or with nothing but its success.

`return=minimal` turns the answer to a creation or a change into 204, with the new object's place in `Location` and
`OData-EntityId`; `return=representation` answers a change that would be a 204 with the object as it is now. What was
done so stands in `Preference-Applied`; where it means nothing (a list, a function's result, a refusal) the answer stays
as it is. Every creation says in `Location` where the new object is. Routes need not know. Source: OData 4.01 part 1,
8.2.8.7, 11.4.2; RFC 7240.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.telemetry.logs import get_logger
from shared.web.held import Answer, ask
from shared.web.paths import IN_PATH

log = get_logger(__name__)

_PREFERENCE = re.compile(r'\s*([\w.!#$%&\'*+^`|~-]+)\s*(?:=\s*("[^"]*"|[^\s;,"]*))?(?:[^,"]|"[^"]*")*(?:,|$)')
_OF_THE_CHANGE = {b"content-type", b"content-length", b"prefer", b"if-match", b"idempotency-key"}


def preferences(headers: Mapping[str, str]) -> dict[str, str]:
    """What a request prefers, by lower-case name; the first of each counts. Values without their quotes."""
    found: dict[str, str] = {}
    text = ",".join(headers.getlist("prefer")) if isinstance(headers, Headers) else headers.get("prefer", "")
    for name, value in _PREFERENCE.findall(text[:1024]):
        found.setdefault(name.lower(), value.strip('"'))
    return found


def prefers(request: Request, name: str) -> bool:
    """Whether a request prefers something without a value, such as `include-unknown-enum-members`."""
    return name in preferences(request.headers)


class Preferring:
    """The ASGI application around the routes that carries out `return=…`, and says where what was made is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = ""
        if scope["type"] == "http" and scope["method"] in {"POST", "PATCH", "PUT"}:
            wanted = preferences(Headers(scope=scope)).get("return", "").lower()
        makes = scope["type"] == "http" and scope["method"] == "POST"
        if not makes and wanted not in {"minimal", "representation"}:
            await self._app(scope, receive, send)
            return
        asked = dict(scope)
        answer = await ask(self._app, scope, receive=receive)
        if answer.status == 201 and "location" not in answer.headers and (place := _place(asked, answer)):
            answer.headers["Location"] = place
        if wanted == "minimal":
            _shorten(asked, answer)
        elif wanted == "representation" and answer.status == 204 and not makes:
            answer = await self._read(asked) or answer
        elif wanted == "representation" and _made_or_changed(asked, answer):
            _apply(answer, "representation")
        await answer(scope, receive, send)

    async def _read(self, scope: Scope) -> Answer | None:
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _OF_THE_CHANGE]
        try:
            found = await ask(self._app, {**scope, "method": "GET", "headers": headers})
        except Exception:
            # The change was made: what is wrong with reading it must not say otherwise.
            log.exception("what was changed could not be read", path=scope["path"])
            return None
        if found.status != 200:
            return None
        _apply(found, "representation")
        return found


def _apply(answer: Answer, preference: str) -> None:
    answer.headers["Preference-Applied"] = f"return={preference}"


def _made_or_changed(scope: Scope, answer: Answer) -> bool:
    return answer.status == 201 or (answer.status == 200 and scope["method"] != "POST")


def _shorten(scope: Scope, answer: Answer) -> None:
    if _made_or_changed(scope, answer):
        if place := answer.headers.get("location"):
            answer.headers["OData-EntityId"] = place
        for name in ("content-type", "content-length"):
            if name in answer.headers:
                del answer.headers[name]
        answer.status, answer.body = 204, b""
    if answer.status == 204:
        _apply(answer, "minimal")


def _place(scope: Scope, answer: Answer) -> str | None:
    """Where the object is found that was created in this list, by the id that its body gives."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    id = said.get("id") if isinstance(said, dict) and scope["method"] == "POST" else None
    if not isinstance(id, str):
        return None
    return f"{str(Request(scope).base_url).rstrip('/')}{quote(scope['path'], safe=IN_PATH)}/{quote(id, safe='')}"
