"""What was deleted over HTTP and can be restored: users until they are purged, Microsoft 365 groups for 30 days.

Source: reference/graph-api-operations.md 5.3.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory import graph
from services.directory.api import Rooms, refuse
from services.directory.decide.groups import RESTORED_WITHIN, PurgeGroup, RestoreGroup
from services.directory.decide.people import Purge
from services.directory.graph import DELETED_GROUPS, DELETED_USERS, OBJECTS
from services.directory.lists import answer_page
from services.directory.store import DELETED, Document, page_of
from services.directory.writing import state
from shared.contracts.hr import ChangeKind
from shared.storage import Answers
from shared.web.caller import cause_of
from shared.web.errors import NotFound
from shared.web.guard import Guard
from shared.web.idempotency import answering_once
from shared.web.odata import ListQuery, Shape
from shared.web.paging import context_url, list_query, shape_query

AT = "/v1.0/directory/deletedItems"


def deleted_items(rooms: Rooms, answers: Answers, guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(tags=["users"], route_class=answering_once(answers), dependencies=[Depends(guard)])

    def groups_gone() -> Document:
        since = rooms.platform.clock.now() - RESTORED_WITHIN
        return {"state.deleted_at": {"$gt": since}, "state.purged": {"$ne": True}, "state.group_types": "Unified"}

    @router.get(f"{AT}/microsoft.graph.user")
    async def users(
        request: Request, query: Annotated[ListQuery, Depends(list_query(DELETED_USERS))]
    ) -> dict[str, Any]:
        """Users that were deleted. They stay until they are purged."""
        return await answer_page(
            request,
            query,
            rooms.people,
            render=lambda one: graph.deleted_user(one, query),
            context="users",
            scope=DELETED,
        )

    @router.get(f"{AT}/microsoft.graph.group")
    async def groups(
        request: Request, query: Annotated[ListQuery, Depends(list_query(DELETED_GROUPS))]
    ) -> dict[str, Any]:
        """Microsoft 365 groups that were deleted in the last 30 days."""
        scope = groups_gone()
        return await answer_page(request, query, rooms.groups, render=graph.group, context="groups", scope=scope)

    async def find(id: str) -> tuple[str, Document]:
        """Its kind, and the document. Raises NotFound."""
        named = {"_id": id.lower()}
        if user := await page_of(rooms.people, {**named, **DELETED}, limit=1):
            return "user", user[0]
        if group := await page_of(rooms.groups, {**named, **groups_gone()}, limit=1):
            return "group", group[0]
        raise NotFound(f"Resource '{id[:100]}' does not exist.", code="Request_ResourceNotFound")

    def said(kind: str, document: Document) -> Document:
        return graph.typed(graph.deleted_user(document) if kind == "user" else graph.group(document), kind)

    @router.get(f"{AT}/{{id}}")
    async def one(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(OBJECTS))]) -> dict[str, Any]:
        body = said(*await find(id))
        context = context_url(request, "directoryObjects/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(body)}

    @router.post(f"{AT}/{{id}}/restore")
    async def restore(request: Request, id: str) -> dict[str, Any]:
        """As it was; a group with its members. Refused while somebody else has the name."""
        kind, found = await find(id)
        if kind == "user":
            await state(rooms, request, found["_id"], ChangeKind.JOINED, found["state"]["attributes"])
            body = said(kind, await rooms.user(found["_id"]))
        else:
            await rooms.change_group(request, RestoreGroup(found["_id"]))
            body = said(kind, await rooms.group(found["_id"]))
        context = context_url(request, "directoryObjects/$entity")
        return {"@odata.context": context, **body}

    @router.delete(f"{AT}/{{id}}", status_code=204)
    async def purge(request: Request, id: str) -> Response:
        """For good: it cannot be restored any more."""
        kind, found = await find(id)
        if kind == "user":
            run = rooms.platform.run_one
            outcome = await run(rooms.person_loop, rooms.purge, Purge(found["_id"]), cause_of(request))
            refuse(outcome.decision.refusal if outcome.decision else None)
        else:
            await rooms.change_group(request, PurgeGroup(found["_id"]))
        return Response(status_code=204)

    return router
