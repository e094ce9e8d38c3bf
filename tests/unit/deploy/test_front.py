"""The front: its own routes and the way to services in other processes, for single requests and batches alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def in_front(folder: Path, running: Service, *missing: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a front whose services run elsewhere: one of them really, the others not at all."""
    settings = Settings(auth="off")
    front = application(settings, Host(settings, {}), {one.name: one for one in (running, *missing)}, folder)
    async with answering(running) as url:
        with peers.seat(folder, running.name):
            peers.register(folder, running.name, url)
            transport = httpx.ASGITransport(front, client=("127.0.0.1", 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                yield client


@asynccontextmanager
async def answering(running: Service) -> AsyncIterator[str]:
    """The address of a process of this service."""
    elsewhere = HttpServer(make_app(running.name.title(), running.routers))
    await elsewhere.start()
    try:
        yield elsewhere.url
    finally:
        await elsewhere.stop()


async def test_a_batch_reaches_services_of_other_processes(tmp_path: Path) -> None:
    users, groups = service("users"), service("groups")
    parts = [{"id": name, "method": "GET", "url": f"/{name}('ana')"} for name in ("users", "groups")]
    async with in_front(tmp_path, users, groups) as client:
        asked = await client.post("/v1.0/$batch", json={"requests": parts}, headers={"Tenure-Actor": "person:ben"})
    found, missing = asked.json()["responses"]
    assert (found["status"], found["body"]) == (200, {"id": "ana", "of": "users", "for": "person:ben"})
    assert (missing["status"], missing["body"]["error"]["target"]) == (503, "groups")


async def test_of_several_processes_one_that_listens_no_more_is_passed_by(tmp_path: Path) -> None:
    users = service("users")
    with peers.seat(tmp_path, "users"):
        peers.register(tmp_path, "users", "http://127.0.0.1:9")
        front = application(Settings(auth="off"), Host(Settings(), {}), {"users": users}, tmp_path)
        transport = httpx.ASGITransport(front, client=("127.0.0.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            alone = await client.get("/v1.0/users/ana")
            assert (alone.status_code, alone.json()["error"]["target"]) == (503, "users")
            assert "does not answer" in alone.json()["error"]["message"]
            async with answering(users) as url:
                with peers.seat(tmp_path, "users", another=True) as number:
                    peers.register(tmp_path, "users", url, number)
                    assert (await client.get("/v1.0/users/ana")).json()["id"] == "ana"


async def test_links_of_a_service_elsewhere_lead_through_the_front(tmp_path: Path) -> None:
    """A client that follows one has the front's address only; and a page's origin is held against that, too."""
    routes = APIRouter()

    @routes.get("/v1.0/things")
    async def things(request: Request) -> dict[str, Any]:
        return {"@odata.nextLink": f"{request.base_url}v1.0/things?$skiptoken=x"}

    async with in_front(tmp_path, Service("things", (), routers=[routes])) as client:
        asked = await client.get("/v1.0/things", headers={"Origin": "http://localhost:8000"})
    assert asked.status_code == 200, asked.text
    assert asked.json()["@odata.nextLink"] == "http://localhost:8000/v1.0/things?$skiptoken=x"


async def test_what_another_process_answers_under_a_path_that_fits_here_too_is_asked_of_it(tmp_path: Path) -> None:
    """`accessPackages/filterByCurrentUser(…)`, of request, is no id of a package, which catalog would take it for."""
    settings, request = Settings(auth="off"), service("packages")
    host = Host(settings, {"catalog": lambda _platform: service("packages")})
    front = application(settings, host, {"request": request}, tmp_path)
    transport = httpx.ASGITransport(front, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        asked = await client.get("/v1.0/packages/mine")
    assert (asked.status_code, asked.json()["error"]["target"]) == (503, "request")
