"""What `tenure plan`, `tenure apply`, `tenure export` and the demo call."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from deploy.cli.applying.difference import Plan, difference
from deploy.cli.applying.document import Document, DocumentWrong, document_of, read_file, users_of
from deploy.cli.applying.exporting import as_yaml, exported
from deploy.cli.applying.making import Result, make
from deploy.cli.applying.present import ApiFailed, read_present
from deploy.cli.applying.showing import plan_as_json, render, render_result, result_as_json

ANSWER_S = 120.0
MOST_ROUNDS = 6
"""How often what others made meanwhile is planned anew: what lies in what they made comes a round later."""
PAUSE_S = 0.2

Headers = Mapping[str, str] | None
"""That say who asks; None: whoever sits at this machine."""


async def plan(
    api_url: str, document: Document | Mapping[str, Any], *, file: str = "catalog.yaml", headers: Headers = None
) -> Plan:
    """Compare `document` with what is at `api_url`. Plain values are checked first, under the name `file`.

    Raises DocumentWrong (with every problem, its line and path) and ApiFailed."""
    wanted = document if isinstance(document, Document) else document_of(document, file)
    async with client(api_url, headers) as api:
        return await _plan(api, wanted)


async def _plan(api: httpx.AsyncClient, document: Document) -> Plan:
    return difference(document, await read_present(api, users_of(document.contents)), lambda: str(uuid.uuid4()))


async def export(api_url: str, name: str | None = None, *, headers: Headers = None) -> str:
    """What is at `api_url`, as a file (YAML) of that name. Raises ApiFailed."""
    async with client(api_url, headers) as api:
        return as_yaml(exported(await read_present(api), name))


async def apply(api_url: str, plan: Plan, document: Document | None = None, *, headers: Headers = None) -> Result:
    """Make it so. The same plan twice is harmless. Raises ApiFailed.

    `document`, of which the plan was made: with it, what somebody else made meanwhile is planned anew and gone on with,
    so that however many apply a file at once, each comes to the end of it."""
    async with client(api_url, headers) as api:
        result = await make(api, plan)
        for again in range(MOST_ROUNDS):
            if document is None or not result.was_raced:
                break
            await asyncio.sleep(PAUSE_S * (1 + again + random.random()))  # noqa: S311 - not all at once again
            result = result.then(await make(api, (await _plan(api, document)).within(plan)))
        return result


def client(api_url: str, headers: Headers = None) -> httpx.AsyncClient:
    """The API at `api_url`; never by way of a proxy, for it is this machine that answers."""
    return httpx.AsyncClient(base_url=api_url, timeout=ANSWER_S, trust_env=False, headers=dict(headers or {}))


__all__ = [
    "ApiFailed",
    "Document",
    "DocumentWrong",
    "Plan",
    "Result",
    "apply",
    "document_of",
    "export",
    "plan",
    "plan_as_json",
    "read_file",
    "render",
    "render_result",
    "result_as_json",
]
