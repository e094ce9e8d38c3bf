"""Stories told with Microsoft's own client, `msgraph-sdk`, which knows nothing of Tenure but its address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.access_package import AccessPackage
from msgraph.generated.models.access_package_approval_stage import AccessPackageApprovalStage
from msgraph.generated.models.access_package_assignment import AccessPackageAssignment
from msgraph.generated.models.access_package_assignment_approval_settings import AccessPackageAssignmentApprovalSettings
from msgraph.generated.models.access_package_assignment_policy import AccessPackageAssignmentPolicy
from msgraph.generated.models.access_package_assignment_request import AccessPackageAssignmentRequest
from msgraph.generated.models.access_package_assignment_requestor_settings import (
    AccessPackageAssignmentRequestorSettings,
)
from msgraph.generated.models.access_package_catalog import AccessPackageCatalog
from msgraph.generated.models.access_package_request_state import AccessPackageRequestState
from msgraph.generated.models.access_package_request_type import AccessPackageRequestType
from msgraph.generated.models.access_package_resource import AccessPackageResource
from msgraph.generated.models.access_package_resource_request import AccessPackageResourceRequest
from msgraph.generated.models.access_package_resource_role import AccessPackageResourceRole
from msgraph.generated.models.access_package_resource_role_scope import AccessPackageResourceRoleScope
from msgraph.generated.models.access_package_resource_scope import AccessPackageResourceScope
from msgraph.generated.models.allowed_target_scope import AllowedTargetScope
from msgraph.generated.models.approval_stage import ApprovalStage
from msgraph.generated.models.expiration_pattern import ExpirationPattern
from msgraph.generated.models.expiration_pattern_type import ExpirationPatternType
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.single_user import SingleUser
from msgraph.generated.models.user import User

from deploy.embedded import Servers
from tests.conformance.ground import running
from tests.conformance.sdk import Tenure, listed, made, until

# The client warns of classes that it itself uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning:msgraph")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenure(servers: Servers) -> AsyncIterator[Tenure]:
    async with running(servers.endpoints) as client:
        yield Tenure(client)


async def test_from_an_empty_catalog_to_access_that_somebody_approved(tenure: Tenure) -> None:
    ana, boss = await tenure.person("ana"), await tenure.person("boss")
    graph = tenure.client()
    em = graph.identity_governance.entitlement_management

    group = await graph.groups.post(
        Group(display_name="Harbour", mail_nickname="harbour", mail_enabled=False, security_enabled=True)
    )
    catalog = await em.catalogs.post(AccessPackageCatalog(display_name="Port", description="All of the port"))
    group_id, catalog_id = made(group), made(catalog)
    origin = AccessPackageResource(origin_id=group_id, origin_system="AadGroup")
    await em.resource_requests.post(
        AccessPackageResourceRequest(
            request_type=AccessPackageRequestType.AdminAdd,
            catalog=AccessPackageCatalog(id=catalog_id),
            resource=origin,
        )
    )
    package = await em.access_packages.post(
        AccessPackage(display_name="Pilots", catalog=AccessPackageCatalog(id=catalog_id))
    )
    package_id = made(package)
    role = AccessPackageResourceRole(
        origin_id=f"Member_{group_id}", origin_system="AadGroup", display_name="Member", resource=origin
    )
    scope = AccessPackageResourceScope(origin_id=group_id, origin_system="AadGroup", is_root_scope=True)
    await em.access_packages.by_access_package_id(package_id).resource_role_scopes.post(
        AccessPackageResourceRoleScope(role=role, scope=scope)
    )
    policy = await em.assignment_policies.post(
        AccessPackageAssignmentPolicy(
            display_name="The boss looks",
            allowed_target_scope=AllowedTargetScope.AllMemberUsers,
            expiration=ExpirationPattern(type=ExpirationPatternType.NoExpiration),
            requestor_settings=AccessPackageAssignmentRequestorSettings(enable_targets_to_self_add_access=True),
            request_approval_settings=AccessPackageAssignmentApprovalSettings(
                is_approval_required_for_add=True,
                stages=[AccessPackageApprovalStage(primary_approvers=[SingleUser(user_id=boss)])],
            ),
            access_package=AccessPackage(id=package_id),
        )
    )
    policy_id = made(policy)

    asking = AccessPackageAssignmentRequest(
        request_type=AccessPackageRequestType.UserAdd,
        justification="I pilot.",
        assignment=AccessPackageAssignment(
            additional_data={"accessPackageId": package_id, "assignmentPolicyId": policy_id}
        ),
    )
    hers = tenure.client(ana).identity_governance.entitlement_management
    request = await hers.assignment_requests.post(asking)
    request_id = made(request)
    assert request.state is AccessPackageRequestState.Submitted

    deciding = tenure.client(boss).identity_governance.entitlement_management.access_package_assignment_approvals

    async def open_stage() -> str | None:
        waiting = await deciding.filter_by_current_user_with_on("approver").get()
        if request_id not in {one.id for one in listed(waiting)}:
            return None
        stages = await deciding.by_approval_id(request_id).stages.get()
        return next((one.id for one in listed(stages) if one.assigned_to_me), None)

    stage = await until(open_stage, "the boss is asked")
    decision = ApprovalStage(review_result="Approve", justification="She does.")
    await deciding.by_approval_id(request_id).stages.by_approval_stage_id(stage).patch(decision)
    with pytest.raises(ODataError) as again:
        await (
            deciding.by_approval_id(request_id)
            .stages.by_approval_stage_id(stage)
            .patch(ApprovalStage(review_result="Deny"))
        )
    assert again.value.response_status_code == 409

    async def delivered() -> bool:
        said = await em.assignment_requests.by_access_package_assignment_request_id(request_id).get()
        return said is not None and said.state is AccessPackageRequestState.Delivered

    await until(delivered, "the request is delivered")
    members = await graph.groups.by_group_id(group_id).members.get()
    assert [(type(one), one.id) for one in listed(members)] == [(User, ana)]
    options = type(em.assignments).AssignmentsRequestBuilderGetQueryParameters(
        filter=f"accessPackage/id eq '{package_id}'", expand=["target"]
    )
    assigned = await em.assignments.get(RequestConfiguration(query_parameters=options))
    assert [(one.state and one.state.value, one.target and one.target.object_id) for one in listed(assigned)] == [
        ("delivered", ana)
    ]
