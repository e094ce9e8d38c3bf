"""People as subjects of entitlement management: `/subjects`, `/subjects/{id}`, `/subjects(objectId='…')`; whose id is
that of the person.

Whether a guest's stay is governed is kept with the person, as every other thing that is stated of them; what follows
from it when their last assignment ends comes with the life of guests. Source: reference/graph-api-operations.md 2.9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response

from services.directory.api import Rooms
from services.directory.lists import answer_shown
from services.directory.organizations import graph
from services.directory.organizations.store import LIVING, Document, Organizations
from services.directory.properties import LIFECYCLE
from services.directory.store import JOINED, page_of
from services.directory.writing import state
from shared.contracts.hr import ChangeKind
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphBody
from shared.web.guard import Guard
from shared.web.odata import GUID, EntitySet, Field, ListQuery, Shape
from shared.web.odata.related import related
from shared.web.paging import context_url, list_query, shape_query

ALL = "/v1.0/identityGovernance/entitlementManagement/subjects"
AT = f"{ALL}(objectId='{{id}}')"
SUBJECTS = replace(
    related("accessPackageAssignment", "target") or EntitySet("accessPackageSubject", {}),
    fields={
        "id": Field("_id", GUID),
        "objectId": Field("_id", GUID),
        "displayName": Field("state.attributes.displayName", sortable=True, folded="state.label"),
        "email": Field("state.attributes.mail"),
        "principalName": Field("state.attributes.userPrincipalName", folded="state.name"),
    },
)


class SubjectPatch(GraphBody):
    """What can be changed of one."""

    subject_lifecycle: Literal["notDefined", "notGoverned", "governed"]


def subject_routes(rooms: Rooms, organizations: Organizations, route_class: type[Any], guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(tags=["subjects"], route_class=route_class, dependencies=[Depends(guard)])

    async def said_of(people: Sequence[Document], shape: Shape) -> list[Document]:
        """With the connected organisations if they are expanded: of guests, by the domain of their mail."""
        said = [_said(one) for one in people]
        if any(one.name == "connectedOrganization" for one in shape.expand):
            of_domain = {
                str(domain).casefold(): one
                for one in reversed(await page_of(organizations, dict(LIVING)))
                for it in one["state"]["identity_sources"]
                if (domain := it.get("domain_name"))
            }
            for body, one in zip(said, people, strict=True):
                found = of_domain.get(_domain(one["state"]["attributes"]))
                body["connectedOrganization"] = graph.organization(found) if found else None
        return said

    @router.get(ALL)
    async def subjects(request: Request, query: Annotated[ListQuery, Depends(list_query(SUBJECTS))]) -> Document:
        """Everybody who can be given something."""

        async def shown(found: Sequence[Document]) -> list[Document]:
            return await said_of(found, query)

        return await answer_shown(request, query, rooms.people, shown, context="accessPackageSubjects", scope=JOINED)

    @router.get(f"{ALL}/{{id}}")
    @router.get(AT)
    async def subject(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(SUBJECTS))]) -> Document:
        """One person, with the connected organisation if it is expanded."""
        (said,) = await said_of([await rooms.user(id)], shape)
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


def _domain(attributes: Mapping[str, Any]) -> str:
    """By which a guest is of an organisation; empty for everybody else."""
    mail = str(attributes.get("mail") or "") if attributes.get("userType") == "Guest" else ""
    return mail.rpartition("@")[2].casefold()


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
