"""Directory objects whatever they are: people, groups, applications and service principals by their ids.

Source: reference/graph-api-operations.md 5.1, 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field as Described

from services.directory.api import may_write_group, own_only
from services.directory.decide.groups import DeleteGroup
from services.directory.graph import OBJECTS, PropertiesIn, typed
from services.directory.graph import group as group_shown
from services.directory.graph import user as user_shown
from services.directory.lists import answer_few
from services.directory.resources import graph
from services.directory.resources.api.rooms import ResourceRooms, first
from services.directory.resources.store import LIVING, Document
from services.directory.store import JOINED, page_of
from shared.contracts.resources import OWNER, TENANT, RoleSystem
from shared.web.errors import BadRequest, Forbidden
from shared.web.graph_model import GraphBody
from shared.web.guard import Admitted, Guard
from shared.web.odata import Shape
from shared.web.paging import context_url, list_options, shape_query

MOST_IDS = 1000
MOST_GROUPS = 20
"""Groups that one question may name."""

KINDS = ("user", "group", "application", "servicePrincipal")


class ByIds(GraphBody):
    """Ids, and of which kinds they may be."""

    ids: Annotated[tuple[str, ...], Described(min_length=1, max_length=MOST_IDS)]
    types: tuple[str, ...] = ()


class MemberGroups(GraphBody):
    security_enabled_only: bool = False


class CheckedGroups(GraphBody):
    group_ids: Annotated[tuple[str, ...], Described(max_length=MOST_GROUPS)]


class CheckedObjects(GraphBody):
    ids: Annotated[tuple[str, ...], Described(max_length=MOST_GROUPS)]


def object_routes(rooms: ResourceRooms, route_class: type[Any], guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(
        tags=["directoryObjects"],
        route_class=route_class,
        dependencies=[Depends(guard), Depends(own_only(rooms.directory.people))],
    )
    directory = rooms.directory

    @router.get("/v1.0/directoryObjects/{id}")
    async def one(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(OBJECTS))]) -> dict[str, Any]:
        found = first(list((await _objects(rooms, [id], KINDS)).values()), id)
        context = context_url(request, "directoryObjects/$entity", shape.select)
        return {
            "@odata.context": context,
            **shape.selected({"deletedDateTime": None, **found}),
        }

    @router.post("/v1.0/directoryObjects/getByIds")
    async def by_ids(request: Request, body: ByIds) -> dict[str, Any]:
        """Those that are there, in the order of the ids; unknown ones are left out."""
        wanted = {kind.lower().removeprefix("#").removeprefix("microsoft.graph.") for kind in body.types}
        kinds = [kind for kind in KINDS if not wanted - {"directoryobject"} or kind.lower() in wanted]
        found = await _objects(rooms, body.ids, kinds)
        ids = dict.fromkeys(id.lower() for id in body.ids)
        return {
            "@odata.context": context_url(request, "directoryObjects"),
            "value": [found[id] for id in ids if id in found],
        }

    @router.post("/v1.0/directoryObjects/validateProperties", status_code=204)
    async def validate(body: PropertiesIn) -> Response:
        """Whether a group may have these names: there is no policy of names, so that whatever is well formed may."""
        return Response(status_code=204)

    @router.post("/v1.0/groups/{id}/validateProperties", status_code=204)
    async def validate_of(id: str, body: PropertiesIn) -> Response:
        """The same of a group that is there."""
        await directory.group(id)
        return Response(status_code=204)

    @router.get("/v1.0/users/{id}/ownedObjects", dependencies=[Depends(list_options(OBJECTS))])
    async def owned(request: Request, id: str) -> dict[str, Any]:
        """Groups and applications that a person owns."""
        person = (await directory.user(id))["_id"]
        state = await rooms.held.state(person)
        owning = [role for role in (state["roles"] if state else ()) if role["held"] and role["role"] == OWNER]
        systems = {RoleSystem.GROUP: "group", RoleSystem.REGISTRATION: "application"}
        systems |= {RoleSystem.APPLICATION: "servicePrincipal"}
        kinds = [systems[role["origin_system"]] for role in owning]
        found = await _objects(rooms, [role["origin_id"] for role in owning], kinds)
        return answer_few(request, OBJECTS, list(found.values()))

    for path in ("users", "groups", "servicePrincipals", "directoryObjects"):
        _belonging(router, rooms, path)

    @router.delete("/v1.0/directoryObjects/{id}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted) -> Response:
        """A group. People leave by what their source says; applications are deleted where they are registered."""
        await may_write_group(admitted, id)
        found = first(list((await _objects(rooms, [id], KINDS)).values()), id)
        if found["@odata.type"] != "#microsoft.graph.group":
            raise Forbidden("Only groups are deleted here.", target="id")
        await directory.change_group(request, DeleteGroup(found["id"]))
        return Response(status_code=204)

    return router


def _belonging(router: APIRouter, rooms: ResourceRooms, path: str) -> None:
    """Which groups an object is in, at any depth; a person also has directory roles."""
    at = f"/v1.0/{path}/{{id}}"

    @router.post(f"{at}/getMemberGroups", name=f"groups of {path}")
    async def groups(request: Request, id: str, body: MemberGroups) -> dict[str, Any]:
        """Ids of the groups that somebody or a group is in."""
        return _ids(request, (await _groups_around(rooms, id, body.security_enabled_only))[1])

    @router.post(f"{at}/getMemberObjects", name=f"groups and directory roles of {path}")
    async def objects(request: Request, id: str, body: MemberGroups) -> dict[str, Any]:
        """The same, and the definitions of the directory roles that a person has."""
        person, groups = await _groups_around(rooms, id, body.security_enabled_only)
        return _ids(request, [*groups, *await _roles_of(rooms, person)])

    @router.post(f"{at}/checkMemberGroups", name=f"check groups of {path}")
    async def check_groups(request: Request, id: str, body: CheckedGroups) -> dict[str, Any]:
        """Those of the groups that it is in."""
        asked = {group.lower() for group in body.group_ids}
        return _ids(request, [group for group in (await _groups_around(rooms, id))[1] if group in asked])

    @router.post(f"{at}/checkMemberObjects", name=f"check groups and directory roles of {path}")
    async def check_objects(request: Request, id: str, body: CheckedObjects) -> dict[str, Any]:
        """Those of the groups that it is in, and of the directory roles that a person has."""
        asked = {one.lower() for one in body.ids}
        person, groups = await _groups_around(rooms, id)
        return _ids(request, [one for one in (*groups, *await _roles_of(rooms, person)) if one in asked])


def _ids(request: Request, ids: list[str]) -> dict[str, Any]:
    return {"@odata.context": context_url(request, "Collection(Edm.String)"), "value": ids}


async def _groups_around(rooms: ResourceRooms, id: str, only_security: bool = False) -> tuple[str | None, list[str]]:
    """The person, if it is one, and ids of all groups that the object is in, at any depth. Raises NotFound."""
    directory = rooms.directory
    found = first(list((await _objects(rooms, [id], KINDS)).values()), id) if _is_id(id) else None
    kind = found["@odata.type"] if found else "#microsoft.graph.user"
    direct: list[str] = []
    person: str | None = None
    if kind == "#microsoft.graph.user":
        person = (await directory.user(id))["_id"]
        direct = await directory.memberships.groups_of(person)
    elif kind == "#microsoft.graph.group":
        if only_security:
            text = "securityEnabledOnly can be asked of users and service principals, not of groups."
            raise BadRequest(text, code="Request_BadRequest", target="securityEnabledOnly")
        direct = list((await directory.group(id))["state"].get("member_of") or ())
    scope: Document = {"state.security_enabled": True} if only_security else {}
    return person, await directory.groups.ids({"_id": {"$in": await directory.groups.around(direct)}, **scope})


def _is_id(key: str) -> bool:
    """Not the name of a user."""
    return "@" not in key


async def _roles_of(rooms: ResourceRooms, person: str | None) -> list[str]:
    """Definitions of the directory roles that a person has over the whole tenant."""
    if person is None or (state := await rooms.held.state(person)) is None:
        return []
    return [
        one["role"]
        for one in state["roles"]
        if one["held"] and one["origin_system"] == RoleSystem.DIRECTORY and one["origin_id"] == TENANT
    ]


async def _objects(rooms: ResourceRooms, ids: Collection[str], kinds: Collection[str]) -> dict[str, Document]:
    """Objects of these kinds that are there, by id."""
    wanted = {"$in": sorted({id.lower() for id in ids})}
    places: dict[str, tuple[Any, Document, Callable[[Document], Document]]] = {
        "user": (rooms.directory.people, {"_id": wanted, **JOINED}, user_shown),
        "group": (rooms.directory.groups, {"_id": wanted, **LIVING}, group_shown),
        "application": (rooms.applications, {"state.registration_id": wanted, **LIVING}, graph.application),
        "servicePrincipal": (
            rooms.applications,
            {"_id": wanted, "state.is_principal": True, **LIVING},
            graph.service_principal,
        ),
    }
    found: dict[str, Document] = {}
    for kind, (store, query, shown) in places.items():
        if kind in kinds:
            for document in await page_of(store, query):
                body = shown(document)
                found[body["id"]] = typed(body, kind)
    return found
