"""Plays the script through the HTTP API, each as who they are, and puts the run's clock forward from scene to scene.

What was done before is looked up and not done again: a play that was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from deploy.cli.endpoints import CommandFailed
from deploy.demo.callers import Callers
from deploy.demo.outcomes import Asked, Key, read_asked
from deploy.demo.reading import EM, answered
from deploy.demo.script import Act, Script, What, Wish
from shared.ids import derived_id

REQUESTS = f"{EM}/assignmentRequests"
APPROVALS = f"{EM}/accessPackageAssignmentApprovals"
CLOCK = "/v1.0/tenure/clock"
AT_ONCE = 8
PATIENCE_S = 90.0
LOOK_EVERY_S = 0.1
_OPEN = {"submitted", "pendingApproval"}


class NotAsWritten(Exception):
    """Something did not go as the script says; the message says what."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the play takes place: packages by name, people by number."""

    packages: Mapping[str, str]
    people: Mapping[int, str]


@dataclass
class Player:
    """Acts for everybody in the script."""

    client: httpx.AsyncClient
    callers: Callers
    stage: Stage
    surprises: list[str] = field(default_factory=list)
    """What did not go as written: a line each."""
    _known: dict[Key, Asked] = field(default_factory=dict)
    _questions: dict[str, list[str]] = field(default_factory=dict)

    async def clock(self) -> datetime:
        """What time it is for the run."""
        return datetime.fromisoformat((await self._as_operator("GET", CLOCK))["now"])

    async def put_clock(self, to: datetime) -> None:
        """Forward to that moment, and all done that this brings; nothing if it has passed."""
        if await self.clock() < to:
            await self._as_operator("POST", CLOCK, {"to": to.isoformat()})

    async def scene(self, script: Script, day: int) -> None:
        """Everything that is done on that day, wish by wish, as far as it has not been done."""
        self._known = await read_asked(self.client, self.stage.packages, self.stage.people)
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(wish: Wish) -> None:
            async with turn:
                try:
                    await self._play(wish, day)
                except (NotAsWritten, CommandFailed) as problem:
                    self.surprises.append(f"{wish.story}, {wish.person}, {wish.package}: {problem}")

        await asyncio.gather(*(one(wish) for wish in script.wishes if any(act.day == day for act in wish.acts)))

    async def _play(self, wish: Wish, day: int) -> None:
        asked = self._known.get((wish.person, wish.package), Asked())
        decided = 0
        for act in wish.acts:
            decides = act.what in {What.APPROVE, What.DENY}
            if act.day == day:
                await self._act(wish, act, asked, decided)
            decided = decided + 1 if decides else 0

    async def _act(self, wish: Wish, act: Act, asked: Asked, decided: int) -> None:
        match act.what:
            case What.ASK | What.ASK_FOR_ANOTHER:
                if asked.add is None:
                    asked.add = await self._ask(wish, act, await self._wanted(wish, act))
            case What.ASK_IN_VAIN:
                await self._in_vain(wish, act, asked)
            case What.EXTEND | What.GIVE_BACK:
                if act.what.value not in asked.later:
                    body = {"assignment": {"id": await self._assignment(wish, asked)}}
                    asked.later[act.what.value] = await self._ask(wish, act, body)
            case What.CANCEL:
                if (await self._request(_made(asked.add), act.by))["state"] in _OPEN:
                    await self._send("POST", f"{REQUESTS}/{asked.add}/cancel", act.by)
            case What.APPROVE | What.DENY:
                await self._decide(_made(asked.later.get(What.EXTEND.value) or asked.add), act, decided)

    async def _wanted(self, wish: Wish, act: Act) -> dict[str, Any]:
        """The request of somebody who has read what is wanted of them."""
        package, person = self.stage.packages[wish.package], self.stage.people[wish.person]
        if package not in self._questions:
            path = f"{EM}/accessPackages/{package}/getApplicablePolicyRequirements"
            (required,) = (await self._send("POST", path, wish.person))["value"]
            self._questions[package] = [one["id"] for one in required["questions"]]
        answers = [
            {
                "@odata.type": "#microsoft.graph.accessPackageAnswerString",
                "value": "For what I do.",
                "answeredQuestion": {"id": id},
            }
            for id in self._questions[package]
        ]
        return {
            "assignment": {"accessPackageId": package, "targetId": person},
            "justification": "I need it for my work.",
            "answers": answers,
        }

    async def _ask(self, wish: Wish, act: Act, body: dict[str, Any]) -> str:
        # Under a key of its own, so that it is one request even if the answer is lost.
        key = derived_id("demo", wish.person, wish.package, act.what.value)
        asking = {"requestType": act.what.value, **body}

        async def taken() -> httpx.Response | None:
            answer = await self._answer("POST", REQUESTS, act.by, asking, key)
            return None if answer.status_code == 409 and "IdempotencyKeyInUse" in answer.text else answer

        # A run that was killed while it answered keeps the key for a minute.
        return str(_told(await self._until(taken, "the first request under this key is answered"))["id"])

    async def _in_vain(self, wish: Wish, act: Act, asked: Asked) -> None:
        if asked.add is not None:
            raise NotAsWritten("was taken, and should have been refused")
        body = {"requestType": What.ASK.value, **await self._wanted(wish, act)}
        answer = await self._answer("POST", REQUESTS, act.by, body)
        if answer.is_success or answer.json()["error"]["code"] != "incompatibleAccessPackage":
            raise NotAsWritten(f"was answered {answer.status_code} {answer.text[:200]}")

    async def _assignment(self, wish: Wish, asked: Asked) -> str:
        """The one that their request has led to."""
        request = _made(asked.add)

        async def there() -> str | None:
            said = await self._request(request, wish.person)
            return said["assignment"]["id"] if said["state"] == "delivered" else None

        return str(await self._until(there, "the first request is delivered"))

    async def _decide(self, request: str, act: Act, number: int) -> None:
        """The stage of that number, unless somebody has decided it."""
        path = f"{APPROVALS}/{request}/stages"

        async def theirs() -> dict[str, Any] | None:
            answer = await self._answer("GET", path, act.by)
            if answer.status_code in {403, 404}:
                return None  # it has not come to them yet
            stages = _told(answer)["value"]
            one: dict[str, Any] = stages[number]
            return one if one["assignedToMe"] or one["reviewResult"] != "NotReviewed" else None

        stage = await self._until(theirs, f"{act.by} is asked to decide stage {number + 1}")
        if stage["reviewResult"] == "NotReviewed":
            decision = {"reviewResult": act.what.value, "justification": f"{act.what.value}, after a look."}
            await self._send("PATCH", f"{path}/{stage['id']}", act.by, decision)

    async def _request(self, id: str, by: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._send("GET", f"{REQUESTS}/{id}?$expand=assignment", by)
        return found

    async def _until(self, find: Any, what: str) -> Any:
        end = time.monotonic() + PATIENCE_S
        while (found := await find()) is None:
            if time.monotonic() > end:
                raise NotAsWritten(f"waited {PATIENCE_S:.0f} s in vain: {what}")
            await asyncio.sleep(LOOK_EVERY_S)
        return found

    async def _send(self, method: str, path: str, by: int, body: Any = None, key: str | None = None) -> Any:
        return _told(await self._answer(method, path, by, body, key))

    async def _answer(
        self, method: str, path: str, by: int, body: Any = None, key: str | None = None
    ) -> httpx.Response:
        headers = {**self.callers.person(self.stage.people[by]), **({"Idempotency-Key": key} if key else {})}
        return await self._request_once(method, path, headers, body)

    async def _as_operator(self, method: str, path: str, body: Any = None) -> Any:
        return _told(await self._request_once(method, path, self.callers.operator, body, timeout=None))

    async def _request_once(
        self, method: str, path: str, headers: Mapping[str, str], body: Any, **options: Any
    ) -> httpx.Response:
        # Harmless twice: asks have a key, a decision said again is the same one, the clock is put to a moment.
        return await answered(lambda: self.client.request(method, path, json=body, headers=headers, **options), path)


def _made(request: str | None) -> str:
    """Raises NotAsWritten if nobody has asked."""
    if request is None:
        raise NotAsWritten("nobody has asked")
    return request


def _told(answer: httpx.Response) -> Any:
    if answer.is_error:
        path = answer.request.url.path
        raise CommandFailed(f"{answer.request.method} {path}: {answer.status_code}. {answer.text[:300]}")
    return answer.json() if answer.content else None
