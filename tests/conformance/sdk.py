"""Microsoft's own client, `msgraph-sdk`, which knows nothing of Tenure but its address, and what stories share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.request_information import RequestInformation
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.access_package import AccessPackage
from msgraph.generated.models.access_package_approval_stage import AccessPackageApprovalStage
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
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.single_user import SingleUser
from msgraph.generated.models.user import User

from deploy.demo.callers import Headers
from tests.conformance.ground import Client
from tests.waiting import until


class As(AuthenticationProvider):
    """Signs every request of one caller."""

    def __init__(self, signed: Headers) -> None:
        self.signed = signed

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        for name, value in self.signed.items():
            request.headers.add(name, value)


class Tenure:
    """Microsoft's clients of the Tenure that `of` is a client of."""

    def __init__(self, of: Client) -> None:
        self.url = str(of.base_url).rstrip("/")
        self._callers = of.callers

    def client(self, person: str | None = None) -> GraphServiceClient:
        """For that person; for the operator if nobody is named."""
        signed = self._callers.person(person) if person else self._callers.operator
        adapter = GraphRequestAdapter(As(signed), client=httpx.AsyncClient(timeout=30))
        adapter.base_url = f"{self.url}/v1.0"
        return GraphServiceClient(request_adapter=adapter)

    def em(self, person: str | None = None) -> Any:
        """Entitlement management, for whoever is named."""
        return self.client(person).identity_governance.entitlement_management

    async def person(self, name: str, user_type: str = "Member") -> str:
        body = User(
            account_enabled=True,
            user_type=user_type,
            display_name=name,
            mail_nickname=name,
            user_principal_name=f"{name}.{uuid.uuid4().hex[:6]}@company.example",
            password_profile=PasswordProfile(password=uuid.uuid4().hex),
        )
        made = await self.client().users.post(body)
        assert made is not None
        return str(made.id)


def made(thing: Any) -> str:
    """Its id."""
    assert thing is not None
    assert thing.id
    return str(thing.id)


def listed(page: Any) -> list[Any]:
    """What is on the page."""
    return list(page.value or []) if page is not None else []


@dataclass(frozen=True)
class Offer:
    """Something to ask for."""

    group: str
    package: str
    policy: str


async def offer(tenure: Tenure, name: str, *approvers: str, lasts: timedelta | None = None) -> Offer:
    """A package that brings a group, by a policy with a stage for each of the approvers."""
    em = tenure.em()
    group = made(
        await tenure.client().groups.post(
            Group(display_name=name, mail_nickname=name.lower(), mail_enabled=False, security_enabled=True)
        )
    )
    catalog = AccessPackageCatalog(id=made(await em.catalogs.post(AccessPackageCatalog(display_name=name))))
    origin = AccessPackageResource(origin_id=group, origin_system="AadGroup")
    await em.resource_requests.post(
        AccessPackageResourceRequest(request_type=AccessPackageRequestType.AdminAdd, catalog=catalog, resource=origin)
    )
    package = made(await em.access_packages.post(AccessPackage(display_name=name, catalog=catalog)))
    role = AccessPackageResourceRole(
        origin_id=f"Member_{group}", origin_system="AadGroup", display_name="Member", resource=origin
    )
    scope = AccessPackageResourceScope(origin_id=group, origin_system="AadGroup", is_root_scope=True)
    await em.access_packages.by_access_package_id(package).resource_role_scopes.post(
        AccessPackageResourceRoleScope(role=role, scope=scope)
    )
    kind = ExpirationPatternType.AfterDuration if lasts else ExpirationPatternType.NoExpiration
    policy = await em.assignment_policies.post(
        AccessPackageAssignmentPolicy(
            display_name=name,
            allowed_target_scope=AllowedTargetScope.AllMemberUsers,
            expiration=ExpirationPattern(type=kind, duration=lasts),
            requestor_settings=AccessPackageAssignmentRequestorSettings(
                enable_targets_to_self_add_access=True,
                enable_targets_to_self_update_access=True,
                enable_targets_to_self_remove_access=True,
            ),
            request_approval_settings=AccessPackageAssignmentApprovalSettings(
                is_approval_required_for_add=bool(approvers),
                stages=[AccessPackageApprovalStage(primary_approvers=[SingleUser(user_id=one)]) for one in approvers],
            ),
            access_package=AccessPackage(id=package),
        )
    )
    return Offer(group, package, made(policy))


async def approve(tenure: Tenure, request: str, by: str, result: str = "Approve") -> None:
    """As soon as a stage of that request waits for them."""
    deciding = tenure.em(by).access_package_assignment_approvals

    async def open_stage() -> str | None:
        waiting = await deciding.filter_by_current_user_with_on("approver").get()
        if request not in {one.id for one in listed(waiting)}:
            return None
        stages = await deciding.by_approval_id(request).stages.get()
        return next((one.id for one in listed(stages) if one.assigned_to_me), None)

    stage = await until(open_stage, "they are asked to decide")
    decision = ApprovalStage(review_result=result, justification="After a look.")
    await deciding.by_approval_id(request).stages.by_approval_stage_id(stage).patch(decision)


async def becomes(tenure: Tenure, request: str, state: AccessPackageRequestState) -> AccessPackageAssignmentRequest:
    one = tenure.em().assignment_requests.by_access_package_assignment_request_id(request)

    async def there() -> AccessPackageAssignmentRequest | None:
        said = await one.get()
        return said if said is not None and said.state is state else None

    found: AccessPackageAssignmentRequest = await until(there, f"the request is {state.value}")
    return found


async def members(tenure: Tenure, group: str) -> set[str]:
    found = await tenure.client().groups.by_group_id(group).members.get()
    return {str(one.id) for one in listed(found)}
