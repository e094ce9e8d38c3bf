"""What the directory answers of applications, sites and held roles."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from services.directory.resources.api.applications import application_routes
from services.directory.resources.api.directory_roles import role_assignment_routes, role_definition_routes
from services.directory.resources.api.owners import owner_of_application, owner_of_principal, owner_routes
from services.directory.resources.api.principals import app_role_assignment_routes, principal_routes
from services.directory.resources.api.rooms import ResourceRooms
from services.directory.resources.api.sites import site_assignment_routes, site_routes
from shared.contracts.resources import OWNER, RoleAt, RoleSystem
from shared.web.guard import Guard


def routes(rooms: ResourceRooms, route_class: type[Any], guard: Guard) -> list[APIRouter]:
    """`route_class` answers repeated requests once."""
    routers = {
        tag: APIRouter(tags=[tag], route_class=route_class, dependencies=[Depends(guard)])
        for tag in ("applications", "servicePrincipals", "sites", "groups", "roleManagement")
    }
    application_routes(routers["applications"], rooms)
    principal_routes(routers["servicePrincipals"], rooms)
    app_role_assignment_routes(routers["servicePrincipals"], rooms)
    site_routes(routers["sites"], rooms)
    site_assignment_routes(routers["sites"], rooms)
    role_definition_routes(routers["roleManagement"], rooms)
    role_assignment_routes(routers["roleManagement"], rooms)

    async def group(id: str) -> RoleAt:
        found = await rooms.directory.group(id)
        return RoleAt(origin_system=RoleSystem.GROUP, origin_id=found["_id"], role=OWNER)

    async def application(id: str) -> RoleAt:
        return owner_of_application(await rooms.application(id))

    async def principal(id: str) -> RoleAt:
        return owner_of_principal(await rooms.principal(id))

    for path, owner_of in (("groups", group), ("applications", application), ("servicePrincipals", principal)):
        owner_routes(routers[path], rooms, path, owner_of)
    return list(routers.values())
