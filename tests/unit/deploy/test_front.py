"""The front: its own routes and the way to services in other processes, for single requests and batches alike."""

from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, Request

from deploy.run import peers
from deploy.run.front import application
from shared.messaging.host import Host
from shared.messaging.service import Service
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.caller import Asking
from shared.web.server import HttpServer


def service(name: str) -> Service:
    routes = APIRouter()

    @routes.get(f"/v1.0/{name}/{{id}}")
    async def one(id: str, caller: Asking) -> dict[str, Any]:
        return {"id": id, "of": name, "for": caller.actor}

    return Service(name, (), routers=[routes])


async def test_a_batch_reaches_services_of_other_processes(tmp_path: Path) -> None:
    users, groups = service("users"), service("groups")
    elsewhere = HttpServer(make_app("Users", users.routers))
    settings = Settings(auth="off")
    front = application(settings, Host(settings, {}), {"users": users, "groups": groups}, tmp_path)
    parts = [{"id": name, "method": "GET", "url": f"/{name}('ana')"} for name in ("users", "groups")]
    await elsewhere.start()
    try:
        with peers.seat(tmp_path, "users"):
            peers.register(tmp_path, "users", elsewhere.url)
            transport = httpx.ASGITransport(front, client=("127.0.0.1", 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                asked = await client.post(
                    "/v1.0/$batch", json={"requests": parts}, headers={"Tenure-Actor": "person:ben"}
                )
    finally:
        await elsewhere.stop()
    found, missing = asked.json()["responses"]
    assert (found["status"], found["body"]) == (200, {"id": "ana", "of": "users", "for": "person:ben"})
    assert (missing["status"], missing["body"]["error"]["target"]) == (503, "groups")


async def test_links_of_a_service_elsewhere_lead_through_the_front(tmp_path: Path) -> None:
    """A client that follows one has the front's address only; and a page's origin is held against that, too."""
    routes = APIRouter()

    @routes.get("/v1.0/things")
    async def things(request: Request) -> dict[str, Any]:
        return {"@odata.nextLink": f"{request.base_url}v1.0/things?$skiptoken=x"}

    elsewhere = HttpServer(make_app("Things", [routes]))
    settings = Settings(auth="off")
    front = application(settings, Host(settings, {}), {"things": Service("things", (), routers=[routes])}, tmp_path)
    await elsewhere.start()
    try:
        with peers.seat(tmp_path, "things"):
            peers.register(tmp_path, "things", elsewhere.url)
            transport = httpx.ASGITransport(front, client=("127.0.0.1", 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                asked = await client.get("/v1.0/things", headers={"Origin": "http://localhost:8000"})
    finally:
        await elsewhere.stop()
    assert asked.status_code == 200, asked.text
    assert asked.json()["@odata.nextLink"] == "http://localhost:8000/v1.0/things?$skiptoken=x"
