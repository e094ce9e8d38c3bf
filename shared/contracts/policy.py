"""What a policy says of those who ask: who may have the package, who may ask for whom, who approves, which questions.

Values inside a `PolicyState`; a request carries what it was decided under. Names are Graph's.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer

from shared import durations
from shared.contracts.base import Contract

Span = Annotated[timedelta, PlainSerializer(durations.iso)]
"""A duration, written as ISO 8601 (P14D) everywhere, documents included."""


class TargetScope(StrEnum):
    """Graph's allowedTargetScope: who may have a package under a policy."""

    NOT_SPECIFIED = "notSpecified"  # only whom an administrator assigns
    SPECIFIC_USERS = "specificDirectoryUsers"
    SPECIFIC_ORGANIZATIONS = "specificConnectedOrganizationUsers"
    SPECIFIC_SERVICE_PRINCIPALS = "specificDirectoryServicePrincipals"
    ALL_MEMBERS = "allMemberUsers"
    ALL_USERS = "allDirectoryUsers"
    ALL_SERVICE_PRINCIPALS = "allDirectoryServicePrincipals"
    ALL_ORGANIZATIONS = "allConfiguredConnectedOrganizationUsers"
    ALL_EXTERNAL = "allExternalUsers"
    ALL_AGENTS = "allDirectoryAgentIdentities"


class SubjectKind(StrEnum):
    """Which of Graph's types derived from subjectSet it is; the last is ours."""

    SINGLE_USER = "singleUser"
    GROUP_MEMBERS = "groupMembers"
    REQUESTOR_MANAGER = "requestorManager"
    TARGET_MANAGER = "targetManager"
    INTERNAL_SPONSORS = "internalSponsors"
    EXTERNAL_SPONSORS = "externalSponsors"
    TARGET_SPONSORS = "targetUserSponsors"
    ATTRIBUTE_RULE = "attributeRuleMembers"
    ORGANIZATION = "connectedOrganizationMembers"
    SERVICE_PRINCIPAL = "singleServicePrincipal"
    AGENT_SPONSORS = "targetAgentIdentitySponsorsOrOwners"
    APPLICATION_OWNERS = "targetApplicationOwners"
    POPULATION = "populationMembers"


class SubjectSet(Contract):
    """Some people, named one way or another."""

    kind: SubjectKind
    id: str | None = Field(None, description="The user, group, organisation, service principal or population.")
    level: int = Field(1, description="Managers: 1 is the manager, 2 the manager's manager.")
    rule: str | None = Field(None, description="Attribute rule: already checked by catalog.")
    description: str | None = None


class RequestorSettings(Contract):
    """Who may ask for what. The default lets nobody ask."""

    accept_requests: bool = Field(
        True, description="False: nothing new under this policy; one for direct assignment only gives nobody anything."
    )
    enable_targets_to_self_add_access: bool = False
    enable_targets_to_self_update_access: bool = False
    enable_targets_to_self_remove_access: bool = False
    allow_custom_assignment_schedule: bool = False
    enable_on_behalf_requestors_to_add_access: bool = False
    enable_on_behalf_requestors_to_update_access: bool = False
    enable_on_behalf_requestors_to_remove_access: bool = False
    on_behalf_requestors: tuple[SubjectSet, ...] = ()


class ApprovalStageSettings(Contract):
    """One stage: who decides, and what happens while nobody does."""

    duration_before_automatic_denial: Span = timedelta(days=14)
    is_approver_justification_required: bool = False
    is_escalation_enabled: bool = False
    duration_before_escalation: Span = timedelta()
    primary_approvers: tuple[SubjectSet, ...] = ()
    fallback_primary_approvers: tuple[SubjectSet, ...] = Field((), description="If the primary ones are nobody.")
    escalation_approvers: tuple[SubjectSet, ...] = ()
    fallback_escalation_approvers: tuple[SubjectSet, ...] = ()
    approver_information_visibility: str = "default"

    @property
    def everybody(self) -> tuple[SubjectSet, ...]:
        """All sets together: whoever may ever come to decide it."""
        return (
            *self.primary_approvers,
            *self.fallback_primary_approvers,
            *self.escalation_approvers,
            *self.fallback_escalation_approvers,
        )


class ApprovalSettings(Contract):
    """Whether a request needs approval, and by whom: one to three stages, in order."""

    is_approval_required_for_add: bool = False
    is_approval_required_for_update: bool = False
    is_requestor_justification_required: bool = False
    stages: tuple[ApprovalStageSettings, ...] = ()


class LocalizedText(Contract):
    language_code: str
    text: str | None = None


class AnswerChoice(Contract):
    """One choice; `actual_value` is what an answer says."""

    actual_value: str
    text: str | None = None
    localizations: tuple[LocalizedText, ...] = ()


class Question(Contract):
    """Asked of the requestor; approvers see the answer."""

    id: str
    text: str | None = None
    localizations: tuple[LocalizedText, ...] = ()
    sequence: int = 0
    is_required: bool = False
    is_answer_editable: bool = True
    is_single_line: bool = False
    regex_pattern: str | None = Field(None, description="A text answer has to match it as a whole, case and all.")
    choices: tuple[AnswerChoice, ...] | None = Field(None, description="None: the answer is text.")
    is_multiple_selection_allowed: bool = False


class ExtensionStage(StrEnum):
    """When a custom extension is called: at a step of a request, or before an assignment ends."""

    REQUEST_CREATED = "assignmentRequestCreated"
    REQUEST_APPROVED = "assignmentRequestApproved"
    REQUEST_GRANTED = "assignmentRequestGranted"
    REQUEST_REMOVED = "assignmentRequestRemoved"
    FOURTEEN_DAYS_BEFORE = "assignmentFourteenDaysBeforeExpiration"
    ONE_DAY_BEFORE = "assignmentOneDayBeforeExpiration"

    @property
    def is_about_requests(self) -> bool:
        return self.value.startswith("assignmentRequest")


class StageExtension(Contract):
    """The custom extension that a policy names for a stage. Stored; nothing calls it yet."""

    stage: ExtensionStage
    extension_id: str


class ResourceAttribute(Contract):
    """What a resource wants to know of whoever asks for a package with it: a question beside those of the policy."""

    name: str = Field(description="The user property, or extension, that the answer is about.")
    question: Question
    is_editable: bool = Field(True, description="False: asked only of those of whom the directory has no value yet.")
    is_persisted_on_assignment_removal: bool = False


class Answer(Contract):
    """What the requestor answered. Of several choices the values are separated by commas."""

    question_id: str
    value: str
    display_value: str | None = None
    question: str | None = Field(None, description="As the policy asked it then.")
    of_choices: bool | None = Field(None, description="Whether it was asked to be one of several. None: not known.")
