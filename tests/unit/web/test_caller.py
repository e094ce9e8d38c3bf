"""Who asks, while nobody has to prove it: the operator, or whom a header names, and only from this machine."""

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from shared.security.caller import Caller, operator, ordinary_person
from shared.security.permissions import DIRECTORY_ROLES, directory_role
from shared.web.app import make_app
from shared.web.caller import Asking, cause_of


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter()

    @routes.get("/who")
    async def who(request: Request, caller: Asking) -> dict[str, Any]:
        return {
            "actor": cause_of(request).actor,
            "person": caller.person_id,
            "operator": caller.is_operator,
            "roles": sorted(caller.directory_roles),
            "mayRead": caller.permits("EntitlementManagement.Read.All"),
            "mayAdminister": caller.has_role("Identity Governance Administrator"),
        }

    return make_app("Test", [routes])


async def asked(app: FastAPI, client: str = "127.0.0.1", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=(client, 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        return await http.get("/who", headers={name.replace("_", "-"): value for name, value in headers.items()})


OPERATOR = {
    "actor": "system:api",
    "person": None,
    "operator": True,
    "roles": ["Global Administrator"],
    "mayRead": True,
    "mayAdminister": True,
}


async def test_who_says_nothing_is_the_operator(app: FastAPI) -> None:
    assert (await asked(app)).json() == OPERATOR


async def test_a_file_is_the_operators_too(app: FastAPI) -> None:
    assert (await asked(app, Tenure_Actor="file:m%C3%BCller.yaml")).json() == {**OPERATOR, "actor": "file:müller.yaml"}


async def test_a_person_is_an_ordinary_one_unless_roles_are_named(app: FastAPI) -> None:
    ordinary = {"actor": "person:8a1f", "person": "8a1f", "operator": False, "roles": [], "mayRead": True}
    assert (await asked(app, Tenure_Actor="person:8a1f")).json() == {**ordinary, "mayAdminister": False}
    roles = "global reader, 45d8d3c5-c802-45c6-b32a-1d70b5e1e86e"
    with_roles = (await asked(app, Tenure_Actor="person:8a1f", Tenure_Roles=roles)).json()
    assert with_roles["roles"] == ["Global Reader", "Identity Governance Administrator"]
    assert with_roles["mayAdminister"]


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ({"Tenure_Actor": "me"}, "Tenure-Actor"),
        ({"Tenure_Actor": "person:"}, "Tenure-Actor"),
        ({"Tenure_Actor": "person:a/b"}, "Tenure-Actor"),
        ({"Tenure_Actor": "person:a", "Tenure_Roles": "King"}, "Tenure-Roles"),
    ],
)
async def test_what_names_nobody_is_refused(app: FastAPI, headers: dict[str, str], target: str) -> None:
    answer = await asked(app, **headers)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)


async def test_headers_of_other_machines_are_not_believed(app: FastAPI) -> None:
    assert (await asked(app, "10.0.0.7", Tenure_Actor="person:8a1f")).json() == OPERATOR


def test_reading_is_allowed_by_the_permission_to_write_and_not_the_other_way_round() -> None:
    writer = Caller("app:x", app_id="x", app_roles=frozenset({"User.ReadWrite.All"}))
    reader = Caller("app:x", app_id="x", app_roles=frozenset({"User.Read.All"}))
    assert (writer.permits("User.Read.All"), writer.permits("User.ReadWrite.All")) == (True, True)
    assert (reader.permits("User.Read.All"), reader.permits("User.ReadWrite.All")) == (True, False)
    assert not ordinary_person("p").has_role("Global Reader")
    assert operator("system:api").has_role("Global Reader")


def test_a_directory_role_is_said_by_name_or_template() -> None:
    assert {directory_role(name.upper()) for name in DIRECTORY_ROLES} == set(DIRECTORY_ROLES)
    assert {directory_role(id) for id in DIRECTORY_ROLES.values()} == set(DIRECTORY_ROLES)
    assert directory_role("nobody") is None
