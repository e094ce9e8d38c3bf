"""What review answers of its history: `/identityGovernance/accessReviews/historyDefinitions`, and the file itself.

Source: reference/graph-api-operations.md 4.5.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from services.review.graph import Names, Rendered
from services.review.history import decide, report
from services.review.history.graph import HISTORIES, HistoryIn, history_of, history_said, run_said
from services.review.history.model import HISTORY, History, Run
from services.review.store import Runs, Surroundings
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform, Timer
from shared.security.caller import Caller
from shared.security.operations import ROLE_REVIEWS_READ
from shared.storage import Database, Index, MongoAggregates
from shared.web.caller import Asking, cause_of
from shared.web.errors import BadRequest, NotFound
from shared.web.guard import Admission, Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import ListQuery
from shared.web.odata.options import read_shape
from shared.web.paging import answer_list, context_url, list_query

AT = "/v1.0/identityGovernance/accessReviews/historyDefinitions"
CONTEXT = "identityGovernance/accessReviews/historyDefinitions"
FILE = "/v1.0/tenure/reviewHistory"
SECRET_BYTES = 32

HistoryQuery = Annotated[ListQuery, Depends(list_query(HISTORIES))]


@dataclass(frozen=True)
class Archive:
    """Histories, and what their files are read from."""

    platform: Platform
    store: MongoAggregates
    loop: Loop[History]
    definitions: MongoAggregates
    runs: Runs
    around: Surroundings

    @property
    def timer(self) -> Timer:
        return Timer(self.loop, Handler(decide.date_has_come, by(lambda due: due.id)))


def archive(
    platform: Platform, database: Database, definitions: MongoAggregates, runs: Runs, around: Surroundings
) -> Archive:
    store = MongoAggregates(database, "histories", (Index("state.created_by", "_id"),))
    return Archive(platform, store, platform.loop(HISTORY, store), definitions, runs, around)


class Desk:
    """Reception: finds what a request is about, and who may see it."""

    def __init__(self, of: Archive) -> None:
        self.of = of

    async def own(self, caller: Caller, admitted: Admission) -> dict[str, Any]:
        """A filter: all for Global Administrators, Global Readers and applications; else what the caller made."""
        if caller.person_id is None or await admitted.stands(lambda one: one.has_role("Global Reader")):
            return {}
        return {"state.created_by": caller.person_id}

    def there(self) -> dict[str, Any]:
        return {"$or": [{"state.expires_at": None}, {"state.expires_at": {"$gt": self.of.platform.clock.now()}}]}

    async def one(self, id: str, caller: Caller, admitted: Admission) -> History:
        """Raises NotFound for what is not there, has expired, or is somebody else's."""
        own = await self.own(caller, admitted)
        found = await self.of.store.states({"$and": [{"_id": id.lower()}, self.there(), own]}, limit=1)
        if not found:
            raise NotFound("The resource was not found.")
        return History.model_validate(found[0])

    async def names(self, histories: list[History]) -> Names:
        return Names(await self.of.around.people.get({one.created_by for one in histories if one.created_by}))

    async def act(self, request: Request, handler: Any, message: Any) -> History:
        outcome = await self.of.platform.run_one(self.of.loop, handler, message, cause_of(request))
        assert outcome.decision is not None
        if refusal := outcome.decision.refusal:
            raise (NotFound if refusal.code == "notFound" else BadRequest)(refusal.message)
        made: History | None = outcome.decision.state
        assert made is not None
        return made


def add_routes(routes: APIRouter, of: Archive) -> None:
    """To a router that has the guard."""
    desk = Desk(of)
    _definitions(routes, of, desk)
    _runs(routes, of, desk)


def _definitions(routes: APIRouter, of: Archive, desk: Desk) -> None:
    clock = of.platform.clock
    making = Handler(decide.make, by(lambda one: one.id))

    @routes.post(AT, status_code=201)
    async def create(
        request: Request, body: HistoryIn, caller: Asking, admitted: Admitted, key: IdempotencyKey = None
    ) -> Rendered:
        """Ask for a list of what was decided in the reviews of a period, once or again and again."""
        id = made_id(request, "review-history")
        sees_roles = await admitted.meets(ROLE_REVIEWS_READ)
        asked = history_of(body, id, caller.person_id, clock.now()).having(without_roles=not sees_roles)
        made = await desk.act(request, making, decide.Make(id, asked))
        said = history_said(made, await desk.names([made]), clock.now())
        said.pop("instances")
        return {"@odata.context": context_url(request, f"{CONTEXT}/$entity"), **said}

    @routes.get(AT)
    async def all_histories(request: Request, query: HistoryQuery, caller: Asking, admitted: Admitted) -> Rendered:
        """Those that have not expired; of one's own making for all but Global Administrators and Readers."""
        scope = {"$and": [desk.there(), await desk.own(caller, admitted)]}

        async def find(q: ListQuery) -> list[Rendered]:
            found = await of.store.states(q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit)
            ones = [History.model_validate(one) for one in found]
            names = await desk.names(ones)
            expanded = any(e.name == "instances" for e in q.expand)
            said = [history_said(one, names, clock.now()) for one in ones]
            return [
                {"_id": raw["_id"], "state": raw, "said": it if expanded else _without_runs(it)}
                for raw, it in zip(found, said, strict=True)
            ]

        return await answer_list(
            request,
            replace(query, count=True),  # counted unasked, as all lists of reviews
            find=find,
            render=lambda one: one["said"],
            context=CONTEXT,
            total=lambda q: of.store.count(q.total_filter(scope)),
        )

    @routes.get(f"{AT}/{{id}}")
    async def one_history(request: Request, id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """One of them, until it expires."""
        shape = read_shape(HISTORIES, request.query_params.multi_items())
        one = await desk.one(id, caller, admitted)
        said = history_said(one, await desk.names([one]), clock.now())
        if not any(e.name == "instances" for e in shape.expand):
            said = _without_runs(said)
        return {"@odata.context": context_url(request, f"{CONTEXT}/$entity", shape.select), **shape.selected(said)}


def _runs(routes: APIRouter, of: Archive, desk: Desk) -> None:
    clock = of.platform.clock
    allowing = Handler(decide.allow, by(lambda one: one.id))

    @routes.get(f"{AT}/{{id}}/instances")
    async def all_runs(request: Request, id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """Its runs, one a period, each for 30 days."""
        one = await desk.one(id, caller, admitted)
        value = [run_said(run) for run in one.there(clock.now())]
        context = context_url(request, f"{CONTEXT}('{one.id}')/instances")
        return {"@odata.context": context, "@odata.count": len(value), "value": value}

    @routes.post(f"{AT}/{{id}}/instances/{{instance_id}}/generateDownloadUri")
    async def link(request: Request, id: str, instance_id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """A link to the file, for 24 hours. Refused until the run is done."""
        one = await desk.one(id, caller, admitted)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        allowed = await desk.act(request, allowing, decide.Allow(one.id, instance_id.lower(), _digest(secret)))
        run = allowed.run(instance_id.lower(), clock.now())
        assert run is not None
        uri = f"{str(request.base_url).rstrip('/')}{FILE}/{one.id}/{run.id}?link={secret}"
        context = context_url(request, f"{CONTEXT}('{one.id}')/instances/$entity")
        return {"@odata.context": context, **run_said(run, uri)}

    @routes.get(f"{FILE}/{{id}}/{{instance_id}}", response_class=StreamingResponse, openapi_extra={"security": []})
    async def file(
        id: str,
        instance_id: str,
        link: Annotated[str, Query(max_length=200, description="As `generateDownloadUri` answers it.")],
    ) -> StreamingResponse:
        """The list as CSV, a line an item, by a link that still holds: its secret is all that is asked for."""
        found = await of.store.states({"_id": id.lower()}, limit=1)
        history = History.model_validate(found[0]) if found else None
        run = history.run(instance_id.lower(), clock.now()) if history is not None else None
        if history is None or run is None or not _opens(run, link, of):
            raise NotFound("There is no such list, or the link to it no longer holds: ask for another one.")
        lines = report.lines(history, run, of.definitions, of.runs, of.around)
        name = f'attachment; filename="review-history-{run.ends_at:%Y-%m-%d}.csv"'
        return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": name})


def _without_runs(said: Rendered) -> Rendered:
    return {name: value for name, value in said.items() if name != "instances"}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _opens(run: Run, secret: str, of: Archive) -> bool:
    digest, now = _digest(secret), of.platform.clock.now()
    return any(hmac.compare_digest(one.digest, digest) and now < one.until for one in run.links)
