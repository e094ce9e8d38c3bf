"""`GET /v1.0/tenure/status`: how the run is, in one document; what `tenure status` and the demo's live view show."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, Request

from deploy.run import peers
from deploy.run.backlog import WatchApart
from shared.messaging.errors import MayPass
from shared.messaging.host import Host, groups_of
from shared.web.errors import Unavailable
from shared.web.graph_model import graph_time

PATH = "/v1.0/tenure/status"
_PEER_S = 45.0
_LOOK_S = 25.0
"""Less than a caller waits: when a server hangs, one learns that it does."""

Look = Callable[[str | None], Awaitable[dict[str, Any]]]
"""The status document, as whoever has this `Authorization` header may see it."""


def status_router(look: Look) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["tenure"])

    @router.get(PATH)
    async def status(request: Request) -> dict[str, Any]:
        """Lag, pending outbox, overdue timers and troubles by service; dead letters by group; rejections; and where
        Kafka is, for commands that talk to it."""
        return await look(request.headers.get("authorization"))

    return router


def looking(watch: WatchApart, host: Host, elsewhere: tuple[str, ...], data_dir: Path | None) -> Look:
    """What asks all of them how they are."""

    async def look(token: str | None) -> dict[str, Any]:
        groups = {name: groups_of([service]) for name, service in host.services.items()}
        # Whoever asks how far all are mostly waits until they are there: what stands aside goes on now.
        with host.right_of_way.expecting():
            try:
                async with asyncio.timeout(_LOOK_S):
                    own, kafka, *of_peers = await asyncio.gather(
                        host.wellbeing(),
                        watch.measure(),
                        *(_of_peers(name, data_dir, token) for name in (*groups, *elsewhere)),
                    )
            except (MayPass, TimeoutError) as problem:
                raise Unavailable(not_measured(problem, host.troubles())) from problem
        answers = dict(zip((*groups, *elsewhere), of_peers, strict=True))
        services: dict[str, Any] = {}
        for name, found in own.items():
            here = {
                "running": True,
                "ready": found["ready"],
                "troubles": found["troubles"],
                "degraded": found["degraded"],
                # From the groups' committed offsets: true for all replicas together, not for this one's share.
                "lag": _summed(kafka.lag, groups[name]),
                "oldestUnsettledS": _oldest(kafka.oldest_s, groups[name]),
                "pendingOutbox": int(found["pending"]),
                "oldestPendingS": round(found["oldest_pending_s"], 3),
                "overdueTimersS": round(found["overdue_s"], 3),
                "nextDue": graph_time(found["next_due"]) if found["next_due"] else None,
                "underWay": found["under_way"],
                "waits": found["waits"],
                "parkedTimers": int(found["parked"]),
                "markedByDeadLetters": int(found["dead_letters"]),
            }
            services[name] = together([here, *_of_service(name, answers[name])])
        dead_letters = dict(kafka.dead_letters)
        for name in elsewhere:
            services[name] = together(_of_service(name, answers[name]))
            for answer in answers[name]:
                dead_letters |= answer.get("deadLetters", {})
        return {
            "kafka": host.settings.kafka,
            "namespace": host.settings.namespace,
            "services": services,
            "deadLetters": dead_letters,
            "rejections": kafka.rejections,
            "hrChanges": kafka.hr_changes or {"sent": 0, "taken": 0},
            "oldestUnsettledS": max((s.get("oldestUnsettledS") or 0.0 for s in services.values()), default=0.0),
        }

    return look


def not_measured(problem: Exception, troubles: Mapping[str, Mapping[str, str]]) -> str:
    """Why there is no status, with what the services say themselves, each thing once."""
    saying: dict[str, list[str]] = {}
    for service, found in troubles.items():
        for where, what in found.items():
            saying.setdefault(f"{where}: {what}", []).append(service)
    said = "".join(f" {what} ({', '.join(services)})." for what, services in saying.items())
    return f"How far everything is cannot be measured: {str(problem) or 'no answer in time'}.{said}"


async def _of_peers(name: str, data_dir: Path | None, token: str | None) -> list[dict[str, Any]]:
    """The status documents of the processes that run this service for this folder; an empty one of who is silent."""
    there = peers.living(data_dir, name) if data_dir else ()
    return await asyncio.gather(*(_of_peer(peer, token) for peer in there))


def _of_service(name: str, answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    silent = {"running": False, "ready": False}
    return [answer.get("services", {}).get(name, silent) for answer in answers]


def together(processes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How a service is of which these processes tell. What each of them tells of all (lag, pending, dates) is told
    once."""
    telling = [one for one in processes if one["running"]]
    if not telling:
        return {"running": False, "ready": False, "processes": 0}
    troubles = {where: what for one in telling for where, what in one["troubles"].items()}
    if silent := len(processes) - len(telling):
        troubles["processes"] = f"{silent} of {len(processes)} do not answer"
    return {
        **telling[0],
        "ready": all(one["ready"] for one in processes),
        "troubles": troubles,
        "degraded": {where: what for one in telling for where, what in one.get("degraded", {}).items()},
        "processes": len(processes),
    }


async def _of_peer(peer: peers.Peer, token: str | None) -> dict[str, Any]:
    try:
        async with httpx.AsyncClient(timeout=_PEER_S, trust_env=False) as client:
            answer = await client.get(peer.url + PATH, headers={"Authorization": token} if token else {})
            found: dict[str, Any] = answer.raise_for_status().json()
            return found
    except httpx.HTTPError:
        return {}


def _summed(lag: dict[str, dict[str, int]], groups: list[str]) -> dict[str, int]:
    total: dict[str, int] = {}
    for group in groups:
        for topic, behind in lag.get(group, {}).items():
            total[topic] = total.get(topic, 0) + behind
    return total


def _oldest(oldest: dict[str, float], groups: list[str]) -> float:
    return round(max((oldest.get(group, 0.0) for group in groups), default=0.0), 3)
