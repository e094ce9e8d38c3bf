"""How rejections stand: refused for good, still waiting for what somebody else has to say, or settled since.

A rejection that says 'not yet' stays in its topic when what it waits for has come; the directory alone knows, and tells
by the people who wait (`GET /v1.0/tenure/people?waiting=true`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.cli.common import asked, client
from deploy.run.backlog import WAITING

if TYPE_CHECKING:
    import httpx

PEOPLE = "/v1.0/tenure/people?waiting=true&$top=999"


class Standing(StrEnum):
    """How one rejection stands now."""

    REFUSED = "refused"
    """It waits for nothing: its source has to send something else."""
    WAITING = "waiting"
    SETTLED = "settled"
    """What it waited for has come, or does not matter any more. Nobody has to do anything."""


def people_who_wait(data_dir: Path, api: str | None) -> dict[str, Mapping[str, Any]]:
    """Everyone who waits for a manager, their joining or a human's word, by each of their identities.

    Raises what `asked` raises."""
    with client(data_dir, api) as http:
        return {f"{one['source']}:{one['id']}": person for person in _all(http) for one in person["identities"]}


def _all(http: httpx.Client) -> Iterable[Mapping[str, Any]]:
    import httpx  # noqa: PLC0415

    path: str | None = PEOPLE
    while path:
        body = asked(http, "GET", path)
        yield from body["value"]
        # Behind a proxy the link may name another host: its path and query are what counts.
        link = body.get("@odata.nextLink")
        path = httpx.URL(link).raw_path.decode() if link else None


def standing(rejection: Mapping[str, Any], waiting: Mapping[str, Mapping[str, Any]]) -> Standing:
    """`waiting`: people who wait, by identity."""
    code = (rejection.get("reason") or {}).get("code")
    if code not in WAITING:
        return Standing.REFUSED
    source = rejection.get("source")
    person = waiting.get(f"{source}:{rejection.get('employeeId')}")
    if person is None:
        return Standing.SETTLED
    if code == "managerUnknown":
        waits_for, named = person["waitsForManager"], _manager_in(rejection.get("original"))
        waits = waits_for is not None and named in (None, waits_for.removeprefix(f"{source}:"))
    else:
        waits = person["status"] == "expected"
    return Standing.WAITING if waits else Standing.SETTLED


def _manager_in(original: Any) -> str | None:
    """Whom the change named, if it can be read off: not of a CloudEvent that carries it as base64."""
    said = original.get("data", original) if isinstance(original, dict) else None
    attributes = said.get("attributes") if isinstance(said, dict) else None
    named = attributes.get("managerEmployeeId") if isinstance(attributes, dict) else None
    return named if isinstance(named, str) else None
