"""One valid message for every topic, as it is published: key, headers, body. The AsyncAPI document shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from shared.contracts import topics
from shared.contracts.answers import AnswersCommand
from shared.contracts.approval import (
    ApprovalCommand,
    ApprovalFact,
    ApprovalState,
    StageStarted,
    StageState,
    StageStatus,
    StartApproval,
)
from shared.contracts.assignment import (
    AddAssignment,
    AssignmentAdded,
    AssignmentCommand,
    AssignmentKind,
    AssignmentState,
    AssignmentStatus,
    GrantGiven,
    GrantState,
    HoldingFact,
    HoldingState,
    RuleJobFact,
    RuleJobFinished,
    RuleJobState,
    UseAnswer,
)
from shared.contracts.audit import Checkpoint
from shared.contracts.base import Cause, Contract, Message, Refusal
from shared.contracts.catalog import (
    CatalogFact,
    CatalogState,
    Changed,
    Created,
    EndRoleAssignment,
    PackageFact,
    PackageState,
    PolicyFact,
    PolicyState,
    PopulationFact,
    PopulationState,
    ResourceFact,
    ResourceRole,
    ResourceState,
    RoleAssignmentFact,
    RoleAssignmentState,
)
from shared.contracts.directory import (
    BlockGuest,
    GroupCreated,
    GroupFact,
    GroupState,
    MemberAdded,
    MembershipObeyed,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    MembershipWish,
    PersonFact,
    PersonJoined,
    PersonState,
    PersonStatus,
    SetMemberships,
    SourceIdentity,
    UnnestGroup,
)
from shared.contracts.extensions import ExtensionFact, ExtensionState
from shared.contracts.hr import ChangeKind, HrChange, HrRejection
from shared.contracts.notification import Notification, Recipient
from shared.contracts.organizations import (
    SETTINGS_ID,
    GuestLifecycle,
    IdentitySource,
    OrganizationCreated,
    OrganizationFact,
    OrganizationState,
    SettingsChanged,
    SettingsFact,
    SettingsState,
    SourceKind,
)
from shared.contracts.policy import ApprovalStageSettings, SubjectKind, SubjectSet
from shared.contracts.provisioning import Delivered, DeliveriesFact, DeliveriesState, DeliveryState, DeliveryStatus
from shared.contracts.request import (
    RequestApprovalAsked,
    RequestFact,
    RequestState,
    RequestStatus,
    RequestSubmitted,
    RequestType,
)
from shared.contracts.resources import (
    ApplicationCreated,
    ApplicationFact,
    ApplicationState,
    AppRole,
    HeldRolesFact,
    HeldRolesState,
    HeldRoleState,
    HeldRoleWish,
    RoleAt,
    RoleGiven,
    RoleObeyed,
    RoleSystem,
    SetHeldRoles,
    SiteCreated,
    SiteFact,
    SiteRole,
    SiteState,
)
from shared.contracts.review import (
    DefinitionFact,
    DefinitionState,
    InstanceFact,
    InstanceStarted,
    InstanceState,
    ItemDecided,
    ItemFact,
    ItemState,
    ReviewCommand,
    ReviewDefined,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    ReviewStageState,
    ReviewStatus,
    StageSettings,
    StartInstance,
    Verdict,
)
from shared.contracts.roles import RoleDefinitionCreated, RoleDefinitionFact, RoleDefinitionState, RolePermission
from shared.contracts.roster import (
    AskRoster,
    RosterAbout,
    RosterEnded,
    RosterEntry,
    RosterFact,
    RosterKind,
    RosterPage,
    RosterState,
)
from shared.contracts.signins import AppUse, SignedIn, SignIn, SignInsFact, SignInsState
from shared.contracts.topics import Topic
from shared.ids import derived_id
from shared.messaging.envelope import Outgoing, enveloped, outgoing
from shared.security.roles import CatalogRole

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PERSON = derived_id("example", "person")
GROUP = derived_id("example", "group")
DIRECTORY_ROLE = derived_id("example", "role-definition")
ORGANIZATION = derived_id("example", "organization")
PACKAGE = derived_id("example", "package")
POLICY = derived_id("example", "policy")
CATALOG = derived_id("example", "catalog")
RESOURCE = derived_id("example", "resource")
PRINCIPAL = derived_id("example", "service-principal")
SITE = derived_id("example", "site")
POPULATION = derived_id("example", "population")
EXTENSION = derived_id("example", "extension")
OWNERSHIP = derived_id("example", "role-assignment")
ASSIGNMENT = derived_id("example", "assignment")
REQUEST = derived_id("example", "request")
MANAGER = derived_id("example", "manager")
REVIEW = derived_id("example", "review-definition")
RUN = derived_id("example", "review-instance")
ITEM = derived_id("example", "review-item")
STAGE = derived_id("approval-stage", REQUEST, 1)

HR = Cause(id="hr-4711", correlation="hr-4711", actor="source:hr", effective_at=AT)
FILE = Cause(id="apply-12", correlation="apply-12", actor="file:catalog.yaml")
SEEN = Cause(id=derived_id("example", "sign-in"), correlation=derived_id("example", "sign-in"), actor="source:sign-ins")
ASKED = Cause(id="http-77", correlation="http-77", actor=f"person:{PERSON}")
REVIEWED = Cause(id=f"review-definition:{REVIEW}", correlation=f"review:{RUN}", actor=f"person:{MANAGER}")
ROLE = ResourceRole(origin_id=GROUP, display_name="Sales")


@dataclass(frozen=True, slots=True)
class Example:
    """A message on its topic."""

    key: str
    headers: dict[str, str]
    body: Any
    """JSON."""


def example(topic: Topic) -> Example:
    """A message of that topic; the urgent twin of a topic shows the same one. Raises KeyError if there is none."""
    name = topic.name.removesuffix(".urgent") if topic.name not in _EXAMPLES else topic.name
    record = _EXAMPLES[name](topic)
    assert record.key is not None
    assert record.value is not None
    return Example(record.key.decode(), dict(record.headers), orjson.loads(record.value))


def _sent(key: str, message: Message) -> Callable[[Topic], Outgoing]:
    return lambda topic: outgoing(topic, key, message, source=topic.owner, at=AT)


def _plain(key: str, body: Contract, id: str, ce_type: str) -> Callable[[Topic], Outgoing]:
    def made(topic: Topic) -> Outgoing:
        source = "hr" if topic.inbound else topic.owner
        return enveloped(topic, key, body.json_bytes(), ce_id=id, ce_type=ce_type, source=source, at=AT)

    return made


_CHANGE = HrChange(
    change_id="hr-4711",
    employee_id="10042",
    kind=ChangeKind.JOINED,
    effective_at=AT,
    attributes={
        "displayName": "Ana Kovač",
        "userPrincipalName": "ana.kovac@company.example",
        "mail": "ana.kovac@company.example",
        "department": "Sales",
        "jobTitle": "Account Manager",
        "managerEmployeeId": "10007",
    },
)
_ASSIGNED = AssignmentState(
    id=ASSIGNMENT,
    package_id=PACKAGE,
    policy_id=POLICY,
    kind=AssignmentKind.AUTOMATIC,
    status=AssignmentStatus.DELIVERING,
    starts_at=AT,
    assigned_at=AT,
    cause=HR,
)
_APP_ID = derived_id("example", "app-id")
_WISH = derived_id("example", "wish")
_APP_ROLE = AppRole(id=derived_id("example", "app-role"), display_name="Approver", value="expenses.approve")
_ROLE_THERE = RoleAt(origin_system=RoleSystem.APPLICATION, origin_id=PRINCIPAL, role=_APP_ROLE.id)
_ROLE_WISH = HeldRoleWish(**_ROLE_THERE.model_dump(by_alias=False), id="grant-7:1", held=True, grant_version=1)

_SCOPE = {"query": f"/groups/{GROUP}/transitiveMembers", "queryType": "MicrosoftGraph"}
_REVIEWED = ReviewedResource(kind=RosterKind.GROUP, id=GROUP, display_name="Sales")
_DEFINITION = DefinitionState(
    id=REVIEW,
    display_name="Sales: who is still in it",
    scope=_SCOPE,
    settings=ReviewSettings(instance_duration_in_days=14),
    stages=(StageSettings(duration_in_days=14, reviewers=(ReviewerScope(query=f"/groups/{GROUP}/owners"),)),),
    created_by=MANAGER,
    created_at=AT,
    modified_at=AT,
)
_ABOUT = RosterAbout(kind=RosterKind.GROUP, id=GROUP)
_ABOUT_ROLE = RosterAbout(kind=RosterKind.GOVERNANCE_ROLE, id=CatalogRole.OWNER.value, catalog_id=CATALOG)
_ABOUT_PACKAGE = RosterAbout(kind=RosterKind.PACKAGE, id=PACKAGE, policy_id=POLICY)


def _roster(owner: str, about: RosterAbout, role: str, assignment: str | None) -> RosterFact:
    entry = RosterEntry(person_id=PERSON, manager_id=MANAGER, role=role, assignment_id=assignment, since=AT)
    return RosterFact(
        id=f"{owner}-roster:{RUN}:1",
        cause=REVIEWED,
        subject=RUN,
        version=1,
        at=AT,
        transitions=(RosterPage(number=1, upto=PERSON, entries=(entry,)), RosterEnded(pages=1, entries=1)),
        state=RosterState(id=RUN, about=about, pages=1, entries=1, done=True),
    )


_EXAMPLES: dict[str, Callable[[Topic], Outgoing]] = {
    topics.HR_CHANGES.name: _plain("10042", _CHANGE, "hr-4711", HrChange.ce_type),
    topics.HR_URGENT.name: _plain(
        "10042",
        HrChange(change_id="hr-4712", employee_id="10042", kind=ChangeKind.SUSPENDED, effective_at=AT, attributes={}),
        "hr-4712",
        HrChange.ce_type,
    ),
    topics.HR_REJECTED.name: _plain(
        "10099",
        HrRejection(
            id=derived_id("example", "rejection"),
            change_id="hr-4713",
            employee_id="10099",
            source="hr",
            reason=Refusal(code="notJoined", message="Nobody with this employee id has joined yet."),
            original={"changeId": "hr-4713", "employeeId": "10099", "kind": "changed", "effectiveAt": "2026-03-01"},
            topic=topics.HR_CHANGES.name,
            partition=3,
            offset=1207,
            at=AT,
        ),
        derived_id("example", "rejection"),
        HrRejection.ce_type,
    ),
    topics.PERSON_FACTS.name: _sent(
        PERSON,
        PersonFact(
            id=f"person:{PERSON}:1",
            cause=HR,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(PersonJoined(),),
            state=PersonState(
                id=PERSON,
                status=PersonStatus.ACTIVE,
                attributes={"displayName": "Ana Kovač", "department": "Sales", "userType": "Member"},
                identities=(SourceIdentity(source="hr", id="10042"),),
            ),
        ),
    ),
    topics.GROUP_FACTS.name: _sent(
        GROUP,
        GroupFact(
            id=f"group:{GROUP}:1",
            cause=FILE,
            subject=GROUP,
            version=1,
            at=AT,
            transitions=(GroupCreated(),),
            state=GroupState(id=GROUP, display_name="Sales", created_at=AT),
        ),
    ),
    topics.MEMBERSHIP_FACTS.name: _sent(
        PERSON,
        MembershipsFact(
            id=f"memberships:{PERSON}:1",
            cause=HR,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(
                MemberAdded(group_id=GROUP),
                MembershipObeyed(group_id=GROUP, command_id=_WISH, grant_version=1),
            ),
            state=MembershipsState(
                person_id=PERSON,
                groups=(MembershipState(group_id=GROUP, member=True, by_grant=True, since=AT, obeyed=1),),
            ),
        ),
    ),
    topics.MEMBERSHIP_COMMANDS.name: _sent(
        PERSON,
        SetMemberships(
            id=derived_id("example", "set-memberships"),
            cause=HR,
            person_id=PERSON,
            wishes=(MembershipWish(id=_WISH, group_id=GROUP, member=True, grant_version=1),),
        ),
    ),
    topics.ANSWER_COMMANDS.name: _sent(
        PERSON,
        AnswersCommand(
            id=derived_id("example", "answers"),
            cause=ASKED,
            person_id=PERSON,
            assignment_id=ASSIGNMENT,
            said_at=AT,
            values={"jobTitle": "Account Manager"},
        ),
    ),
    topics.APPLICATION_FACTS.name: _sent(
        PRINCIPAL,
        ApplicationFact(
            id=f"application:{PRINCIPAL}:2",
            cause=FILE,
            subject=PRINCIPAL,
            version=2,
            at=AT,
            transitions=(ApplicationCreated(principal=True),),
            state=ApplicationState(
                id=PRINCIPAL,
                app_id=_APP_ID,
                registration_id=derived_id("example", "application"),
                is_principal=True,
                display_name="Expenses",
                app_roles=(_APP_ROLE,),
                created_at=AT,
            ),
        ),
    ),
    topics.ORGANIZATION_FACTS.name: _sent(
        ORGANIZATION,
        OrganizationFact(
            id=f"organization:{ORGANIZATION}:1",
            cause=FILE,
            subject=ORGANIZATION,
            version=1,
            at=AT,
            transitions=(OrganizationCreated(),),
            state=OrganizationState(
                id=ORGANIZATION,
                display_name="Partner",
                identity_sources=(IdentitySource(kind=SourceKind.DOMAIN, domain_name="partner.example"),),
                internal_sponsors=(PERSON,),
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.ROLE_DEFINITION_FACTS.name: _sent(
        DIRECTORY_ROLE,
        RoleDefinitionFact(
            id=f"role-definition:{DIRECTORY_ROLE}:1",
            cause=FILE,
            subject=DIRECTORY_ROLE,
            version=1,
            at=AT,
            transitions=(RoleDefinitionCreated(),),
            state=RoleDefinitionState(
                id=DIRECTORY_ROLE,
                display_name="Group desk",
                role_permissions=(RolePermission(allowed_resource_actions=("microsoft.directory/groups/create",)),),
                template_id=DIRECTORY_ROLE,
                created_at=AT,
            ),
        ),
    ),
    topics.SETTINGS_FACTS.name: _sent(
        SETTINGS_ID,
        SettingsFact(
            id=f"settings:{SETTINGS_ID}:1",
            cause=FILE,
            subject=SETTINGS_ID,
            version=1,
            at=AT,
            transitions=(SettingsChanged(properties=("external_user_lifecycle_action",)),),
            state=SettingsState(external_user_lifecycle_action=GuestLifecycle.BLOCK, modified_at=AT),
        ),
    ),
    topics.SITE_FACTS.name: _sent(
        SITE,
        SiteFact(
            id=f"site:{SITE}:1",
            cause=FILE,
            subject=SITE,
            version=1,
            at=AT,
            transitions=(SiteCreated(),),
            state=SiteState(
                id=SITE,
                web_url="https://company.example/sites/sales",
                display_name="Sales",
                roles=(SiteRole(id="5", display_name="Sales Members"),),
                created_at=AT,
            ),
        ),
    ),
    topics.HELD_ROLE_FACTS.name: _sent(
        PERSON,
        HeldRolesFact(
            id=f"held-roles:{PERSON}:1",
            cause=HR,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(
                RoleGiven(role=_ROLE_THERE),
                RoleObeyed(role=_ROLE_THERE, command_id=_ROLE_WISH.id, grant_version=1),
            ),
            state=HeldRolesState(
                person_id=PERSON,
                roles=(
                    HeldRoleState(
                        **_ROLE_THERE.model_dump(by_alias=False),
                        id=derived_id("example", "held-role"),
                        held=True,
                        by_grant=True,
                        since=AT,
                        obeyed=1,
                    ),
                ),
            ),
        ),
    ),
    topics.HELD_ROLE_COMMANDS.name: _sent(
        PERSON, SetHeldRoles(id=f"held-roles:{PERSON}:grant-7:1", cause=HR, person_id=PERSON, wishes=(_ROLE_WISH,))
    ),
    topics.GROUP_COMMANDS.name: _sent(
        GROUP, UnnestGroup(id="review-item:29", cause=REVIEWED, group_id=GROUP, within=derived_id("example", "outer"))
    ),
    topics.GUEST_COMMANDS.name: _sent(
        PERSON,
        BlockGuest(
            id="review-item:27",
            cause=REVIEWED,
            person_id=PERSON,
            detail='Denied in the review "Guests": the project is over',
        ),
    ),
    topics.DIRECTORY_ROSTER_QUESTIONS.name: _sent(
        RUN, AskRoster(id=f"roster:{RUN}", cause=REVIEWED, roster_id=RUN, about=_ABOUT)
    ),
    topics.DIRECTORY_ROSTERS.name: _sent(RUN, _roster("directory", _ABOUT, "Member", None)),
    topics.CATALOG_ROSTER_QUESTIONS.name: _sent(
        RUN, AskRoster(id=f"roster:{RUN}", cause=REVIEWED, roster_id=RUN, about=_ABOUT_ROLE)
    ),
    topics.CATALOG_ROSTERS.name: _sent(RUN, _roster("catalog", _ABOUT_ROLE, "Member", ASSIGNMENT)),
    topics.ROLE_ASSIGNMENT_COMMANDS.name: _sent(
        ASSIGNMENT, EndRoleAssignment(id="review-item:28", cause=REVIEWED, role_assignment_id=ASSIGNMENT)
    ),
    topics.ASSIGNMENT_ROSTER_QUESTIONS.name: _sent(
        RUN, AskRoster(id=f"roster:{RUN}", cause=REVIEWED, roster_id=RUN, about=_ABOUT_PACKAGE)
    ),
    topics.ASSIGNMENT_ROSTERS.name: _sent(RUN, _roster("assignment", _ABOUT_PACKAGE, "", ASSIGNMENT)),
    topics.REVIEW_COMMANDS.name: _sent(
        RUN,
        ReviewCommand(
            id=derived_id("review-command", RUN, "StartInstance"),
            cause=REVIEWED,
            instance_id=RUN,
            order=StartInstance(
                definition=_DEFINITION,
                number=1,
                resource=_REVIEWED,
                scope=_SCOPE,
                starts_at=AT,
                ends_at=AT + timedelta(days=14),
            ),
        ),
    ),
    topics.REVIEW_DEFINITION_FACTS.name: _sent(
        REVIEW,
        DefinitionFact(
            id=f"review-definition:{REVIEW}:1",
            cause=ASKED,
            subject=REVIEW,
            version=1,
            at=AT,
            transitions=(ReviewDefined(),),
            state=_DEFINITION,
        ),
    ),
    topics.REVIEW_INSTANCE_FACTS.name: _sent(
        RUN,
        InstanceFact(
            id=f"review-instance:{RUN}:2",
            cause=REVIEWED,
            subject=RUN,
            version=2,
            at=AT,
            transitions=(InstanceStarted(items=1),),
            state=InstanceState(
                id=RUN,
                definition_id=REVIEW,
                definition_name="Sales: who is still in it",
                number=1,
                resource=_REVIEWED,
                status=ReviewStatus.IN_PROGRESS,
                starts_at=AT,
                ends_at=AT + timedelta(days=14),
                stages=(
                    ReviewStageState(
                        id=derived_id("review-stage", RUN, 1),
                        status=ReviewStatus.IN_PROGRESS,
                        starts_at=AT,
                        ends_at=AT + timedelta(days=14),
                        reviewers=(MANAGER,),
                    ),
                ),
                items=1,
            ),
        ),
    ),
    topics.REVIEW_ITEM_FACTS.name: _sent(
        PERSON,
        ItemFact(
            id=f"review-item:{ITEM}:2",
            cause=Cause(id="http:7", correlation="http:7", actor=f"person:{MANAGER}"),
            subject=ITEM,
            version=2,
            at=AT,
            transitions=(ItemDecided(decision=Verdict.DENY, by=MANAGER, stage=1, justification="Has moved on."),),
            state=ItemState(
                id=ITEM,
                instance_id=RUN,
                definition_id=REVIEW,
                person_id=PERSON,
                role="Member",
                decision=Verdict.DENY,
                justification="Has moved on.",
                decided_by=MANAGER,
                decided_at=AT,
            ),
        ),
    ),
    topics.SIGN_INS.name: _plain(
        "10042", SignIn(employee_id="10042", at=AT, app_id=_APP_ID), "sign-in-77", SignIn.ce_type
    ),
    topics.SIGN_IN_FACTS.name: _sent(
        PERSON,
        SignInsFact(
            id=f"sign-ins:{PERSON}:1",
            cause=SEEN,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(SignedIn(app_id=_APP_ID),),
            state=SignInsState(person_id=PERSON, last_at=AT, apps=(AppUse(app_id=_APP_ID, first_at=AT, last_at=AT),)),
        ),
    ),
    topics.CATALOG_FACTS.name: _sent(
        CATALOG,
        CatalogFact(
            id=f"catalog:{CATALOG}:1",
            cause=FILE,
            subject=CATALOG,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=CatalogState(
                id=CATALOG, display_name="Company", managed_by="catalog.yaml", created_at=AT, modified_at=AT
            ),
        ),
    ),
    topics.RESOURCE_FACTS.name: _sent(
        RESOURCE,
        ResourceFact(
            id=f"resource:{RESOURCE}:1",
            cause=FILE,
            subject=RESOURCE,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=ResourceState(
                id=RESOURCE,
                catalog_id=CATALOG,
                origin_id=GROUP,
                display_name="Sales",
                managed_by="catalog.yaml",
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.PACKAGE_FACTS.name: _sent(
        PACKAGE,
        PackageFact(
            id=f"package:{PACKAGE}:2",
            cause=FILE,
            subject=PACKAGE,
            version=2,
            at=AT,
            transitions=(Changed(properties=("roles",)),),
            state=PackageState(
                id=PACKAGE,
                catalog_id=CATALOG,
                display_name="Sales",
                roles=(ROLE,),
                managed_by="catalog.yaml",
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.POLICY_FACTS.name: _sent(
        POLICY,
        PolicyFact(
            id=f"policy:{POLICY}:1",
            cause=FILE,
            subject=POLICY,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=PolicyState(
                id=POLICY,
                package_id=PACKAGE,
                display_name="Sales, by department",
                rule='user.department -eq "Sales"',
                managed_by="catalog.yaml",
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.POPULATION_FACTS.name: _sent(
        POPULATION,
        PopulationFact(
            id=f"population:{POPULATION}:1",
            cause=FILE,
            subject=POPULATION,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=PopulationState(
                id=POPULATION,
                display_name="Sales in Berlin",
                rule='(user.department -eq "Sales") -and (user.city -eq "Berlin")',
                managed_by="catalog.yaml",
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.EXTENSION_FACTS.name: _sent(
        EXTENSION,
        ExtensionFact(
            id=f"extension:{EXTENSION}:1",
            cause=ASKED,
            subject=EXTENSION,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=ExtensionState(
                id=EXTENSION,
                catalog_id=CATALOG,
                kind="request",
                display_name="Tell the service desk",
                address="https://logic.example/workflows/desk",
                callback_within=timedelta(hours=1),
                created_at=AT,
                modified_at=AT,
            ),
        ),
    ),
    topics.ROLE_ASSIGNMENT_FACTS.name: _sent(
        OWNERSHIP,
        RoleAssignmentFact(
            id=f"roleassignment:{OWNERSHIP}:1",
            cause=ASKED,
            subject=OWNERSHIP,
            version=1,
            at=AT,
            transitions=(Created(),),
            state=RoleAssignmentState(
                id=OWNERSHIP,
                role_definition_id=CatalogRole.OWNER,
                principal_id=PERSON,
                principal_kind="user",
                catalog_id=CATALOG,
                created_at=AT,
            ),
        ),
    ),
    topics.REQUEST_FACTS.name: _sent(
        PERSON,
        RequestFact(
            id=f"request:{REQUEST}:1",
            cause=ASKED,
            subject=REQUEST,
            version=1,
            at=AT,
            transitions=(RequestSubmitted(), RequestApprovalAsked(stages=1)),
            state=RequestState(
                id=REQUEST,
                type=RequestType.USER_ADD,
                status=RequestStatus.PENDING_APPROVAL,
                person_id=PERSON,
                requestor_id=PERSON,
                package_id=PACKAGE,
                policy_id=POLICY,
                policy_version=1,
                assignment_id=ASSIGNMENT,
                justification="I look after customers in Zagreb.",
                created_at=AT,
            ),
        ),
    ),
    topics.APPROVAL_COMMANDS.name: _sent(
        REQUEST,
        ApprovalCommand(
            id=derived_id("approval-command", REQUEST),
            cause=ASKED,
            request_id=REQUEST,
            order=StartApproval(
                person_id=PERSON,
                requestor_id=PERSON,
                package_id=PACKAGE,
                policy_id=POLICY,
                stages=(ApprovalStageSettings(primary_approvers=(SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER),)),),
                justification="I look after customers in Zagreb.",
                asked_at=AT,
            ),
        ),
    ),
    topics.APPROVAL_FACTS.name: _sent(
        REQUEST,
        ApprovalFact(
            id=f"approval:{REQUEST}:1",
            cause=ASKED,
            subject=REQUEST,
            version=1,
            at=AT,
            transitions=(
                StageStarted(stage_id=STAGE, number=1, approvers=(MANAGER,), expires_at=AT + timedelta(days=14)),
            ),
            state=ApprovalState(
                id=REQUEST,
                person_id=PERSON,
                requestor_id=PERSON,
                package_id=PACKAGE,
                policy_id=POLICY,
                stages=(
                    StageState(
                        id=STAGE,
                        status=StageStatus.IN_PROGRESS,
                        approvers=(MANAGER,),
                        expires_at=AT + timedelta(days=14),
                    ),
                ),
            ),
        ),
    ),
    topics.ASSIGNMENT_COMMANDS.name: _sent(
        PERSON,
        AssignmentCommand(
            id=derived_id("assignment-command", REQUEST, 1),
            cause=ASKED,
            person_id=PERSON,
            request_id=REQUEST,
            order=AddAssignment(
                assignment_id=ASSIGNMENT,
                package_id=PACKAGE,
                policy_id=POLICY,
                kind="requested",
                lasts=timedelta(days=90),
            ),
        ),
    ),
    topics.HOLDING_FACTS.name: _sent(
        PERSON,
        HoldingFact(
            id=f"holding:{PERSON}:1",
            cause=HR,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(AssignmentAdded(assignment=_ASSIGNED), GrantGiven(role=ROLE, version=1)),
            state=HoldingState(
                person_id=PERSON,
                assignments=(_ASSIGNED,),
                grants=(GrantState(role=ROLE, assignments=(ASSIGNMENT,), deliver=True, version=1),),
            ),
        ),
    ),
    topics.USE_ANSWERS.name: _sent(
        PACKAGE,
        UseAnswer(id=f"use-answer:{PACKAGE}:3", cause=FILE, subject=PACKAGE, kind="package", asked_version=3, in_use=0),
    ),
    topics.RULE_JOB_FACTS.name: _sent(
        POLICY,
        RuleJobFact(
            id=f"rule-job:{POLICY}:2",
            cause=FILE,
            subject=POLICY,
            version=2,
            at=AT,
            transitions=(RuleJobFinished(),),
            state=RuleJobState(
                id=POLICY,
                subject="policy",
                target_epoch=7,
                done=True,
                decided=312,
                expected=312,
                changed=312,
                started_at=AT,
                finished_at=AT,
            ),
        ),
    ),
    topics.DELIVERY_FACTS.name: _sent(
        PERSON,
        DeliveriesFact(
            id=f"deliveries:{PERSON}:1",
            cause=HR,
            subject=PERSON,
            version=1,
            at=AT,
            transitions=(Delivered(role=ROLE, version=1),),
            state=DeliveriesState(
                person_id=PERSON,
                deliveries=(
                    DeliveryState(
                        role=ROLE, wanted=True, version=1, status=DeliveryStatus.DELIVERED, changed_at=AT, said_in=1
                    ),
                ),
            ),
        ),
    ),
    topics.NOTIFICATIONS.name: _plain(
        PERSON,
        Notification(
            id=derived_id("example", "notification"),
            event="accessGiven",
            recipient=Recipient(
                id=PERSON, user_principal_name="ana.kovac@company.example", mail="ana.kovac@company.example"
            ),
            subject="You now have access: Sales",
            text="Since 1 March 2026 you have the access package Sales.",
            about={"packages": [{"id": PACKAGE, "displayName": "Sales"}]},
        ),
        derived_id("example", "notification"),
        Notification.ce_type,
    ),
    topics.TRAIL_HEADS.name: _plain(
        "assignment.holdings/0",
        Checkpoint(
            id="assignment.holdings/0:1042",
            chain="assignment.holdings/0",
            sequence=1042,
            head="5f2b6c1e" * 8,
            at=AT,
            key_id="d1c7a0e4",
            signature="c2lnbmF0dXJl",
        ),
        "assignment.holdings/0:1042",
        Checkpoint.ce_type,
    ),
}
