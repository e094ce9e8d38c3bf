"""Making a plan so: groups one by one at the directory, everything else in large requests at the catalog.

Everything that is made has its id from the plan, so a request whose answer was lost is simply sent again. Names of
groups are not unique, so groups are made under a unique name that follows from theirs: however many apply a file at the
same moment, and wherever one of them dies, each group is made once.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from deploy.cli.applying.difference import ORDER, Plan, Step
from deploy.cli.applying.document import GroupSpec
from deploy.cli.applying.naming import TO_BE_MADE
from deploy.cli.applying.present import ApiFailed, said_by
from shared.ids import derived_id

AT_ONCE = 16
"""Groups being made at the same time."""
CHUNK_CHANGES = 1000
CHUNK_BYTES = 600_000
"""Below what the API takes in one body."""
TRY_FOR_S = 30.0
STUCK_AFTER_S = 5.0
"""A refusal that has not changed for so long is final."""
DELETION_FOR_S = 60.0
"""How long to stay with deletions that wait for assignment's answer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A step that was not taken, and why."""

    title: str
    code: str
    message: str


@dataclass
class Result:
    """What became of a plan."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    refused: list[Refused] = field(default_factory=list)
    deleting: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        return not self.refused and not self.deleting

    @property
    def was_raced(self) -> bool:
        """Whether somebody else made some of the same meanwhile, so that a plan made now has less to do."""
        return any(one.code in {"duplicate", "parentNotFound"} for one in self.refused)

    def then(self, later: Result) -> Result:
        """The result of both: what was refused at first has been tried again."""
        return Result(
            self.added + later.added,
            self.changed + later.changed,
            self.removed + later.removed,
            later.refused,
            [*self.deleting, *later.deleting],
            self.seconds + later.seconds,
        )


async def make(client: httpx.AsyncClient, plan: Plan) -> Result:
    """Do all that `plan` says. What is refused holds up nothing else. Raises ApiFailed if the API stays away."""
    started = time.perf_counter()
    result = Result()
    client.headers["Tenure-Actor"] = quote(f"file:{plan.name}", safe=":/ @")
    group_ids = {**plan.group_ids, **await _groups(client, plan, result)}
    making = [step for step in plan.steps if step.op != "delete"]
    for chunk in _chunks(making, group_ids):
        await _send(client, plan, chunk, result)
    for kind in sorted(ORDER, key=lambda kind: -ORDER[kind]):
        # A package may go once its policies are gone: so each kind is waited for.
        going = [step for step in plan.steps if step.op == "delete" and step.kind == kind]
        await _delete(client, plan, going, result)
    result.seconds = time.perf_counter() - started
    return result


async def _groups(client: httpx.AsyncClient, plan: Plan, result: Result) -> dict[str, str]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(group: GroupSpec) -> tuple[str, str] | None:
        async with turn:
            answer = await _group(client, group)
        if answer.is_error:
            result.refused.append(Refused(group.name, "group", said_by(answer)))
            return None
        result.added += 1
        return group.name, str(answer.json()["id"])

    made = await asyncio.gather(*(one(group) for group in plan.groups))
    return dict(pair for pair in made if pair is not None)


async def _group(client: httpx.AsyncClient, group: GroupSpec) -> httpx.Response:
    """The group, made or found as another who applies the same made it just now; or what refuses it."""
    body: dict[str, Any] = {
        "displayName": group.name,
        "mailEnabled": False,
        "mailNickname": nickname(group.name),
        "securityEnabled": True,
    }
    if group.description:
        body["description"] = group.description
    for unique in unique_names(group.name):
        at = f"/v1.0/groups(uniqueName='{unique}')"
        while True:
            found = await _tried(client, at, method="GET")
            if found.status_code == 404:
                made = await _tried(client, at, body, {"Prefer": "create-if-missing"}, method="PATCH")
                if made.status_code == 204:
                    continue  # somebody was faster
                return made
            if found.is_error or found.json()["displayName"] == group.name:
                return found
            break  # a group that was made so once and renamed since: it is another group now
    raise AssertionError


def unique_names(name: str) -> Iterator[str]:
    """What a group of that name is made under, one after the other; longer names are cut and told apart as nicknames
    are."""
    for number in itertools.count(1):
        yield nickname(name) if number == 1 else f"{nickname(name)}.{number}"


def nickname(name: str) -> str:
    """A mail nickname for a group: ASCII letters, digits and hyphens, at most 64, told apart by a part of an id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()
    return f"{words[:55]}-{derived_id('nickname', name)[:8]}".lstrip("-")


def _chunks(steps: Sequence[Step], group_ids: Mapping[str, str]) -> Iterator[list[tuple[Step, dict[str, Any]]]]:
    chunk: list[tuple[Step, dict[str, Any]]] = []
    size = 0
    for step in steps:
        change = _change(step, group_ids)
        length = len(orjson.dumps(change))
        if chunk and (len(chunk) == CHUNK_CHANGES or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((step, change))
        size += length
    if chunk:
        yield chunk


def _change(step: Step, group_ids: Mapping[str, str]) -> dict[str, Any]:
    change: dict[str, Any] = {"op": step.op, "kind": step.kind, "id": step.id}
    if step.version is not None:
        change["version"] = step.version
    if step.op != "delete":
        body = dict(step.body)
        if "roles" in body:
            # A group that could not be made is refused by the API under the name of its absence.
            body["roles"] = [_role(one, group_ids) for one in body["roles"]]
        change["body"] = _grounded(body, group_ids)
    return change


def _role(role: Mapping[str, Any], group_ids: Mapping[str, str]) -> dict[str, Any]:
    if "group" in role:
        # A group that could not be made is refused by the API under the name of its absence.
        return {"originId": group_ids.get(role["group"], role["group"]), "role": role["role"]}
    return dict(role)


def _grounded(value: Any, group_ids: Mapping[str, str]) -> Any:
    """With the ids of groups that were still to be made when the plan was."""
    if isinstance(value, Mapping):
        return {name: _grounded(one, group_ids) for name, one in value.items()}
    if isinstance(value, list):
        return [_grounded(one, group_ids) for one in value]
    if isinstance(value, str) and value.startswith(TO_BE_MADE):
        return group_ids.get(value.removeprefix(TO_BE_MADE), value)
    return value


async def _send(
    client: httpx.AsyncClient, plan: Plan, chunk: Sequence[tuple[Step, dict[str, Any]]], result: Result
) -> list[Step]:
    """Send a chunk and count what became of it; returns the deletions that are still waiting."""
    body = {"managedBy": plan.name, "changes": [change for _, change in chunk]}
    answer = await _tried(client, "/v1.0/tenure/catalog:apply", body)
    if answer.status_code != 200:
        raise ApiFailed(f"POST /v1.0/tenure/catalog:apply: {said_by(answer)}")
    waiting = []
    for (step, _), said in zip(chunk, answer.json()["results"], strict=True):
        match said["status"]:
            case "refused":
                result.refused.append(Refused(step.title, said["error"]["code"], said["error"]["message"]))
            case "deleting":
                waiting.append(step)
            case _:
                result.added += step.op == "create"
                result.changed += step.op == "update"
                result.removed += step.op == "delete"
    return waiting


async def _delete(client: httpx.AsyncClient, plan: Plan, steps: Sequence[Step], result: Result) -> None:
    """Ask until all are gone or refused for good.

    What a deleted policy gave by rule is taken back in the background, and until then the package is in use: as long as
    the refusals change (they count), it gets on."""
    deadline = time.monotonic() + DELETION_FOR_S
    left = list(steps)
    said: list[str] = []
    since, pause = time.monotonic(), 0.25
    while left:
        waiting: list[Step] = []
        before = len(result.refused)
        for chunk in _chunks(left, {}):
            waiting += await _send(client, plan, chunk, result)
        in_use = {one.title: one for one in result.refused[before:] if one.code == "inUse"}
        if (now_said := sorted(one.message for one in in_use.values())) != said:
            said, since = now_said, time.monotonic()
        if time.monotonic() > deadline:
            result.deleting += [step.title for step in waiting]
            return
        if time.monotonic() - since > STUCK_AFTER_S:
            in_use = {}
        if in_use:
            result.refused = [one for one in result.refused if one not in in_use.values()]
            # Asking and refusing have raised the version; the plan's was right when it was first asked.
            waiting += [replace(step, version=None) for step in left if step.title in in_use]
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
        left = waiting


async def _tried(
    client: httpx.AsyncClient,
    path: str,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
) -> httpx.Response:
    """Sent, again for a while if the API is away or says that its servers are."""
    deadline = time.monotonic() + TRY_FOR_S
    pause = 0.2
    content = None if body is None else orjson.dumps(body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    while True:
        try:
            answer = await client.request(method, path, content=content, headers={**kind, **(headers or {})})
        except httpx.TransportError as problem:
            if time.monotonic() > deadline:
                raise ApiFailed(f"The API at {client.base_url} does not answer: {type(problem).__name__}") from problem
        else:
            if answer.status_code not in {429, 503} or time.monotonic() > deadline:
                return answer
        await asyncio.sleep(pause)
        pause = min(pause * 2, 3.0)
