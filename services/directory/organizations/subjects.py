"""People as subjects of entitlement management: `/subjects(objectId='…')`.

Whether a guest's stay is governed is kept with the person, as every other thing that is stated of them; what follows
from it when their last assignment ends comes with the life of guests. Source: reference/graph-api-operations.md 2.9.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response

from services.directory.api import Rooms
from services.directory.organizations import graph
from services.directory.organizations.store import LIVING, Document, Organizations
from services.directory.properties import LIFECYCLE
from services.directory.store import page_of
from services.directory.writing import state
from shared.contracts.hr import ChangeKind
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphBody
from shared.web.guard import Guard
from shared.web.odata import EntitySet, Shape
from shared.web.odata.related import related
from shared.web.paging import context_url, shape_query

AT = "/v1.0/identityGovernance/entitlementManagement/subjects(objectId='{id}')"
SUBJECTS = related("accessPackageAssignment", "target") or EntitySet("accessPackageSubject", {})


class SubjectPatch(GraphBody):
    """What can be changed of one."""

    subject_lifecycle: Literal["notDefined", "notGoverned", "governed"]


def subject_routes(rooms: Rooms, organizations: Organizations, route_class: type[Any], guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(tags=["subjects"], route_class=route_class, dependencies=[Depends(guard)])

    async def organization_of(person: Document) -> Document | None:
        """A guest's, by the domain of their mail."""
        attributes = person["state"]["attributes"]
        domain = str(attributes.get("mail") or "").rpartition("@")[2].casefold()
        if attributes.get("userType") != "Guest" or not domain:
            return None
        for one in await page_of(organizations, dict(LIVING)):
            if domain in {str(it.get("domain_name")).casefold() for it in one["state"]["identity_sources"]}:
                return graph.organization(one)
        return None

    @router.get(AT)
    async def subject(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(SUBJECTS))]) -> Document:
        """One person, with the connected organisation if it is expanded."""
        person = await rooms.user(id)
        said = _said(person)
        if any(one.name == "connectedOrganization" for one in shape.expand):
            said["connectedOrganization"] = await organization_of(person)
        context = context_url(request, "accessPackageSubjects/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(said)}

    @router.patch(AT, status_code=204)
    async def change(request: Request, id: str, body: SubjectPatch) -> Response:
        """Say whether the stay of a guest is governed."""
        person = await rooms.user(id)
        if person["state"]["attributes"].get("userType") != "Guest":
            raise BadRequest("Only the stay of guests is governed.", target="subjectLifecycle")
        await state(rooms, request, person["_id"], ChangeKind.CHANGED, {LIFECYCLE: body.subject_lifecycle})
        return Response(status_code=204)

    return router


def _said(person: Document) -> Document:
    """Graph's accessPackageSubject."""
    attributes = person["state"]["attributes"]
    return {
        "id": person["_id"],
        "objectId": person["_id"],
        "displayName": attributes.get("displayName"),
        "email": attributes.get("mail"),
        "principalName": attributes.get("userPrincipalName"),
        "onPremisesSecurityIdentifier": attributes.get("onPremisesSecurityIdentifier"),
        "subjectType": "user",
        "subjectLifecycle": attributes.get(LIFECYCLE, "notDefined"),
    }
