"""What the directory answers of connected organisations and of the tenant's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.directory.api import Rooms, refuse
from services.directory.decide.conditional import Conditional
from services.directory.decide.organizations import (
    ChangeOrganization,
    ChangeSettings,
    CreateOrganization,
    DeleteOrganization,
    OrganizationCommand,
    SetSponsor,
)
from services.directory.graph import USERS, Reference
from services.directory.lists import answer_objects, answer_shown
from services.directory.organizations import graph
from services.directory.organizations.graph import (
    CONFIGURATIONS,
    ORGANIZATIONS,
    SETTINGS,
    EndUserSettingsPatch,
    OrganizationIn,
    OrganizationPatch,
    SettingsPatch,
)
from services.directory.organizations.store import LIVING, Document, Organizations, SettingsStore
from services.directory.store import page_of
from shared.contracts.organizations import OrganizationState, SettingsState, Side
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import NotFound
from shared.web.guard import Guard
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery, Shape
from shared.web.paging import context_url, list_options, list_query, shape_query

EM = "/v1.0/identityGovernance/entitlementManagement"
AT = f"{EM}/connectedOrganizations"
MOST_EXPANDED = 20


@dataclass(frozen=True)
class OrganizationRooms:
    """What these routes work with."""

    directory: Rooms
    organizations: Organizations
    settings: SettingsStore
    organization_loop: Loop[OrganizationState]
    settings_loop: Loop[SettingsState]
    on_organization: Handler[OrganizationState, Conditional[OrganizationCommand], None]
    on_settings: Handler[SettingsState, Conditional[ChangeSettings], None]

    async def organization(self, id: str) -> Document:
        """Raises NotFound."""
        found = await page_of(self.organizations, {"_id": id.lower(), **LIVING}, limit=1)
        if not found:
            raise NotFound("The resource was not found.")
        return found[0]

    async def change(self, request: Request, command: OrganizationCommand, version: int | None = None) -> None:
        asked = Conditional(command, version)
        run = self.directory.platform.run_one
        outcome = await run(self.organization_loop, self.on_organization, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)

    async def change_settings(self, request: Request, properties: Document, version: int | None) -> None:
        asked = Conditional(ChangeSettings(properties), version)
        run = self.directory.platform.run_one
        outcome = await run(self.settings_loop, self.on_settings, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)

    async def shown(self, documents: Sequence[Document], expand: tuple[Expand, ...]) -> list[Document]:
        """Organisations with what is to be expanded."""
        said = [graph.organization(one) for one in documents]
        for relation in expand:
            side = Side(relation.name)
            for body, document in zip(said, documents, strict=True):
                ids = _sponsors_of(document, side)[:MOST_EXPANDED]
                body[relation.name] = await self.directory.objects(ids)
        return said


def _sponsors_of(document: Document, side: Side) -> list[str]:
    ids: list[str] = document["state"]["internal_sponsors" if side is Side.INTERNAL else "external_sponsors"]
    return ids


def organization_routes(rooms: OrganizationRooms, route_class: type[Any], guard: Guard) -> APIRouter:
    """These routes. `route_class` answers repeated requests once."""
    router = APIRouter(tags=["connectedOrganizations"], route_class=route_class, dependencies=[Depends(guard)])
    _organizations(router, rooms)
    for side in Side:
        _sponsors(router, rooms, side)
    return router


def settings_routes(rooms: OrganizationRooms, route_class: type[Any], guard: Guard) -> APIRouter:
    """Those of what holds for the whole tenant."""
    router = APIRouter(tags=["settings"], route_class=route_class, dependencies=[Depends(guard)])
    _settings(router, rooms)
    return router


def _organizations(router: APIRouter, rooms: OrganizationRooms) -> None:
    @router.get(AT)
    async def organizations(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ORGANIZATIONS))]
    ) -> dict[str, Any]:
        return await answer_shown(
            request,
            query,
            rooms.organizations,
            lambda found: rooms.shown(found, query.expand),
            context="identityGovernance/entitlementManagement/connectedOrganizations",
            scope=LIVING,
        )

    @router.post(AT, status_code=201)
    async def create(
        request: Request, response: Response, body: OrganizationIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """Of several kinds of identity sources; whom they mean is settled where guests are dealt with."""
        id = made_id(request, "organization")
        await rooms.change(request, CreateOrganization(id, body.properties()))
        return await answered(request, response, id)

    @router.get(f"{AT}/{{id}}")
    async def one(
        request: Request, response: Response, id: str, shape: Annotated[Shape, Depends(shape_query(ORGANIZATIONS))]
    ) -> dict[str, Any]:
        return await answered(request, response, id, shape)

    @router.patch(f"{AT}/{{id}}", status_code=202)
    async def patch(
        request: Request, response: Response, id: str, body: OrganizationPatch, if_match: IfMatch = None
    ) -> dict[str, Any]:
        """202 and the organisation as it is now, as documented."""
        await rooms.change(request, ChangeOrganization(id.lower(), body.properties()), version_named(if_match))
        return await answered(request, response, id)

    @router.delete(f"{AT}/{{id}}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        await rooms.organization(id)
        await rooms.change(request, DeleteOrganization(id.lower()), version_named(if_match))
        return Response(status_code=204)

    async def answered(request: Request, response: Response, id: str, shape: Shape | None = None) -> dict[str, Any]:
        found = await rooms.organization(id)
        response.headers["ETag"] = etag(found["version"])
        (body,) = await rooms.shown([found], shape.expand if shape else ())
        context = "identityGovernance/entitlementManagement/connectedOrganizations/$entity"
        said = shape.selected(body) if shape else body
        return {"@odata.context": context_url(request, context, shape.select if shape else None), **said}


def _sponsors(router: APIRouter, rooms: OrganizationRooms, side: Side) -> None:
    at = f"{AT}/{{id}}/{side.value}"

    @router.get(at, name=f"list {side.value}", dependencies=[Depends(list_options(USERS))])
    async def sponsors(request: Request, id: str) -> dict[str, Any]:
        """People and groups."""
        ids = _sponsors_of(await rooms.organization(id), side)
        return await answer_objects(request, rooms.directory.kinds(ids))

    @router.post(f"{at}/$ref", status_code=204, name=f"add to {side.value}")
    async def add(request: Request, id: str, body: Reference) -> Response:
        """A person or a group of the directory. Who is a sponsor already stays one."""
        if not await rooms.directory.objects([body.id]):
            raise NotFound(f"There is no user or group {body.id[:100]}.", target="@odata.id")
        await rooms.change(request, SetSponsor(id.lower(), side, body.id.lower(), present=True))
        return Response(status_code=204)

    @router.delete(f"{at}/{{sponsor}}/$ref", status_code=204, name=f"remove from {side.value}")
    async def remove(request: Request, id: str, sponsor: str) -> Response:
        await rooms.change(request, SetSponsor(id.lower(), side, sponsor.lower(), present=False))
        return Response(status_code=204)


def _settings(router: APIRouter, rooms: OrganizationRooms) -> None:
    context = "identityGovernance/entitlementManagement"
    controls = f"{EM}/controlConfigurations"

    @router.get(f"{EM}/settings")
    async def settings(
        request: Request, response: Response, shape: Annotated[Shape, Depends(shape_query(SETTINGS))]
    ) -> dict[str, Any]:
        """What becomes of governed guests whose last assignment has ended, and who is shown what packages bring."""
        state, version = await rooms.settings.present()
        response.headers["ETag"] = etag(version)
        at = context_url(request, f"{context}/settings/$entity", shape.select)
        return {"@odata.context": at, **shape.selected(graph.settings(state))}

    @router.patch(f"{EM}/settings", status_code=204)
    async def patch(request: Request, body: SettingsPatch, if_match: IfMatch = None) -> Response:
        """Counts for what ends from now on (EXU-4)."""
        await rooms.change_settings(request, body.properties(), version_named(if_match))
        return Response(status_code=204)

    @router.get(controls)
    async def configurations(
        request: Request, query: Annotated[ListQuery, Depends(list_query(CONFIGURATIONS))]
    ) -> dict[str, Any]:
        """There is one: endUserSettings."""
        state, _ = await rooms.settings.present()
        said = [query.selected(graph.end_user_settings(state))]
        return {
            "@odata.context": context_url(request, f"{context}/controlConfigurations", query.select),
            **({"@odata.count": len(said)} if query.count else {}),
            "value": said[query.skip : query.skip + query.top],
        }

    @router.get(f"{controls}/{{id}}")
    async def configuration(
        request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(CONFIGURATIONS))]
    ) -> dict[str, Any]:
        """By its id, or as `endUserSettings`."""
        _known(id)
        state, _ = await rooms.settings.present()
        at = context_url(request, f"{context}/controlConfigurations/$entity", shape.select)
        return {"@odata.context": at, **shape.selected(graph.end_user_settings(state))}

    @router.patch(f"{controls}/{{id}}")
    async def configure(request: Request, id: str, body: EndUserSettingsPatch, if_match: IfMatch = None) -> Response:
        _known(id)
        await rooms.change_settings(request, body.properties(), version_named(if_match))
        state, version = await rooms.settings.present()
        said = graph.end_user_settings(state)
        shown = {"@odata.context": context_url(request, f"{context}/controlConfigurations/$entity"), **said}
        return JSONResponse(shown, headers={"ETag": etag(version)})


def _known(id: str) -> None:
    if id.lower() not in {graph.END_USER_SETTINGS_ID, "endusersettings"}:
        raise NotFound("The resource was not found.")
