"""The part of the demo in which access is reviewed: prepares it before time goes by, plays it afterwards, checks it.

Everything is made under keys of its own, and what has been done stands in a note: killed and run again, it goes on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaProducer

from deploy.cli.audit_commands import bundle_proven
from deploy.cli.endpoints import CommandFailed
from deploy.demo import reviewed
from deploy.demo.callers import Callers, Headers
from deploy.demo.player import CLOCK
from deploy.demo.reading import EM, answered, listed
from deploy.demo.reviewed import APPLICATION, GUESTS, TEAM, Cast, Line, Review, Say, Who
from deploy.files import write_whole
from deploy.run.status import PATH as STATUS
from shared.ids import derived_id

AR = "/v1.0/identityGovernance/accessReviews/definitions"
FILE = "reviewed.json"
DAYS = 14
RECENTLY, LONG_AGO = timedelta(days=1), timedelta(days=20)
"""Before what time it is: some weeks go by between the two."""
AT_ONCE = 8
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.2
DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
OVER = {"Completed", "AutoReviewed", "Applying", "Applied"}

Apply = Callable[[Mapping[str, Any]], Awaitable[None]]
Body = dict[str, Any]


@dataclass
class Note:
    """How far it is in this folder. `ids`: of what was made, by name; `definitions`: of the reviews, by theirs."""

    began: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    prepared: bool = False
    definitions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Note:
        try:
            return cls(**json.loads((folder / FILE).read_text()))
        except FileNotFoundError:
            return cls()

    def write(self, folder: Path) -> None:
        write_whole(folder / FILE, json.dumps(vars(self)))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the reviews."""

    items: int
    decisions: Counter[str]
    advice: Counter[str]
    """How often each recommendation that the script is about was made as it says."""
    differences: list[str]

    @property
    def is_right(self) -> bool:
        return not self.differences

    def as_json(self) -> Body:
        return {
            "items": self.items,
            "decisions": dict(sorted(self.decisions.items())),
            "recommendations": dict(sorted(self.advice.items())),
            "differences": self.differences,
        }


@dataclass
class Reviews:
    """Acts for everybody in the cast."""

    client: httpx.AsyncClient
    callers: Callers
    folder: Path
    cast: Cast
    people: Mapping[int, str]
    """Ids by number."""
    note: Note

    @classmethod
    async def of(cls, client: httpx.AsyncClient, callers: Callers, folder: Path, cast: Cast) -> Reviews:
        """Raises CommandFailed if somebody is not in the directory."""
        found = {
            int(one["employeeId"]): one["id"]
            async for one in listed(client, "/v1.0/users", {"$select": "id,employeeId"})
            if str(one.get("employeeId") or "").isdigit() and int(one["employeeId"]) in cast.people
        }
        if missing := cast.people - found.keys():
            raise CommandFailed(f"The directory does not know employee {min(missing)}.")
        return cls(client, callers, folder, cast, found, Note.read(folder))

    # Before the time goes by

    async def prepare(self, apply: Apply, kafka: str, topic: str) -> None:
        """What is reviewed is there, and has been used or not. Nothing if that was done."""
        if self.note.prepared:
            return
        await apply(reviewed.document(self.cast))
        self.client.headers.update(self.callers.operator)
        now = await self._now()
        self.note.began = self.note.began or now.isoformat()
        self.note.write(self.folder)
        await self._guests()
        await self._team()
        await self._application()
        await self._outsiders()
        began = datetime.fromisoformat(self.note.began)
        used = [self._sign_in(one, began, self.note.ids["appId"]) for one in self.cast.users[:1]]
        await _send([*(self._sign_in(one, began - LONG_AGO) for one in self.cast.old), *used], kafka, topic)
        self.note.prepared = True
        self.note.write(self.folder)

    async def _guests(self) -> None:
        leaving = await self._user("sponsor-who-leaves", "Member")
        group = await self._group(GUESTS)
        for guest in self.cast.guests:
            id = await self._user(guest.name, "Guest")
            sponsor = leaving if guest.sponsor is None else self.people[guest.sponsor]
            await self._refer(f"/v1.0/users/{id}/sponsors", sponsor)
            await self._refer(f"/v1.0/groups/{group}/members", id)
        answer = await self._answer("DELETE", f"/v1.0/users/{leaving}", self.callers.operator)
        if answer.is_error and answer.status_code != 404:
            _told(answer)

    async def _team(self) -> None:
        group = await self._group(TEAM)
        for one in self.cast.team:
            await self._refer(f"/v1.0/groups/{group}/members", self.people[one])

    async def _application(self) -> None:
        made = await self._make("/v1.0/applications", {"displayName": reviewed.group_of(APPLICATION)})
        principal = (await self._make("/v1.0/servicePrincipals", {"appId": made["appId"]}))["id"]
        self.note.ids |= {"appId": made["appId"], APPLICATION: principal}
        for one in self.cast.users:
            body = {"principalId": self.people[one], "resourceId": principal, "appRoleId": DEFAULT_ROLE}
            await self._make(f"/v1.0/servicePrincipals/{principal}/appRoleAssignedTo", body)

    async def _outsiders(self) -> None:
        package = self.cast.packages[0]
        id = (await self._packages())[package]
        options = {"$filter": f"accessPackage/id eq '{id}'", "$select": "id,displayName"}
        policies = [one async for one in listed(self.client, f"{EM}/assignmentPolicies", options)]
        policy = next(one["id"] for one in policies if one["displayName"] == reviewed.by_hand(package))
        for one in self.cast.outsiders:
            body = {"personId": self.people[one], "packageId": id, "policyId": policy}
            await self._make("/v1.0/tenure/assignments", body)

    async def _user(self, name: str, kind: str) -> str:
        body = {
            "accountEnabled": True,
            "displayName": name,
            "mailNickname": name,
            "userPrincipalName": f"{name}@guests.example",
            "userType": kind,
            "passwordProfile": {"password": derived_id("demo-password", name)},
        }
        self.note.ids[name] = id = str((await self._make("/v1.0/users", body))["id"])
        return id

    async def _group(self, name: str) -> str:
        called = reviewed.group_of(name)
        body = {"displayName": called, "mailNickname": "reviewed", "mailEnabled": False, "securityEnabled": True}
        self.note.ids[name] = id = str((await self._make("/v1.0/groups", body))["id"])
        await self._refer(f"/v1.0/groups/{id}/owners", self.people[self.cast.owner])
        return id

    def _sign_in(self, who: Who, at: datetime, app_id: str | None = None) -> tuple[str, Body]:
        named = {"employeeId": str(who)} if isinstance(who, int) else {"userPrincipalName": f"{who}@guests.example"}
        return str(who), {**named, "at": at.isoformat(), **({"appId": app_id} if app_id else {})}

    # Afterwards

    async def play(self, kafka: str, topic: str) -> Result:
        """Begun, decided, stopped, applied, and held against the script. What is over is only looked at."""
        self.client.headers.update(self.callers.operator)
        if not self.note.definitions:
            at = await self._now() - RECENTLY
            app_id = self.note.ids["appId"]
            used = [self._sign_in(one, at, app_id) for one in self.cast.users[::2]]
            await _send([*(self._sign_in(one, at) for one in self.cast.recent), *used], kafka, topic)
            await self._known([*self.cast.recent, *self.cast.users[::2]], at)
            begins = at.date()
            packages = await self._packages()
            for review in Review:
                made = await self._make(AR, self._definition(review, packages, begins.isoformat()))
                self.note.definitions[review] = made["id"]
            self.note.write(self.folder)
        runs = dict(zip(Review, await asyncio.gather(*map(self._runs, Review)), strict=True))
        await asyncio.gather(*(self._decided(review, run) for review, every in runs.items() for run in every))
        return await self._result(runs)

    def _definition(self, review: Review, packages: Mapping[str, str], begins: str) -> Body:
        owner = {"query": f"/users/{self.people[self.cast.owner]}", "queryType": "MicrosoftGraph"}
        settings: Body = {
            "instanceDurationInDays": DAYS, "recommendationsEnabled": True, "autoApplyDecisionsEnabled": True,
        }  # fmt: skip
        quarterly = {
            "pattern": {"type": "absoluteMonthly", "interval": 3},
            "range": {"type": "noEnd", "startDate": begins},
        }
        body: Body = {"displayName": review.value, "reviewers": [owner], "settings": settings}
        match review:
            case Review.PACKAGES:
                at = "/identityGovernance/entitlementManagement/accessPackageAssignments"
                things = [f"{at}?$filter=(accessPackageId eq '{packages[name]}')" for name in self.cast.packages]
                body["scope"] = {
                    "@odata.type": "#microsoft.graph.principalResourceMembershipsScope",
                    "principalScopes": [_scope("/users")],
                    "resourceScopes": [_scope(one) for one in things],
                }
                body["reviewers"] = [{"query": "./manager", "queryType": "MicrosoftGraph", "queryRoot": "decisions"}]
                body["fallbackReviewers"] = [owner]
                settings["recurrence"] = quarterly
            case Review.GUESTS:
                id = self.note.ids[GUESTS]
                members = f"/groups/{id}/transitiveMembers/microsoft.graph.user/"
                body["scope"] = _scope(f"{members}?$filter=(userType eq 'Guest')")
                body["reviewers"] = [{"query": f"/groups/{id}/owners", "queryType": "MicrosoftGraph"}]
                settings["recurrence"] = quarterly
            case Review.TEAM:
                body["scope"] = _scope(f"/groups/{self.note.ids[TEAM]}/transitiveMembers")
                outlier = "#microsoft.graph.groupPeerOutlierRecommendationInsightSettings"
                settings["recommendationInsightSettings"] = [{"@odata.type": outlier}]
            case Review.APPLICATION:
                body["scope"] = _scope(f"/servicePrincipals/{self.note.ids[APPLICATION]}/appRoleAssignedTo")
        return body

    async def _runs(self, review: Review) -> dict[str, str]:
        """Paths of the first occurrence's instances by the name of what each is about, once reviewers may decide."""
        at = f"{AR}/{self.note.definitions[review]}/instances"
        of = len(self.cast.packages) if review is Review.PACKAGES else 1
        things = {id: name for name, id in {**self.note.ids, **await self._packages()}.items()}

        async def there() -> dict[str, str] | None:
            found = sorted((await self._call("GET", at))["value"], key=lambda one: str(one["startDateTime"]))[:of]
            if len(found) < of or any(one["status"] not in {"InProgress", *OVER} for one in found):
                return None
            return {f"{at}/{one['id']}": things[one["@tenure.resource"]["id"]] for one in found}

        found: dict[str, str] = await _until(there, f"the review '{review}' is in progress")
        return found

    async def _decided(self, review: Review, run: str) -> None:
        """By whoever the script says, and applied."""
        if (await self._call("GET", run))["status"] == "InProgress":
            items = await self._items(run)
            thing = (await self._runs(review))[run]
            turn = asyncio.Semaphore(AT_ONCE)

            async def say(line: Line) -> None:
                async with turn:
                    item = items[self._id(line.who)]
                    headers = self.callers.person(self.people[line.by])
                    body = {"decision": line.say.value, "justification": f"{line.say.value}, after a look."}
                    _told(await self._answer("PATCH", f"{run}/decisions/{item['id']}", headers, body))

            lines = [one for one in self.cast.lines if (one.review, one.thing) == (review, thing)]
            await asyncio.gather(*(say(one) for one in lines if one.say is not Say.OPEN and self._id(one.who) in items))
            answer = await self._answer("POST", f"{run}/stop", self.callers.operator)
            if answer.is_error and (await self._call("GET", run))["status"] == "InProgress":
                _told(answer)

        async def over() -> bool:
            return bool((await self._call("GET", run))["status"] == "Applied")

        await _until(over, f"the review '{review}' is applied")

    async def _result(self, runs: Mapping[Review, Mapping[str, str]]) -> Result:
        decisions: Counter[str] = Counter()
        advice: Counter[str] = Counter()
        wrong: list[str] = []
        for review, every in runs.items():
            for run, thing in every.items():
                items = await self._items(run)
                said = {self._id(one.who): one for one in self.cast.lines if (one.review, one.thing) == (review, thing)}
                wrong += [f"{review}, {thing}: {said[id].who} is not asked about" for id in said.keys() - items.keys()]
                for id, item in items.items():
                    decisions[item["decision"]] += 1
                    line = said.get(id)
                    wrong += [f"{review}, {thing}, {line.who if line else id}: {why}" for why in _amiss(item, line)]
                    if line is not None and line.advice is not None:
                        advice[f"{line.advice.decision}: {line.advice.words}"] += 1
                    if line is not None and line.figure is not None:
                        advice[f"Figure: {line.figure.words}"] += 1
                if review is not Review.APPLICATION:
                    stay = {id for id, item in items.items() if item["decision"] != Say.DENY.value}
                    wrong += await self._members(thing, stay, items.keys() - stay)
        return Result(decisions.total(), decisions, advice, sorted(wrong))

    async def _members(self, thing: str, stay: set[str], leave: set[str]) -> list[str]:
        """Who of them is not in the group that the review has left behind, or is and should not be."""
        group = self.note.ids.get(thing)
        if group is None:
            groups = listed(self.client, "/v1.0/groups", {"$select": "id,displayName"})
            group = next(iter([one["id"] async for one in groups if one["displayName"] == reviewed.group_of(thing)]))

        async def settled() -> list[str] | None:
            path = f"/v1.0/groups/{group}/members"
            there = {one["id"] async for one in listed(self.client, path, {"$select": "id"})}
            wrong = [f"{thing}: {id} is no member" for id in stay - there]
            wrong += [f"{thing}: {id} is still a member" for id in leave & there]
            return None if wrong and time.monotonic() < end else wrong

        # An assignment that has ended is taken out of its group a moment later.
        end = time.monotonic() + PATIENCE_S / 4
        found: list[str] = await _until(settled, f"members of {thing}")
        return found

    # Proof

    async def evidence(self, folder: Path) -> list[str]:
        """The signed bundle of each run, and the same as a page, into that folder. Returns what is wrong with them."""
        self.client.headers.update(self.callers.operator)
        wrong: list[str] = []
        for review in Review:
            for run, thing in sorted((await self._runs(review)).items(), key=lambda one: one[1]):
                at = f"/v1.0/tenure/reviewEvidence/{run.rpartition('/')[2]}"
                bundle = await self._bundle(at, review)
                page = await self._answer("GET", f"{at}/page", self.callers.operator)
                await asyncio.to_thread(_keep, folder, _in_a_path(thing), bundle, page.text)
                problems = bundle_proven(bundle)["problems"]
                wrong += [f"evidence of {review}, {thing}: {one['where']}: {one['message']}" for one in problems]
        return wrong

    async def _bundle(self, path: str, review: Review) -> Body:
        async def whole() -> Body | None:
            answer = await self._answer("GET", path, self.callers.operator)
            said: Body = answer.json() if answer.is_success else {}
            # The trail hears of the end a moment after the review has it.
            return said if (said.get("instance") or {}).get("status") == "Applied" else None

        found: Body = await _until(whole, f"the evidence of the review '{review}'")
        return found

    # Asking

    def _id(self, who: Who) -> str:
        return self.people[who] if isinstance(who, int) else self.note.ids[who]

    async def _items(self, run: str) -> dict[str, Body]:
        """By whose access it is."""
        return {one["principal"]["id"]: one async for one in listed(self.client, f"{run}/decisions", {})}

    async def _packages(self) -> dict[str, str]:
        options = {"$select": "id,displayName", "$expand": "catalog"}
        found = [one async for one in listed(self.client, f"{EM}/accessPackages", options)]
        return {one["displayName"]: one["id"] for one in found if reviewed.has_package(one)}

    async def _known(self, people: list[Who], since: datetime) -> None:
        """Wait until the directory has taken their sign-ins, and review has heard of them."""
        path = f"/v1.0/users/{self._id(people[-1])}?$select=signInActivity"
        day = since.date().isoformat()

        async def there() -> bool:
            said = (await self._call("GET", path)).get("signInActivity") or {}
            return str(said.get("lastSignInDateTime") or "") >= day

        async def heard() -> bool:
            services = (await self._call("GET", STATUS))["services"]
            return not any(sum(services[name]["lag"].values()) for name in ("directory", "review"))

        await _until(there, "the sign-ins are known")
        await _until(heard, "review has heard of the sign-ins")

    async def _now(self) -> datetime:
        return datetime.fromisoformat((await self._call("GET", CLOCK))["now"])

    async def _refer(self, path: str, to: str) -> None:
        await self._make(f"{path}/$ref", {"@odata.id": f"{self.client.base_url}v1.0/directoryObjects/{to}"})

    async def _make(self, path: str, body: Body) -> Any:
        """Once: under a key that says what it is."""
        what = body.get("@odata.id") or json.dumps(body, sort_keys=True)
        key = {"Idempotency-Key": derived_id("demo-review", self.note.began, path, what)}
        return _told(await self._answer("POST", path, {**self.callers.operator, **key}, body))

    async def _call(self, method: str, path: str) -> Any:
        return _told(await self._answer(method, path, self.callers.operator))

    async def _answer(self, method: str, path: str, headers: Headers, body: Any = None) -> httpx.Response:
        return await answered(lambda: self.client.request(method, path, json=body, headers=headers), path)


def _scope(query: str) -> Body:
    kind = "#microsoft.graph.accessReviewQueryScope"
    return {"@odata.type": kind, "query": query, "queryType": "MicrosoftGraph"}


def _keep(folder: Path, name: str, bundle: Body, page: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(bundle, ensure_ascii=False), encoding="utf-8")
    (folder / f"{name}.html").write_text(page, encoding="utf-8")


def _in_a_path(name: str) -> str:
    return "-".join("".join(one if one.isalnum() else " " for one in name.lower()).split())


def _amiss(item: Body, line: Line | None) -> list[str]:
    """How one item differs from what the script says of it."""
    wanted = line.say if line is not None else Say.OPEN
    wrong = [] if item["decision"] == wanted.value else [f"should be {wanted.value}, is {item['decision']}"]
    if item["applyResult"] != "AppliedSuccessfully":
        wrong.append(f"{item['applyResult']}: {item['@tenure.result']}")
    if line is not None and (advice := line.advice) is not None:
        said = item["recommendation"], item["@tenure.reason"]
        if said[0] != advice.decision or advice.words not in said[1]:
            wrong.append(f"recommended should be {advice.decision} ({advice.words}), is {said[0]}: {said[1]}")
    if line is not None and (figure := line.figure) is not None:
        shown = item["@tenure.figures"].get(figure.name)
        if shown is None or (shown > 0) is not figure.above_zero:
            wrong.append(f"{figure.name} should be {'above 0' if figure.above_zero else '0'}, is {shown}")
    return wrong


async def _send(sign_ins: list[tuple[str, Body]], kafka: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True) as producer:
        for key, body in sign_ins:
            await producer.send_and_wait(topic, orjson.dumps(body), key=key.encode())


async def _until(find: Callable[[], Awaitable[Any]], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while (found := await find()) is None or found is False:
        if time.monotonic() > end:
            raise CommandFailed(f"Waited {PATIENCE_S:.0f} s in vain: {what}.")
        await asyncio.sleep(LOOK_EVERY_S)
    return found


def _told(answer: httpx.Response) -> Any:
    if answer.is_error:
        request = answer.request
        raise CommandFailed(f"{request.method} {request.url.path}: {answer.status_code}. {answer.text[:300]}")
    return answer.json() if answer.content else None
