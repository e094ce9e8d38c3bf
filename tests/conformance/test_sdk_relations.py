"""From one object to those that it is related to, by the request builders of Microsoft's own client.

The client has builders for an assignment's target, too, but its packages leave their modules out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.access_package import AccessPackage
from msgraph.generated.models.access_package_assignment import AccessPackageAssignment
from msgraph.generated.models.access_package_assignment_policy import AccessPackageAssignmentPolicy
from msgraph.generated.models.access_package_assignment_request import AccessPackageAssignmentRequest
from msgraph.generated.models.access_package_request_state import AccessPackageRequestState
from msgraph.generated.models.access_package_request_type import AccessPackageRequestType
from msgraph.generated.models.allowed_target_scope import AllowedTargetScope
from msgraph.generated.models.connected_organization import ConnectedOrganization
from msgraph.generated.models.connected_organization_state import ConnectedOrganizationState
from msgraph.generated.models.domain_identity_source import DomainIdentitySource
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User

from deploy.embedded import Servers
from tests.conformance.ground import running
from tests.conformance.sdk import Offer, Tenure, approve, becomes, listed, made, offer, until

pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning:msgraph")

DOMAIN = "partner.example"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenure(servers: Servers) -> AsyncIterator[Tenure]:
    async with running(servers.endpoints) as client:
        yield Tenure(client)


async def partner(tenure: Tenure, sponsor: str) -> str:
    """A connected organisation, by the domain of its mail."""
    em = tenure.em()
    body = ConnectedOrganization(
        display_name="Partner",
        state=ConnectedOrganizationState.Configured,
        identity_sources=[
            DomainIdentitySource(
                odata_type="#microsoft.graph.domainIdentitySource", domain_name=DOMAIN, display_name="Partner"
            )
        ],
    )
    organization = made(await em.connected_organizations.post(body))
    one = em.connected_organizations.by_connected_organization_id(organization)
    await one.internal_sponsors.ref.post(ReferenceCreate(odata_id=f"{tenure.url}/v1.0/users/{sponsor}"))
    return organization


async def given_to(tenure: Tenure, person: str, what: Offer) -> str:
    body = AccessPackageAssignmentRequest(
        request_type=AccessPackageRequestType.AdminAdd,
        assignment=AccessPackageAssignment(
            additional_data={
                "targetId": person,
                "accessPackageId": what.package,
                "assignmentPolicyId": what.policy,
            }
        ),
    )
    request = made(await tenure.em().assignment_requests.post(body))
    await becomes(tenure, request, AccessPackageRequestState.Delivered)
    return request


async def test_from_a_request_to_whoever_asked_and_from_an_assignment_to_all_that_it_is_about(tenure: Tenure) -> None:
    ana, boss = await tenure.person("ana"), await tenure.person("boss")
    what = await offer(tenure, "Atlas", boss)
    asking = AccessPackageAssignmentRequest(
        request_type=AccessPackageRequestType.UserAdd,
        assignment=AccessPackageAssignment(
            additional_data={"accessPackageId": what.package, "assignmentPolicyId": what.policy}
        ),
    )
    request = made(await tenure.em(ana).assignment_requests.post(asking))
    await approve(tenure, request, boss)
    await becomes(tenure, request, AccessPackageRequestState.Delivered)

    em = tenure.em()
    for who in (None, ana, boss):  # those who may read the request
        asked = tenure.em(who).assignment_requests.by_access_package_assignment_request_id(request)
        assert (await asked.requestor.get()).object_id == ana
        assert (await asked.access_package.get()).display_name == "Atlas"
        assignment = made(await asked.assignment.get())
    strangers = tenure.em(await tenure.person("eve")).assignment_requests
    with pytest.raises(ODataError) as refused:
        await strangers.by_access_package_assignment_request_id(request).requestor.get()
    assert refused.value.response_status_code == 403

    parameters = em.assignment_requests.AssignmentRequestsRequestBuilderGetQueryParameters
    for wanted, found in (
        ("requestor/displayName eq 'ANA' and accessPackage/displayName eq 'atlas'", [request]),
        ("assignment/target/displayName eq 'ana' and assignment/assignmentPolicy/displayName eq 'Atlas'", [request]),
        ("startswith(accessPackage/catalog/displayName,'Atl') and schedule/startDateTime eq null", [request]),
        ("requestor/email eq 'nobody@example.com'", []),
    ):
        asked_for = RequestConfiguration(query_parameters=parameters(filter=wanted, expand=["*"]))
        assert [one.id for one in listed(await em.assignment_requests.get(asked_for))] == found, wanted
    approvals = tenure.em(ana).access_package_assignment_approvals
    assert [one.id for one in listed(await approvals.get())] == [request]
    assert listed(await tenure.em(await tenure.person("una")).access_package_assignment_approvals.get()) == []
    assert listed(await tenure.em(ana).access_package_suggestions.get()) == []

    held = em.assignments.by_access_package_assignment_id(assignment)
    assert (await held.access_package.get()).display_name == "Atlas"
    assert (await held.assignment_policy.get()).id == what.policy


async def test_from_a_package_to_its_catalog_and_policies_and_back(tenure: Tenure) -> None:
    what = await offer(tenure, "Borea")
    em = tenure.em()
    package = em.access_packages.by_access_package_id(what.package)
    catalog = await package.catalog.get()
    assert catalog.display_name == "Borea"
    assert [one.id for one in listed(await package.assignment_policies.get())] == [what.policy]
    policy = package.assignment_policies.by_access_package_assignment_policy_id(what.policy)
    assert (await policy.get()).display_name == "Borea"
    assert (await policy.access_package.get()).id == what.package
    assert listed(await policy.questions.get()) == []
    of_policy = em.assignment_policies.by_access_package_assignment_policy_id(what.policy)
    assert (await of_policy.access_package.get()).id == what.package
    assert (await of_policy.catalog.get()).id == catalog.id

    every = {one.id for one in listed(await em.resource_role_scopes.get())}
    assert {one.id for one in listed(await package.resource_role_scopes.get())} <= every
    there = em.catalogs.by_access_package_catalog_id(catalog.id)
    assert (await there.access_packages.by_access_package_id(what.package).get()).display_name == "Borea"
    (role, _) = listed(await there.resource_roles.get())
    one_role = there.resource_roles.by_access_package_resource_role_id(role.id)
    assert (await one_role.get()).display_name == "Member"
    assert (await one_role.resource.get()).origin_id == what.group
    (brought,) = listed(await package.resource_role_scopes.get())
    role_scope = package.resource_role_scopes.by_access_package_resource_role_scope_id(brought.id)
    assert (await role_scope.role.get()).id == role.id
    assert (await role_scope.role.resource.get()).origin_id == what.group
    assert (await role_scope.scope.get()).is_root_scope

    options = type(em.resource_requests).ResourceRequestsRequestBuilderGetQueryParameters(
        filter=f"resource/originId eq '{what.group}'", expand=["resource($expand=roles)"]
    )
    (came,) = listed(await em.resource_requests.get(RequestConfiguration(query_parameters=options)))
    assert role.id in {one.id for one in came.resource.roles}
    how = em.resource_requests.by_access_package_resource_request_id(came.id)
    assert (await how.catalog.get()).id == catalog.id
    assert (await how.resource.get()).origin_id == what.group
    assert {one.display_name for one in listed(await how.resource.roles.get())} == {"Member", "Owner"}
    assert (await how.resource.environment.get()) is None, "a group lies in none"


async def test_from_a_guest_to_the_organization_that_they_are_of(tenure: Tenure) -> None:
    eva = await tenure.person("eva")
    organization = await partner(tenure, eva)
    gus = await tenure.person("gus", "Guest")
    await tenure.client().users.by_user_id(gus).patch(User(mail=f"gus@{DOMAIN}"))
    em, what = tenure.em(), await offer(tenure, "Ceres")
    by_hand = AccessPackageAssignmentPolicy(
        display_name="By hand",
        allowed_target_scope=AllowedTargetScope.NotSpecified,
        access_package=AccessPackage(id=what.package),
    )
    request = await given_to(tenure, gus, replace(what, policy=made(await em.assignment_policies.post(by_hand))))

    async def assigned() -> Any:
        options = type(em.assignments).AssignmentsRequestBuilderGetQueryParameters(
            filter=f"accessPackage/id eq '{what.package}'",
            expand=["target($expand=connectedOrganization($expand=internalSponsors))"],
        )
        (one,) = listed(await em.assignments.get(RequestConfiguration(query_parameters=options)))
        return one if one.target.connected_organization else None

    one = await until(assigned, "it is known of which organization the guest is")
    assert (one.target.object_id, one.target.connected_organization.id) == (gus, organization)
    assert [it.id for it in one.target.connected_organization.internal_sponsors] == [eva]

    organization_of = "$expand=connectedOrganization"

    async def asked() -> Any:
        options = type(em.assignment_requests).AssignmentRequestsRequestBuilderGetQueryParameters(
            filter=f"accessPackage/id eq '{what.package}'",
            expand=[f"requestor({organization_of})", f"assignment($expand=target({organization_of}))"],
        )
        found = listed(await em.assignment_requests.get(RequestConfiguration(query_parameters=options)))
        return next((one for one in found if one.assignment.target.connected_organization), None)

    by_request = await until(asked, "requests know it, too")
    assert by_request.id == request
    assert by_request.assignment.target.connected_organization.id == organization
    assert by_request.requestor is None or by_request.requestor.connected_organization is None


async def test_directory_objects_are_read_by_type_under_the_name_that_the_client_sends(tenure: Tenure) -> None:
    ina, graph = await tenure.person("ina"), tenure.client()
    what = await offer(tenure, "Cirrus")
    group = graph.groups.by_group_id(what.group)
    await group.members.ref.post(ReferenceCreate(odata_id=f"{tenure.url}/v1.0/directoryObjects/{ina}"))
    await group.owners.ref.post(ReferenceCreate(odata_id=f"{tenure.url}/v1.0/users/{ina}"))
    for one in (group.members, group.transitive_members, group.owners):
        assert [user.id for user in listed(await one.graph_user.get())] == [ina]
        assert listed(await one.graph_service_principal.get()) == []
        assert await one.graph_user.count.get() == 1
    user = graph.users.by_user_id(ina)
    for one in (user.member_of, user.transitive_member_of, user.owned_objects):
        assert [it.id for it in listed(await one.graph_group.get())] == [what.group]
    assert (await group.members.by_directory_object_id(ina).graph_user.get()).display_name == "ina"
    assert listed(await graph.directory.deleted_items.graph_user.get()) == []
