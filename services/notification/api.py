"""What notification answers over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from services.notification.model import Channel, Event, Status
from services.notification.store import Messages
from shared.messaging.service import Platform
from shared.web.graph_model import graph_time
from shared.web.guard import Admitted, Guard
from shared.web.odata.fields import DATETIME, GUID, EntitySet, Enumeration, Field
from shared.web.odata.options import ListQuery
from shared.web.paging import answer_list, list_query

NOTIFICATIONS = EntitySet(
    "notification",
    {
        "id": Field("_id", GUID),
        "recipient": Field("recipient", GUID),
        "event": Field("event", Enumeration(tuple(Event))),
        "channel": Field("channel", Enumeration(tuple(Channel))),
        "status": Field("status", Enumeration(tuple(Status))),
        "createdAt": Field("created_at", DATETIME, sortable=True),
    },
    selectable=frozenset(
        {"attempts", "sentAt", "nextAttemptAt", "problem", "packages", "reviews", "fact", "correlation"}
    ),
    order="createdAt desc",
)


def router(platform: Platform, messages: Messages, guard: Guard) -> APIRouter:
    """The routes of notification."""
    routes = APIRouter(tags=["notification"], dependencies=[Depends(guard)])

    @routes.get("/v1.0/tenure/notifications")
    async def notifications(
        request: Request,
        query: Annotated[ListQuery, Depends(list_query(NOTIFICATIONS, also=frozenset({"recipient"})))],
        admitted: Admitted,
        recipient: Annotated[str | None, Query(description="A person's id: only theirs.")] = None,
    ) -> dict[str, Any]:
        """What people were told, the newest first: one entry an event, recipient and channel."""
        if recipient is None or recipient != admitted.standing.caller.person_id:
            await admitted.at(None)
        scope = {"recipient": recipient} if recipient else {}

        async def find(asked: ListQuery) -> Sequence[Mapping[str, Any]]:
            return await messages.documents.find(
                asked.mongo_filter(scope), sort=asked.sort, skip=asked.skip, limit=asked.limit
            )

        async def total(asked: ListQuery) -> int:
            return await messages.documents.count(asked.total_filter(scope))

        return await answer_list(
            request,
            query,
            find=find,
            render=_shown,
            context="tenure/notifications",
            total=total,
            base_url=platform.settings.api_url,
        )

    @routes.get("/v1.0/tenure/notifications/summary")
    async def summary() -> dict[str, Any]:
        """How many are waiting, sent, failed and skipped, by channel; and which channel is away, if one is."""
        return {"channels": await messages.counts(), "degraded": platform.health.degraded}

    return routes


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": document["_id"],
        "recipient": document["recipient"],
        "event": document["event"],
        "channel": document["channel"],
        "status": document["status"],
        "attempts": document.get("attempts", 0),
        "createdAt": graph_time(document["created_at"]),
        "sentAt": graph_time(document["sent_at"]) if "sent_at" in document else None,
        "nextAttemptAt": graph_time(document["next_at"]) if "next_at" in document else None,
        "problem": document.get("problem"),
        "packages": [{"change": one[0], "id": one[1]} for one in document["items"]],
        "reviews": [
            {"definitionId": one["definition_id"], "instanceId": one["instance_id"], "displayName": one["review"]}
            for one in document.get("reviews", ())
        ],
        "fact": document["fact"],
        "correlation": document["why"][1],
    }
