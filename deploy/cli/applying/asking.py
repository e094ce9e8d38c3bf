"""What a file says of those who ask: whom a policy is for, who may ask, who approves, which questions.

    scope: allMemberUsers                    # Graph's allowedTargetScope, or `targets`
    requestors: {self: [add, update, remove], customSchedule: true}   # acceptRequests: false takes no new ones
    approval:
      for: [add]
      stages:
        - approvers: [{manager: 1}]
          fallback: [{group: Owners of CRM}]
          within: P7D
          escalation: {after: P3D, to: [{user: ana@example.com}]}
    questions: [{text: What for?, required: true}]

People, groups and populations stand by their names, in Graph's JSON by ids: `written` and `read` go from one to the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from shared import durations, rules


def _span(text: str) -> str:
    return durations.iso(durations.duration(text))


def _rule(text: str) -> str:
    try:
        rules.parse(text)
    except rules.RuleError as problem:
        raise ValueError(str(problem)) from None
    return text.strip()


Span = Annotated[str, AfterValidator(_span)]
"""A duration; P2W is kept as P14D, so that the same spans are the same texts."""
Act = Literal["add", "update", "remove"]
ACTS: tuple[Act, ...] = ("add", "update", "remove")
Scope = Literal[
    "specificDirectoryUsers",
    "specificConnectedOrganizationUsers",
    "specificDirectoryServicePrincipals",
    "allMemberUsers",
    "allDirectoryUsers",
    "allDirectoryServicePrincipals",
    "allConfiguredConnectedOrganizationUsers",
    "allExternalUsers",
    "allDirectoryAgentIdentities",
]


class Spec(BaseModel):
    """A part of the file: nothing unknown, nothing of the wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, strict=True)


class Who(Spec):
    """Some people, in exactly one way."""

    user: str | None = None
    group: str | None = None
    population: str | None = None
    rule: Annotated[str, AfterValidator(_rule)] | None = None
    manager: Annotated[int, Field(ge=1, le=2)] | None = None
    """Of whoever asks; 2 is the manager's manager."""
    target_manager: Annotated[int, Field(ge=1, le=2)] | None = None
    """Of whoever is to get access."""
    sponsors: Literal["internal", "external", "target", "agent", "applicationOwners"] | None = None
    organization: str | None = None
    service_principal: str | None = None
    description: str | None = None
    """For readers, beside one of the others."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.ways) != 1:
            names = ", ".join(to_camel(name) for name in Who.model_fields if name != "description")
            raise ValueError(f"says who is meant in exactly one way: {names}")
        return self

    @property
    def ways(self) -> set[str]:
        """In which it is said who is meant."""
        return self.model_fields_set - {"description"}


REVIEWERS = ("primaryReviewers", "fallbackReviewers")


def reviewers_in(settings: Mapping[str, Any] | None) -> list[Who]:
    """Those that stand by their names."""
    some = [one for name in REVIEWERS for one in (settings or {}).get(name) or ()]
    return [Who.model_validate(one) for one in some if _is_named(one)]


def _is_named(one: Any) -> bool:
    return not (isinstance(one, Mapping) and "@odata.type" in one)  # as Graph writes it: by id


def _reviewers_checked(settings: dict[str, Any]) -> dict[str, Any]:
    reviewers_in(settings)
    return settings


def _that_say_something(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    """None for those that are so without being said: every policy shows them."""
    return settings if settings and any(settings.values()) else None


class Requestors(Spec):
    """What people may ask for, for themselves and for others."""

    self_: list[Act] = Field(default_factory=list, alias="self")
    on_behalf: list[Act] = Field(default_factory=list)
    on_behalf_requestors: list[Who] = Field(default_factory=list)
    custom_schedule: bool = False
    accept_requests: bool = True
    """False: nobody asks any more, and under a direct policy nobody is assigned; what is held stays."""


class Escalation(Spec):
    enabled: bool = True
    after: Span = "PT0S"
    to: list[Who] = Field(default_factory=list)
    fallback: list[Who] = Field(default_factory=list)


class Stage(Spec):
    approvers: list[Who] = Field(default_factory=list)
    fallback: list[Who] = Field(default_factory=list)
    within: Span = "P14D"
    justification: bool = False
    escalation: Escalation | None = None
    visibility: str = "default"


class Approval(Spec):
    for_: list[Literal["add", "update"]] = Field(default_factory=list, alias="for")
    justification: bool = False
    """Of whoever asks."""
    stages: list[Stage] = Field(default_factory=list)


class Choice(Spec):
    value: str
    text: str | None = None
    localizations: dict[str, str | None] = Field(default_factory=dict)


class Question(Spec):
    """A text question, or one with choices. Without an id it gets one that stays while place and text do."""

    id: str | None = None
    text: str | None = None
    localizations: dict[str, str | None] = Field(default_factory=dict)
    required: bool = False
    editable: bool = True
    single_line: bool = False
    pattern: str | None = None
    choices: list[Choice] = Field(default_factory=list)
    multiple: bool = False


class Asking(Spec):
    """All of it."""

    scope: Scope | None = None
    targets: list[Who] = Field(default_factory=list)
    requestors: Requestors = Requestors()
    approval: Approval = Approval()
    questions: list[Question] = Field(default_factory=list)
    review_settings: Annotated[dict[str, Any], AfterValidator(_reviewers_checked)] | None = None
    """As Graph writes them, but that reviewers stand as other people do: `primaryReviewers: [{manager: 1}]`."""
    notification_settings: Annotated[dict[str, Any] | None, AfterValidator(_that_say_something)] = None


Kind = Literal["user", "group", "population"]


class Names(Protocol):
    """Ids by name and names by id, of what a policy refers to. What has no name stands by its id."""

    def id_of(self, kind: Kind, name: str) -> str: ...

    def name_of(self, kind: Kind, id: str) -> str: ...


_BY_ID: dict[str, tuple[str, str]] = {
    "user": ("singleUser", "userId"),
    "group": ("groupMembers", "groupId"),
    "population": ("populationMembers", "populationId"),
    "organization": ("connectedOrganizationMembers", "connectedOrganizationId"),
    "service_principal": ("singleServicePrincipal", "servicePrincipalId"),
}
_MANAGERS = {"manager": "requestorManager", "target_manager": "targetManager"}
_SPONSORS = {
    "internal": "internalSponsors",
    "external": "externalSponsors",
    "target": "targetUserSponsors",
    "agent": "targetAgentIdentitySponsorsOrOwners",
    "applicationOwners": "targetApplicationOwners",
}
_NAMED: tuple[Kind, ...] = ("user", "group", "population")


# To Graph's JSON


def written(asking: Asking, names: Names) -> dict[str, Any]:
    """The properties of an accessPackageAssignmentPolicy."""
    mine, others = asking.requestors.self_, asking.requestors.on_behalf
    scope = asking.scope or ("specificDirectoryUsers" if asking.targets else "notSpecified")

    def who(some: list[Who]) -> list[dict[str, Any]]:
        return [_who(one, names) for one in some]

    return {
        "allowedTargetScope": scope,
        "specificAllowedTargets": who(asking.targets),
        "requestorSettings": {
            **{f"enableTargetsToSelf{act.title()}Access": act in mine for act in ACTS},
            **{f"enableOnBehalfRequestorsTo{act.title()}Access": act in others for act in ACTS},
            "onBehalfRequestors": who(asking.requestors.on_behalf_requestors),
            "allowCustomAssignmentSchedule": asking.requestors.custom_schedule,
            "acceptRequests": asking.requestors.accept_requests,
        },
        "requestApprovalSettings": {
            "isApprovalRequiredForAdd": "add" in asking.approval.for_,
            "isApprovalRequiredForUpdate": "update" in asking.approval.for_,
            "isRequestorJustificationRequired": asking.approval.justification,
            "stages": [_stage(one, who) for one in asking.approval.stages],
        },
        "questions": [question_written(one, number) for number, one in enumerate(asking.questions)],
        "reviewSettings": reviews_written(asking.review_settings, names),
        "notificationSettings": asking.notification_settings,
    }


def reviews_written(settings: Mapping[str, Any] | None, names: Names) -> dict[str, Any] | None:
    """As Graph has them, reviewers by their ids."""
    if settings is None:
        return None
    return {
        name: [_who(Who.model_validate(one), names) if _is_named(one) else one for one in value or ()]
        if name in REVIEWERS
        else value
        for name, value in settings.items()
    }


def _reviews_read(settings: Any, names: Names) -> dict[str, Any] | None:
    if not isinstance(settings, Mapping):
        return None
    return {
        name: [_who_read(one, names).model_dump(by_alias=True, exclude_unset=True) for one in value or ()]
        if name in REVIEWERS
        else value
        for name, value in settings.items()
    }


def _who(one: Who, names: Names) -> dict[str, Any]:
    described = {} if one.description is None else {"description": one.description}
    return _meant(one, names) | described


def _meant(one: Who, names: Names) -> dict[str, Any]:
    (name,) = one.ways
    value = getattr(one, name)
    if name in _BY_ID:
        kind, property_ = _BY_ID[name]
        id = names.id_of(name, value) if name in _NAMED else value
        return {"@odata.type": f"#{'tenure' if name == 'population' else 'microsoft.graph'}.{kind}", property_: id}
    if name in _MANAGERS:
        return {"@odata.type": f"#microsoft.graph.{_MANAGERS[name]}", "managerLevel": value}
    if name == "sponsors":
        return {"@odata.type": f"#microsoft.graph.{_SPONSORS[value]}"}
    return {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": value}


def _stage(one: Stage, who: Callable[[list[Who]], list[dict[str, Any]]]) -> dict[str, Any]:
    escalation = one.escalation or Escalation(enabled=False)
    return {
        "durationBeforeAutomaticDenial": one.within,
        "isApproverJustificationRequired": one.justification,
        "isEscalationEnabled": escalation.enabled,
        "durationBeforeEscalation": escalation.after,
        "primaryApprovers": who(one.approvers),
        "fallbackPrimaryApprovers": who(one.fallback),
        "escalationApprovers": who(escalation.to),
        "fallbackEscalationApprovers": who(escalation.fallback),
        "approverInformationVisibility": one.visibility,
    }


def question_written(one: Question, number: int) -> dict[str, Any]:
    kind = "accessPackageMultipleChoiceQuestion" if one.choices else "accessPackageTextInputQuestion"
    said: dict[str, Any] = {
        "@odata.type": f"#microsoft.graph.{kind}",
        **({"id": one.id} if one.id else {}),
        "text": one.text,
        "localizations": _localized(one.localizations),
        "sequence": number,
        "isRequired": one.required,
        "isAnswerEditable": one.editable,
    }
    if not one.choices:
        return {**said, "isSingleLineQuestion": one.single_line, "regexPattern": one.pattern}
    choices = [
        {"actualValue": c.value, "text": c.text, "localizations": _localized(c.localizations)} for c in one.choices
    ]
    return {**said, "choices": choices, "isMultipleSelectionAllowed": one.multiple}


def _localized(texts: Mapping[str, str | None]) -> list[dict[str, Any]]:
    return [{"languageCode": code, "text": text} for code, text in texts.items()]


# From Graph's JSON


def read(body: Mapping[str, Any], names: Names) -> Asking:
    """What a policy says, as a file would say it; of an automatic one what is left beside its rule."""
    kept: Any = {
        "review_settings": _reviews_read(body.get("reviewSettings"), names),
        "notification_settings": body.get("notificationSettings"),
    }
    if body.get("automaticRequestSettings") is not None:
        return Asking.model_validate(kept)  # nobody asks: whatever else it says of asking means nothing
    settings = body.get("requestorSettings") or {}
    approval = body.get("requestApprovalSettings") or {}
    scope = body.get("allowedTargetScope")
    said: Any = {
        "scope": None if scope == "notSpecified" else scope,
        "targets": _people(body.get("specificAllowedTargets"), names),
        "requestors": Requestors(
            self_=[act for act in ACTS if settings.get(f"enableTargetsToSelf{act.title()}Access")],
            on_behalf=[act for act in ACTS if settings.get(f"enableOnBehalfRequestorsTo{act.title()}Access")],
            on_behalf_requestors=_people(settings.get("onBehalfRequestors"), names),
            custom_schedule=bool(settings.get("allowCustomAssignmentSchedule")),
            accept_requests=settings.get("acceptRequests") is not False,
        ),
        "approval": Approval.model_validate(
            {
                "for": [act for act in ("add", "update") if approval.get(f"isApprovalRequiredFor{act.title()}")],
                "justification": bool(approval.get("isRequestorJustificationRequired")),
                "stages": [_stage_read(one, names) for one in approval.get("stages") or ()],
            }
        ),
        "questions": [question_read(one) for one in body.get("questions") or ()],
    }
    return Asking(**said, **kept)


def _people(bodies: Any, names: Names) -> list[Who]:
    return [_who_read(one, names) for one in bodies or ()]


def _who_read(body: Mapping[str, Any], names: Names) -> Who:
    description = body.get("description")
    described = {} if description is None else {"description": description}
    return Who.model_validate(_meant_read(body, names) | described)


def _meant_read(body: Mapping[str, Any], names: Names) -> dict[str, Any]:
    kind = str(body["@odata.type"]).rpartition(".")[2]
    for name, (its_kind, property_) in _BY_ID.items():
        if kind == its_kind:
            id = str(body[property_])
            return {name: names.name_of(name, id) if name in _NAMED else id}
    for name, its_kind in _MANAGERS.items():
        if kind == its_kind:
            return {name: body.get("managerLevel") or 1}
    for name, its_kind in _SPONSORS.items():
        if kind == its_kind:
            return {"sponsors": name}
    return {"rule": str(body["membershipRule"])}


def _stage_read(body: Mapping[str, Any], names: Names) -> Stage:
    escalation = Escalation(
        enabled=bool(body.get("isEscalationEnabled")),
        after=body.get("durationBeforeEscalation") or "PT0S",
        to=_people(body.get("escalationApprovers"), names),
        fallback=_people(body.get("fallbackEscalationApprovers"), names),
    )
    return Stage(
        approvers=_people(body.get("primaryApprovers"), names),
        fallback=_people(body.get("fallbackPrimaryApprovers"), names),
        within=body.get("durationBeforeAutomaticDenial") or "P14D",
        justification=bool(body.get("isApproverJustificationRequired")),
        escalation=None if escalation == Escalation(enabled=False) else escalation,
        visibility=body.get("approverInformationVisibility") or "default",
    )


def question_read(body: Mapping[str, Any]) -> Question:
    return Question(
        id=body.get("id"),
        text=body.get("text"),
        localizations=_texts(body.get("localizations")),
        required=bool(body.get("isRequired")),
        editable=body.get("isAnswerEditable") is not False,
        single_line=bool(body.get("isSingleLineQuestion")),
        pattern=body.get("regexPattern"),
        choices=[
            Choice(value=c["actualValue"], text=c.get("text"), localizations=_texts(c.get("localizations")))
            for c in body.get("choices") or ()
        ],
        multiple=bool(body.get("isMultipleSelectionAllowed")),
    )


def _texts(localizations: Any) -> dict[str, str | None]:
    return {one["languageCode"]: one.get("text") for one in localizations or ()}


def plain(asking: Asking) -> dict[str, str]:
    """Every value that is not the default, by its path, for comparing and showing. A question's id says nothing."""
    said = asking.model_dump(by_alias=True, exclude_defaults=True, exclude={"questions": {"__all__": {"id"}}})
    return flat(said)


def flat(said: Mapping[str, Any]) -> dict[str, str]:
    """Every value by its path, as text."""
    return dict(_flat("", said))


def _flat(place: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        inner = [_flat(f"{place}.{name}" if place else str(name), one) for name, one in value.items()]
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        inner = [_flat(f"{place}[{number}]", one) for number, one in enumerate(value)]
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else value
        return [(place, {True: "yes", False: "no"}.get(text, str(text)) if isinstance(text, bool) else str(text))]
    return [pair for pairs in inner for pair in pairs]
