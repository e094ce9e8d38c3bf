"""The one table of topics: all that is ever said, by whom, keyed by what, and kept how long.

Code, deploy step, AsyncAPI and docs read it. A subscriber or publisher whose topic does not stand here fails at start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.contracts.answers import AnswersCommand
from shared.contracts.approval import ApprovalCommand, ApprovalFact
from shared.contracts.assignment import AssignmentCommand, HoldingFact, RuleJobFact, UseAnswer
from shared.contracts.audit import Checkpoint
from shared.contracts.base import Contract, Lane
from shared.contracts.catalog import (
    CatalogFact,
    EndRoleAssignment,
    PackageFact,
    PolicyFact,
    PopulationFact,
    ResourceFact,
    RoleAssignmentFact,
)
from shared.contracts.directory import BlockGuest, GroupFact, MembershipsFact, PersonFact, SetMemberships, UnnestGroup
from shared.contracts.extensions import ExtensionFact
from shared.contracts.hr import HrChange, HrRejection
from shared.contracts.notification import Notification
from shared.contracts.organizations import OrganizationFact, SettingsFact
from shared.contracts.provisioning import DeliveriesFact
from shared.contracts.request import RequestFact
from shared.contracts.resources import ApplicationFact, HeldRolesFact, SetHeldRoles, SiteFact
from shared.contracts.review import DefinitionFact, InstanceFact, ItemFact, ReviewCommand
from shared.contracts.roles import RoleDefinitionFact
from shared.contracts.roster import AskRoster, RosterFact
from shared.contracts.signins import SignIn, SignInsFact

FORTNIGHT = timedelta(days=14)
QUARTER = timedelta(days=90)

LARGEST_LETTER = 2 * 1024 * 1024
"""Bytes. The largest record that any topic takes by itself (1 MiB), as base64 if need be, and what we add."""

PER_PERSON = 6
"""Partitions of what is keyed by person: the embedded run's figure, `TENURE_PARTITIONS` in production.

Keyed topics must not be repartitioned later, so production begins with more.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """One line of the table. `partitions` None: as many as the settings give to what is keyed by person."""

    name: str
    owner: str
    key: str
    contract: type[Contract]
    about: str
    partitions: int | None = None
    retention: timedelta = FORTNIGHT
    lane: Lane = Lane.ORDINARY
    public: bool = False
    inbound: bool = False
    """Written by those who are not us: what does not validate is answered, not dead-lettered."""
    largest: int | None = None
    """Bytes of a record. None: as many as Kafka allows by itself (1 MiB)."""

    @property
    def urgent(self) -> Topic:
        """The same in the urgent lane."""
        return replace(self, name=f"{self.name}.urgent", lane=Lane.URGENT)


HR_CHANGES = Topic(
    "hr.attribute-changes", "directory", "employee id; 'source:employeeId' with several sources", HrChange,
    "HR systems say what is true of a person from when on.", public=True, inbound=True,
)  # fmt: skip
HR_URGENT = replace(
    HR_CHANGES, name="hr.urgent", lane=Lane.URGENT, about="The same, for what must not wait behind a mass import."
)
HR_REJECTED = Topic(
    "hr.attribute-changes.rejected", "directory", "as received", HrRejection,
    "What could not be taken, why, and the original.", retention=QUARTER, public=True, largest=LARGEST_LETTER,
)  # fmt: skip
SIGN_INS = Topic(
    "hr.sign-ins", "directory", "employee id or user principal name", SignIn,
    "Identity providers say who signed in when, and to which application.", public=True, inbound=True,
)  # fmt: skip

PERSON_FACTS = Topic("directory.people", "directory", "person id", PersonFact, "Someone joined, changed or left.")
GUEST_COMMANDS = Topic(
    "directory.guest-commands", "directory", "person id", BlockGuest,
    "A review asks that a guest be blocked, and deleted later.",
)  # fmt: skip
GROUP_COMMANDS = Topic(
    "directory.group-commands", "directory", "group id", UnnestGroup,
    "A review asks that a group be taken out of another one.", partitions=1,
)  # fmt: skip
GROUP_FACTS = Topic("directory.groups", "directory", "group id", GroupFact, "Groups.")
MEMBERSHIP_FACTS = Topic(
    "directory.memberships", "directory", "person id", MembershipsFact, "Who is in which groups; answers to commands."
)
MEMBERSHIP_COMMANDS = Topic(
    "directory.membership-commands", "directory", "person id", SetMemberships, "Provisioning asks for memberships."
)

ANSWER_COMMANDS = Topic(
    "directory.answer-commands", "directory", "person id", AnswersCommand,
    "What people answered for access becomes properties of theirs, until the access ends.",
)  # fmt: skip

APPLICATION_FACTS = Topic(
    "directory.applications", "directory", "service principal id", ApplicationFact, "Applications and their roles.",
    partitions=1,
)  # fmt: skip
SITE_FACTS = Topic("directory.sites", "directory", "site id", SiteFact, "Sites and their roles.", partitions=1)
ORGANIZATION_FACTS = Topic(
    "directory.organizations", "directory", "organization id", OrganizationFact,
    "Connected organisations and their sponsors.", partitions=1,
)  # fmt: skip
ROLE_DEFINITION_FACTS = Topic(
    "directory.role-definitions", "directory", "role definition id", RoleDefinitionFact,
    "Directory roles that were defined here.", partitions=1,
)  # fmt: skip
SETTINGS_FACTS = Topic(
    "directory.settings", "directory", "'singleton'", SettingsFact, "How entitlement management is set up.",
    partitions=1,
)  # fmt: skip
HELD_ROLE_FACTS = Topic(
    "directory.held-roles", "directory", "person id", HeldRolesFact,
    "Who has which role of an application, a site or the directory, and who owns what; answers to commands.",
)  # fmt: skip
HELD_ROLE_COMMANDS = Topic(
    "directory.held-role-commands", "directory", "person id", SetHeldRoles, "Provisioning asks for roles of a person."
)
SIGN_IN_FACTS = Topic(
    "directory.sign-ins", "directory", "person id", SignInsFact, "Who last signed in when, and to which applications."
)

DIRECTORY_ROSTER_QUESTIONS = Topic(
    "directory.roster-questions", "directory", "roster id", AskRoster,
    "A review asks who is in a group, or has a role of an application or of the directory.", partitions=1,
)  # fmt: skip
DIRECTORY_ROSTERS = Topic(
    "directory.rosters", "directory", "roster id", RosterFact, "Who that is, in numbered pages.", partitions=1
)

CATALOG_FACTS = Topic("catalog.catalogs", "catalog", "catalog id", CatalogFact, "Catalogs.", partitions=1)
RESOURCE_FACTS = Topic(
    "catalog.resources", "catalog", "resource id", ResourceFact, "Resources of catalogs.", partitions=1
)
PACKAGE_FACTS = Topic(
    "catalog.packages", "catalog", "package id", PackageFact, "Access packages and their role sets.", partitions=1
)
POLICY_FACTS = Topic("catalog.policies", "catalog", "policy id", PolicyFact, "Policies and rules.", partitions=1)
POPULATION_FACTS = Topic(
    "catalog.populations", "catalog", "population id", PopulationFact, "Populations.", partitions=1
)
EXTENSION_FACTS = Topic(
    "catalog.extensions", "catalog", "extension id", ExtensionFact, "Custom extensions of catalogs.", partitions=1
)
ROLE_ASSIGNMENT_FACTS = Topic(
    "catalog.role-assignments", "catalog", "role assignment id", RoleAssignmentFact,
    "Who may administer catalogs, and which.", partitions=1,
)  # fmt: skip

ROLE_ASSIGNMENT_COMMANDS = Topic(
    "catalog.role-assignment-commands", "catalog", "role assignment id", EndRoleAssignment,
    "A review asks that a role of entitlement management be taken away.", partitions=1,
)  # fmt: skip
CATALOG_ROSTER_QUESTIONS = Topic(
    "catalog.roster-questions", "catalog", "roster id", AskRoster,
    "A review asks who may administer catalogs.", partitions=1,
)  # fmt: skip
CATALOG_ROSTERS = Topic(
    "catalog.rosters", "catalog", "roster id", RosterFact, "Who that is, in numbered pages.", partitions=1
)

REQUEST_FACTS = Topic(
    "request.requests", "request", "person id", RequestFact, "Somebody asked for access; how far it is."
)

APPROVAL_COMMANDS = Topic(
    "approval.commands", "approval", "request id", ApprovalCommand, "Request asks for an approval."
)
APPROVAL_FACTS = Topic(
    "approval.approvals", "approval", "request id", ApprovalFact, "Who is asked to approve, and who has decided."
)

ASSIGNMENT_COMMANDS = Topic(
    "assignment.commands", "assignment", "person id", AssignmentCommand, "Request asks for a change of access."
)
HOLDING_FACTS = Topic(
    "assignment.holdings", "assignment", "person id", HoldingFact, "One person's assignments and grants changed."
)
USE_ANSWERS = Topic(
    "assignment.use-answers", "assignment", "subject id", UseAnswer, "May this be deleted?", partitions=1
)
RULE_JOB_FACTS = Topic(
    "assignment.rule-jobs", "assignment", "policy or package id", RuleJobFact, "Rule changes on their way.",
    partitions=1,
)  # fmt: skip

ASSIGNMENT_ROSTER_QUESTIONS = Topic(
    "assignment.roster-questions", "assignment", "roster id", AskRoster, "A review asks who holds an access package.",
    partitions=1,
)  # fmt: skip
ASSIGNMENT_ROSTERS = Topic(
    "assignment.rosters", "assignment", "roster id", RosterFact, "Who that is, in numbered pages.", partitions=1
)

REVIEW_COMMANDS = Topic(
    "review.commands", "review", "instance id", ReviewCommand, "A definition begins an instance, or closes one.",
    partitions=1,
)  # fmt: skip
REVIEW_DEFINITION_FACTS = Topic(
    "review.definitions", "review", "definition id", DefinitionFact, "Review campaigns.", partitions=1
)
REVIEW_INSTANCE_FACTS = Topic(
    "review.instances", "review", "instance id", InstanceFact, "How far each run of a review is, and who is asked.",
    partitions=1,
)  # fmt: skip
REVIEW_ITEM_FACTS = Topic(
    "review.decisions", "review", "person id", ItemFact, "What was decided about somebody's access, and carried out."
)

DELIVERY_FACTS = Topic(
    "provisioning.deliveries", "provisioning", "person id", DeliveriesFact, "How far each grant has come."
)

NOTIFICATIONS = Topic(
    "tenure.notifications", "notification", "the recipient's person id", Notification,
    "What somebody should hear of.", public=True,
)  # fmt: skip
TRAIL_HEADS = Topic(
    "tenure.audit", "audit", "chain", Checkpoint, "Signed heads of the trail.", partitions=1, retention=QUARTER,
    public=True,
)  # fmt: skip

TWO_LANES = (
    PERSON_FACTS,
    MEMBERSHIP_FACTS,
    MEMBERSHIP_COMMANDS,
    HELD_ROLE_FACTS,
    HELD_ROLE_COMMANDS,
    HOLDING_FACTS,
    DELIVERY_FACTS,
)
"""Topics on the way of an urgent leaver: each has an urgent twin."""

TABLE: tuple[Topic, ...] = (
    HR_CHANGES,
    HR_URGENT,
    HR_REJECTED,
    SIGN_INS,
    PERSON_FACTS,
    GUEST_COMMANDS,
    GROUP_COMMANDS,
    GROUP_FACTS,
    MEMBERSHIP_FACTS,
    MEMBERSHIP_COMMANDS,
    ANSWER_COMMANDS,
    APPLICATION_FACTS,
    SITE_FACTS,
    ORGANIZATION_FACTS,
    SETTINGS_FACTS,
    ROLE_DEFINITION_FACTS,
    HELD_ROLE_FACTS,
    HELD_ROLE_COMMANDS,
    SIGN_IN_FACTS,
    DIRECTORY_ROSTER_QUESTIONS,
    DIRECTORY_ROSTERS,
    CATALOG_FACTS,
    RESOURCE_FACTS,
    PACKAGE_FACTS,
    POLICY_FACTS,
    POPULATION_FACTS,
    EXTENSION_FACTS,
    ROLE_ASSIGNMENT_FACTS,
    ROLE_ASSIGNMENT_COMMANDS,
    CATALOG_ROSTER_QUESTIONS,
    CATALOG_ROSTERS,
    REQUEST_FACTS,
    APPROVAL_COMMANDS,
    APPROVAL_FACTS,
    ASSIGNMENT_COMMANDS,
    HOLDING_FACTS,
    USE_ANSWERS,
    RULE_JOB_FACTS,
    ASSIGNMENT_ROSTER_QUESTIONS,
    ASSIGNMENT_ROSTERS,
    REVIEW_COMMANDS,
    REVIEW_DEFINITION_FACTS,
    REVIEW_INSTANCE_FACTS,
    REVIEW_ITEM_FACTS,
    DELIVERY_FACTS,
    NOTIFICATIONS,
    TRAIL_HEADS,
    *(topic.urgent for topic in TWO_LANES),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TABLE}


def in_lane(topic: Topic, lane: Lane) -> Topic:
    """The twin of `topic` that a message of this lane travels on."""
    return topic.urgent if lane is Lane.URGENT and topic in TWO_LANES else topic


def lanes_of(topic: Topic) -> Iterator[Topic]:
    """`topic` in each of its lanes, the urgent one first: that is the order in which they are polled."""
    if topic in TWO_LANES:
        yield topic.urgent
    yield topic
