"""May it be asked? Each reason against it, and what a request that is taken asks of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.request.decide.answers import questions
from services.request.decide.offers import applicable
from services.request.decide.period import Schedule
from services.request.decide.progress import approval_told
from services.request.decide.scene import Held, Package, Person, Policy, Scene
from services.request.decide.submit import Ask, submit
from services.request.model import Request
from shared.contracts import topics
from shared.contracts.approval import ApprovalEnded, ApprovalFact, ApprovalState, Outcome
from shared.contracts.assignment import AssignmentStatus
from shared.contracts.base import Cause
from shared.contracts.catalog import Life, PolicyState
from shared.contracts.directory import PersonStatus
from shared.contracts.policy import (
    Answer,
    AnswerChoice,
    ApprovalSettings,
    ApprovalStageSettings,
    Question,
    RequestorSettings,
    ResourceAttribute,
    SubjectKind,
    SubjectSet,
    TargetScope,
)
from shared.contracts.request import RequestStatus, RequestType
from shared.messaging.decision import Circumstances, Decision

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SELF = RequestorSettings(
    enable_targets_to_self_add_access=True,
    enable_targets_to_self_update_access=True,
    enable_targets_to_self_remove_access=True,
)
CUSTOM = SELF.model_copy(update={"allow_custom_assignment_schedule": True})
STATE = PolicyState(
    id="policy",
    package_id="sales",
    display_name="By request",
    expires_after=timedelta(days=90),
    target_scope=TargetScope.ALL_MEMBERS,
    requestor_settings=SELF,
    created_at=NOW,
    modified_at=NOW,
)
ANA = Person("ana", PersonStatus.ACTIVE, "boss", {"displayName": "Ana", "department": "Sales"}, frozenset({"g"}))
BOSS = Person("boss", PersonStatus.ACTIVE, None, {"displayName": "Boss"})
PACKAGE = Package("sales", "Sales", "catalog", Life.ACTIVE, False, frozenset({"audit"}), frozenset({"auditors"}))
AUDIT = replace(PACKAGE, id="audit", name="Audit")
HELD = Held("a1", "sales", "policy", "requested", AssignmentStatus.DELIVERED, NOW, NOW + timedelta(days=10))
SCENE = Scene(
    packages={"sales": PACKAGE, "audit": AUDIT},
    policies={"policy": Policy(7, STATE)},
    people={"ana": ANA, "boss": BOSS},
    populations={"romans": 'user.city -eq "Rome"'},
    published=frozenset({"catalog"}),
)
ASK = Ask("r", RequestType.USER_ADD, "ana", "ana", "sales", "policy")
UPDATE = replace(ASK, type=RequestType.USER_UPDATE, assignment_id="a1", policy_id=None)


def scene(held: tuple[Held, ...] = (), **policy: Any) -> Scene:
    return replace(SCENE, policies={"policy": Policy(7, STATE.model_copy(update=policy))}, held={"ana": held})


def asked(ask: Ask = ASK, around: Scene = SCENE, **at: Any) -> Decision[Request]:
    cause = Cause(id="http:1", correlation="http:1", actor="person:ana")
    return submit(None, ask, Circumstances(now=NOW, version=1, cause=cause, context=around, **at))


def taken(ask: Ask = ASK, around: Scene = SCENE) -> Request:
    decision = asked(ask, around)
    assert decision.refusal is None, decision.refusal
    assert decision.state is not None
    return decision.state


def commanded(ask: Ask = ASK, around: Scene = SCENE) -> tuple[str, dict[str, Any]]:
    (message,) = asked(ask, around).messages
    assert message.value is not None
    return message.topic, orjson.loads(message.value)["order"]


def test_what_needs_no_approval_goes_to_assignment_with_the_policys_duration() -> None:
    topic, order = commanded()
    assert topic == topics.ASSIGNMENT_COMMANDS.name
    assert (order["type"], order["kind"], order["lasts"]) == ("AddAssignment", "requested", "P90D")
    one = taken()
    assert (one.status, one.terms.version) == (RequestStatus.DELIVERING, 7)


def test_what_needs_approval_goes_there_with_the_stages_of_the_policy_as_it_is_now() -> None:
    stage = ApprovalStageSettings(primary_approvers=(SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER),))
    settings = ApprovalSettings(is_approval_required_for_add=True, stages=(stage,))
    topic, order = commanded(around=scene(approval_settings=settings))
    assert topic == topics.APPROVAL_COMMANDS.name
    assert order["stages"][0]["primaryApprovers"][0]["kind"] == "requestorManager"
    assert order["changes"] is False
    assert taken(around=scene(approval_settings=settings)).status is RequestStatus.PENDING_APPROVAL


def test_what_a_rule_merely_leaves_in_place_may_be_given_back() -> None:
    back = replace(ASK, type=RequestType.USER_REMOVE, assignment_id="a1", policy_id=None)
    by_rule = replace(HELD, kind="automatic", ends_at=None)
    refused = asked(back, scene(held=(by_rule,))).refusal
    assert refused is not None
    assert refused.code == "assignedByRule"
    for around in (scene(held=(by_rule,), takes_access=False), scene(held=(replace(HELD, kind="automatic"),))):
        assert commanded(back, around)[1]["type"] == "EndAssignment"


def question(**more: Any) -> Question:
    return Question(id="q", text="Why?", **more)


BY_ADMIN = replace(ASK, type=RequestType.ADMIN_ADD, requestor_id=None)
TOO_LONG = Schedule(lasts=timedelta(days=91))
CHOICES = (AnswerChoice(actual_value="rome"), AnswerChoice(actual_value="oslo"))


@pytest.mark.parametrize(
    ("ask", "around", "code"),
    [
        (ASK, replace(SCENE, people={"boss": BOSS}), "personNotFound"),
        (ASK, replace(SCENE, people={"ana": replace(ANA, status=PersonStatus.SUSPENDED)}), "requestorBlocked"),
        (ASK, replace(SCENE, people={"ana": replace(ANA, attributes={"accountEnabled": False})}), "requestorBlocked"),
        (ASK, replace(SCENE, packages={}), "packageNotFound"),
        (replace(ASK, policy_id="other"), SCENE, "policyNotFound"),
        (ASK, scene(life=Life.DELETING), "beingDeleted"),
        (ASK, replace(SCENE, published=frozenset()), "catalogUnpublished"),
        (ASK, scene(rule='user.city -eq "Rome"'), "policyIsAutomatic"),
        (ASK, scene(requestor_settings=RequestorSettings()), "selfRequestDisabled"),
        (replace(ASK, requestor_id="boss"), SCENE, "onBehalfDisabled"),
        (ASK, scene(target_scope=TargetScope.NOT_SPECIFIED), "notInScope"),
        (ASK, scene(target_scope=TargetScope.ALL_EXTERNAL), "notInScope"),
        (replace(ASK, policy_id=None), scene(target_scope=TargetScope.NOT_SPECIFIED), "notInScope"),
        (ASK, scene(held=(HELD,)), "alreadyAssigned"),
        (ASK, scene(held=(replace(HELD, package_id="audit"),)), "incompatibleAccessPackage"),
        (
            ASK,
            replace(SCENE, people={"ana": replace(ANA, groups=frozenset({"auditors"}))}),
            "incompatibleGroup",
        ),
        (
            ASK,
            scene(approval_settings=ApprovalSettings(is_requestor_justification_required=True)),
            "justificationRequired",
        ),
        (replace(ASK, schedule=Schedule(lasts=timedelta(days=1))), SCENE, "scheduleNotAllowed"),
        (replace(ASK, schedule=TOO_LONG), scene(requestor_settings=CUSTOM), "scheduleNotAllowed"),
        (replace(ASK, schedule=Schedule(never_ends=True)), scene(requestor_settings=CUSTOM), "scheduleNotAllowed"),
        (ASK, scene(expires_after=None, expires_at=NOW), "policyExpired"),
        (ASK, scene(questions=(question(is_required=True),)), "answerMissing"),
        (replace(ASK, answers=(Answer(question_id="z", value="x"),)), SCENE, "unknownQuestion"),
        (
            replace(ASK, answers=(Answer(question_id="q", value="12"),)),
            scene(questions=(question(regex_pattern="[a-z]+"),)),
            "answerNotValid",
        ),
        (
            replace(ASK, answers=(Answer(question_id="q", value="rome,oslo"),)),
            scene(questions=(question(choices=CHOICES),)),
            "answerNotValid",
        ),
        (UPDATE, SCENE, "assignmentNotFound"),
        (UPDATE, scene(held=(replace(HELD, kind="automatic"),)), "assignedByRule"),
        (UPDATE, scene(held=(HELD,), target_scope=TargetScope.NOT_SPECIFIED), "notInScope"),
        (
            UPDATE,
            scene(held=(HELD,), requestor_settings=RequestorSettings(enable_targets_to_self_add_access=True)),
            "selfRequestDisabled",
        ),
        (
            replace(UPDATE, schedule=Schedule(ends_at=NOW + timedelta(days=200))),
            scene(held=(HELD,)),
            "scheduleNotAllowed",
        ),
        (replace(ASK, type=RequestType.ADMIN_ADD, policy_id=None), SCENE, "policyRequired"),
        (BY_ADMIN, scene(questions=(question(is_required=True),)), "answerMissing"),
        (
            replace(ASK, type=RequestType.ADMIN_ADD),
            scene(target_scope=TargetScope.SPECIFIC_USERS, targets=()),
            "notInScope",
        ),
    ],
)  # fmt: skip
@pytest.mark.spec("REQ-2", "REQ-3", "REQ-7", "PPL-1", "PPL-3")
def test_what_cannot_be_asked_is_refused_with_its_reason(ask: Ask, around: Scene, code: str) -> None:
    decision = asked(ask, around)
    assert decision.refusal is not None
    assert decision.refusal.code == code
    assert decision.state is None
    assert not decision.messages


@pytest.mark.spec("SOD-2", "SOD-3")
@pytest.mark.parametrize("type", [RequestType.USER_ADD, RequestType.ADMIN_ADD])
def test_who_has_what_is_incompatible_is_refused_whoever_asks_and_one_way_only(type: RequestType) -> None:
    """The package "sales" is not for holders of "audit", nor for the auditors; "audit" says nothing of "sales"."""
    ask = replace(ASK, type=type, requestor_id="ana" if type is RequestType.USER_ADD else None)
    audit = replace(HELD, id="a2", package_id="audit")
    auditor = replace(SCENE, people={"ana": replace(ANA, groups=frozenset({"auditors"}))})
    for around, code in ((scene(held=(audit,)), "incompatibleAccessPackage"), (auditor, "incompatibleGroup")):
        refusal = asked(ask, around).refusal
        assert refusal is not None
        assert refusal.code == code
    reverse = replace(
        SCENE,
        packages={"sales": PACKAGE, "audit": replace(AUDIT, incompatible_packages=frozenset())},
        policies={"audits": Policy(1, STATE.model_copy(update={"id": "audits", "package_id": "audit"}))},
        held={"ana": (HELD,)},
    )
    assert taken(replace(ask, package_id="audit", policy_id="audits"), reverse).package_id == "audit"


_SWITCHES = [
    f"enable_{who}_{act}_access"
    for who in ("targets_to_self", "on_behalf_requestors_to")
    for act in ("add", "update", "remove")
]
_ACTS = {"add": ASK, "update": UPDATE, "remove": replace(UPDATE, type=RequestType.USER_REMOVE)}


@pytest.mark.spec("POL-5")
@pytest.mark.parametrize("switch", _SWITCHES)
def test_each_switch_of_a_policy_lets_just_one_thing_be_asked(switch: str) -> None:
    around = scene(requestor_settings=RequestorSettings(**{switch: True}))
    let = set()
    for act, ask in _ACTS.items():
        here = replace(around, held={} if act == "add" else {"ana": (HELD,)})
        for who, requestor in (("targets_to_self", "ana"), ("on_behalf_requestors_to", "boss")):
            if asked(replace(ask, requestor_id=requestor), here).refusal is None:
                let.add(f"enable_{who}_{act}_access")
    assert let == {switch}


@pytest.mark.spec("POL-5")
def test_a_schedule_of_ones_own_needs_a_policy_that_lets_one_choose() -> None:
    wish = replace(ASK, schedule=Schedule(lasts=timedelta(days=1)))
    refusal = asked(wish, scene(requestor_settings=SELF)).refusal
    assert refusal is not None
    assert refusal.code == "scheduleNotAllowed"
    assert taken(wish, scene(requestor_settings=CUSTOM)).lasts == timedelta(days=1)


@pytest.mark.spec("POL-6")
def test_justification_and_answers_are_asked_for_as_the_policy_says_and_go_to_the_approvers() -> None:
    stage = ApprovalStageSettings(primary_approvers=(SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER),))
    settings = ApprovalSettings(
        is_approval_required_for_add=True, is_requestor_justification_required=True, stages=(stage,)
    )
    wanted = (
        Question(id="code", text="Code?", is_required=True, regex_pattern="[a-z]{3}"),
        Question(id="where", text="Where?", choices=CHOICES, is_multiple_selection_allowed=True),
    )
    around = scene(approval_settings=settings, questions=wanted)

    def refused(justification: str | None, **answers: str) -> str | None:
        said = tuple(Answer(question_id=id, value=value) for id, value in answers.items())
        refusal = asked(replace(ASK, justification=justification, answers=said), around).refusal
        return refusal.code if refusal else None

    assert refused(" ", code="abc") == "justificationRequired"
    assert refused("I sell.") == refused("I sell.", code=" ", where="rome") == "answerMissing"
    assert refused("I sell.", code="ABC") == refused("I sell.", code="abcd") == "answerNotValid"
    assert refused("I sell.", code="abc", where="rome,berlin") == "answerNotValid"
    assert refused("I sell.", code="abc") is None
    said = (Answer(question_id="code", value="abc"), Answer(question_id="where", value="rome,oslo"))
    topic, order = commanded(replace(ASK, justification="I sell.", answers=said), around)
    assert topic == topics.APPROVAL_COMMANDS.name
    assert order["justification"] == "I sell."
    assert [one["value"] for one in order["answers"]] == ["abc", "rome,oslo"]
    assert [(one["question"], one["ofChoices"]) for one in order["answers"]] == [("Code?", False), ("Where?", True)]


@pytest.mark.spec("POL-6")
@pytest.mark.parametrize(
    ("value", "several", "code"),
    [
        ("oslo", False, None),
        ("Rome, Italy", False, None),
        ("Rome,Italy", False, None),
        ("oslo, Rome, Italy", True, None),
        ("Rome, Italy,oslo", True, None),
        ("Rome, Italy, San Marino", True, None),
        ("Rome, Italy, San Marino,Rome, Italy, oslo", True, None),
        ("oslo,Rome, Italy", False, "answerNotValid"),
        ("Rome", True, "answerNotValid"),
        ("oslo,Rome, Italy, Berlin", True, "answerNotValid"),
        ("oslo,", True, "answerNotValid"),
    ],
)
def test_a_choice_may_have_a_comma_itself(value: str, several: bool, code: str | None) -> None:
    choices = tuple(AnswerChoice(actual_value=one) for one in ("oslo", "Rome, Italy", "Rome, Italy, San Marino"))
    where = Question(id="where", text="Where?", choices=choices, is_multiple_selection_allowed=several)
    ask = replace(ASK, answers=(Answer(question_id="where", value=value),))
    refusal = asked(ask, scene(questions=(where,))).refusal
    assert (refusal.code if refusal else None) == code


@pytest.mark.spec("CAT-6")
def test_what_a_resource_wants_to_know_is_asked_beside_the_policys_questions_and_not_again_if_fixed() -> None:
    why, licence = question(), Question(id="licence", text="Licence?", is_required=True)
    editable = ResourceAttribute(name="extension_licence", question=licence)
    fixed = editable.model_copy(update={"is_editable": False})
    known = replace(ANA, attributes={**ANA.attributes, "extension_licence": "A-1"})

    def around(attribute: ResourceAttribute, person: Person = ANA) -> Scene:
        return replace(
            scene(questions=(why,)), attributes={"sales": (attribute,)}, people={"ana": person, "boss": BOSS}
        )

    def asks(here: Scene) -> list[str]:
        return [one.id for one in questions("sales", here.people["ana"], here.policies["policy"].state, here)]

    said = replace(ASK, answers=(Answer(question_id="licence", value="B-2"),))
    for here in (around(editable), around(fixed), around(editable, known)):
        assert asks(here) == ["q", "licence"]
        refusal = asked(ASK, here).refusal
        assert refusal is not None
        assert refusal.code == "answerMissing"
        request = taken(said, here)
        assert [(one.value, one.question) for one in request.answers] == [("B-2", "Licence?")]
        assert [(one.name, one.value) for one in request.attributes] == [("extension_licence", "B-2")]
    assert asks(around(fixed, known)) == ["q"], "what is there may not be changed"
    assert taken(ASK, around(fixed, known)).answers == ()
    refusal = asked(said, around(fixed, known)).refusal
    assert refusal is not None
    assert refusal.code == "unknownQuestion"


@pytest.mark.spec("POL-7")
def test_what_is_pending_or_approved_keeps_the_expiration_that_the_policy_had_when_it_was_asked() -> None:
    stage = ApprovalStageSettings(primary_approvers=(SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER),))
    settings = ApprovalSettings(is_approval_required_for_add=True, stages=(stage,))
    pending = taken(around=scene(approval_settings=settings))
    cause = Cause(id="a", correlation="a", actor="person:boss")
    shorter = Circumstances(
        now=NOW, version=2, cause=cause, context=scene(approval_settings=settings, expires_after=timedelta(days=1))
    )
    ended = ApprovalState(
        id="r", person_id="ana", requestor_id="ana", package_id="sales", policy_id="policy", stages=(),
        outcome=Outcome.APPROVED,
    )  # fmt: skip
    fact = ApprovalFact(
        id="approval:r:2", cause=cause, subject="r", version=2, at=NOW, state=ended,
        transitions=(ApprovalEnded(outcome=Outcome.APPROVED),),
    )  # fmt: skip
    decision = approval_told(pending, fact, shorter)
    (message,) = decision.messages
    order = orjson.loads(message.value or b"")["order"]
    assert (order["type"], order["lasts"]) == ("AddAssignment", "P90D")


def test_of_one_person_and_package_one_request_is_open() -> None:
    decision = asked(clashes=frozenset({"state.holds_place"}))
    assert decision.refusal is not None
    assert decision.refusal.code == "requestPending"


@pytest.mark.spec("REQ-6")
def test_a_manager_asks_for_those_who_report_to_them_and_nobody_else() -> None:
    settings = RequestorSettings(enable_on_behalf_requestors_to_add_access=True)
    on_behalf = replace(ASK, requestor_id="boss")
    assert taken(on_behalf, scene(requestor_settings=settings)).person_id == "ana"
    elsewhere = replace(scene(requestor_settings=settings), people={"ana": replace(ANA, manager_id="x"), "boss": BOSS})
    decision = asked(on_behalf, elsewhere)
    assert decision.refusal is not None
    assert decision.refusal.code == "notOnBehalfOf"


@pytest.mark.parametrize(
    ("target", "fits"),
    [
        (SubjectSet(kind=SubjectKind.SINGLE_USER, id="ana"), True),
        (SubjectSet(kind=SubjectKind.SINGLE_USER, id="ben"), False),
        (SubjectSet(kind=SubjectKind.GROUP_MEMBERS, id="g"), True),
        (SubjectSet(kind=SubjectKind.GROUP_MEMBERS, id="h"), False),
        (SubjectSet(kind=SubjectKind.ATTRIBUTE_RULE, rule='user.department -eq "sales"'), True),
        (SubjectSet(kind=SubjectKind.ATTRIBUTE_RULE, rule='user.department -eq "law"'), False),
        (SubjectSet(kind=SubjectKind.POPULATION, id="romans"), False),
    ],
)
def test_a_policy_for_some_lets_exactly_these_ask(target: SubjectSet, fits: bool) -> None:
    around = scene(target_scope=TargetScope.SPECIFIC_USERS, targets=(target,))
    refusal = asked(around=around).refusal
    assert (refusal is None) is fits


def test_a_guest_is_no_member() -> None:
    guest = replace(ANA, attributes={"userType": "Guest"})
    around = replace(SCENE, people={"ana": guest})
    refusal = asked(around=around).refusal
    assert refusal is not None
    assert refusal.code == "notInScope"


@pytest.mark.spec("POL-4")
def test_only_policies_of_the_best_class_are_offered_and_without_a_name_the_oldest_of_them_is_taken() -> None:
    """Specific people before all members before everybody, whichever was made first."""
    some = (SubjectSet(kind=SubjectKind.SINGLE_USER, id="ana"),)
    everybody = STATE.model_copy(update={"id": "a-everybody", "target_scope": TargetScope.ALL_USERS})
    members = STATE.model_copy(update={"id": "b-members", "created_at": NOW + timedelta(days=1)})
    closest = {"target_scope": TargetScope.SPECIFIC_USERS, "targets": some}
    newest = STATE.model_copy(update={**closest, "id": "c-newest", "created_at": NOW + timedelta(days=3)})
    closer = STATE.model_copy(update={**closest, "id": "d-closer", "created_at": NOW + timedelta(days=2)})
    by_nobody = replace(ASK, policy_id=None)
    for states, offered in (
        ((everybody,), ["a-everybody"]),
        ((everybody, members), ["b-members"]),
        ((everybody, members, newest, closer), ["d-closer", "c-newest"]),
    ):
        around = replace(SCENE, policies={one.id: Policy(1, one) for one in states})
        assert [one.state.id for one in applicable("sales", ANA, around, NOW)] == offered
        assert taken(by_nobody, around).policy_id == offered[0]
    assert taken(replace(ASK, policy_id="c-newest"), around).policy_id == "c-newest", "of several the person picks"


@pytest.mark.spec("POL-4")
@pytest.mark.parametrize("switch", ["enable_targets_to_self_add_access", "accept_requests"])
def test_a_closed_policy_of_the_best_class_hides_no_open_one(switch: str) -> None:
    some = (SubjectSet(kind=SubjectKind.SINGLE_USER, id="ana"),)
    closed = STATE.requestor_settings.model_copy(update={switch: False})
    best = STATE.model_copy(
        update={
            "id": "closed",
            "target_scope": TargetScope.SPECIFIC_USERS,
            "targets": some,
            "requestor_settings": closed,
        }
    )
    around = replace(SCENE, policies={one.id: Policy(1, one) for one in (STATE, best)})
    assert [one.state.id for one in applicable("sales", ANA, around, NOW)] == ["policy"]
    assert taken(replace(ASK, policy_id=None), around).policy_id == "policy"
    alone = asked(replace(ASK, policy_id=None), replace(SCENE, policies={"closed": Policy(1, best)})).refusal
    assert alone is not None
    assert alone.code == ("requestsNotAccepted" if switch == "accept_requests" else "notInScope")


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([("code", "abc")], None),
        ([("where", "")], None),
        ([("code", "ABC")], "answerNotValid"),
        ([("where", "berlin")], "answerNotValid"),
        ([("code", " ")], "answerMissing"),
        ([("code", "abc"), ("code", "xyz")], "answeredTwice"),
        ([("fixed", "x")], "answerNotEditable"),
        ([("nothing", "x")], "answerNotEditable"),
    ],
)
def test_answers_are_changed_into_such_as_could_have_been_given(
    answers: list[tuple[str, str]], code: str | None
) -> None:
    wanted = (
        Question(id="code", text="Code?", is_required=True, regex_pattern="[a-z]{3}"),
        Question(id="where", text="Where?", choices=CHOICES),
        Question(id="fixed", text="Fixed?", is_required=True, is_answer_editable=False),
    )
    said = tuple(Answer(question_id=id, value=value) for id, value in answers)
    refusal = asked(replace(UPDATE, answers=said), scene((HELD,), questions=wanted)).refusal
    assert (refusal.code if refusal else None) == code


def test_who_has_no_assignment_is_told_of_which_package() -> None:
    refusal = asked(replace(UPDATE, assignment_id=None)).refusal
    assert refusal is not None
    assert refusal.message.endswith("has no assignment of the access package sales.")


def test_an_administrator_assigns_under_a_direct_policy_whom_they_like() -> None:
    by_admin = replace(ASK, type=RequestType.ADMIN_ADD, requestor_id=None)
    _, order = commanded(by_admin, scene(target_scope=TargetScope.NOT_SPECIFIED))
    assert order["kind"] == "direct"


@pytest.mark.spec("REQ-8")
def test_an_administrator_does_not_pass_by_approval() -> None:
    settings = ApprovalSettings(is_approval_required_for_add=True, stages=(ApprovalStageSettings(),))
    by_admin = replace(ASK, type=RequestType.ADMIN_ADD, requestor_id=None)
    assert taken(by_admin, scene(approval_settings=settings)).status is RequestStatus.PENDING_APPROVAL


@pytest.mark.spec("EXP-3")
def test_an_extension_gives_the_policys_time_once_more_and_never_passes_its_date() -> None:
    _, order = commanded(UPDATE, scene(held=(HELD,)))
    assert order == {"type": "ChangeAssignment", "assignmentId": "a1", "endsAt": "2026-06-09T00:00:00Z"}
    dated = scene(held=(HELD,), expires_after=None, expires_at=NOW + timedelta(days=30))
    assert commanded(UPDATE, dated)[1]["endsAt"] == "2026-03-31T00:00:00Z"
    wish = Schedule(ends_at=NOW + timedelta(days=30))
    assert commanded(replace(UPDATE, schedule=wish), dated)[1]["endsAt"] == "2026-03-31T00:00:00Z"
    for beyond in (Schedule(ends_at=NOW + timedelta(days=31)), Schedule(lasts=timedelta(days=31))):
        refusal = asked(replace(UPDATE, schedule=beyond), dated).refusal
        assert refusal is not None
        assert refusal.code == "scheduleNotAllowed"


@pytest.mark.spec("EXP-3")
@pytest.mark.parametrize(("days", "code"), [(5, "scheduleNotAllowed"), (0, "policyExpired"), (-5, "policyExpired")])
def test_an_extension_never_ends_what_it_is_to_prolong_sooner(days: int, code: str) -> None:
    put_forward = scene(held=(HELD,), expires_after=None, expires_at=NOW + timedelta(days=days))
    refusal = asked(UPDATE, put_forward).refusal
    assert refusal is not None
    assert refusal.code == code


def test_what_would_end_after_the_last_date_ends_with_it() -> None:
    start = datetime(9999, 12, 1, tzinfo=UTC)
    one = taken(replace(ASK, schedule=Schedule(starts_at=start)), scene(requestor_settings=CUSTOM))
    assert (one.starts_at, one.lasts) == (start, timedelta(days=90))
    last = replace(HELD, ends_at=datetime(9999, 12, 31, tzinfo=UTC))
    assert commanded(UPDATE, scene(held=(last,)))[1]["endsAt"] == "9999-12-31T23:59:59.999000Z"
    wish = Schedule(starts_at=start, lasts=timedelta(days=36_525))
    one = taken(replace(ASK, schedule=wish), scene(requestor_settings=CUSTOM, expires_after=None))
    assert one.lasts == wish.lasts


def test_what_somebody_says_of_themself_opens_nothing_to_them() -> None:
    divers = SubjectSet(kind=SubjectKind.ATTRIBUTE_RULE, rule='user.jobTitle -eq "Diver"')
    around = scene(target_scope=TargetScope.SPECIFIC_USERS, targets=(divers,))
    diver = replace(ANA, attributes={**ANA.attributes, "jobTitle": "Diver"})
    assert asked(ASK, replace(around, people={"ana": diver})).refusal is None
    says_so = replace(diver, answered=frozenset({"jobTitle"}))
    refusal = asked(ASK, replace(around, people={"ana": says_so})).refusal
    assert refusal is not None
    assert refusal.code == "notInScope"


@pytest.mark.spec("EXP-3")
@pytest.mark.parametrize("type", [RequestType.USER_UPDATE, RequestType.ADMIN_UPDATE])
def test_whom_the_policy_is_for_no_longer_is_not_extended(type: RequestType) -> None:
    sales = SubjectSet(kind=SubjectKind.ATTRIBUTE_RULE, rule='user.department -eq "Sales"')
    around = scene(held=(HELD,), target_scope=TargetScope.SPECIFIC_USERS, targets=(sales,))
    extend = replace(UPDATE, type=type)
    assert asked(extend, around).refusal is None
    moved = replace(ANA, attributes={**ANA.attributes, "department": "Law"})
    refusal = asked(extend, replace(around, people={"ana": moved, "boss": BOSS})).refusal
    assert refusal is not None
    assert refusal.code == "notInScope"


@pytest.mark.spec("REQ-3")
def test_a_start_ahead_and_an_end_of_ones_own_are_kept_where_the_policy_lets_one_choose() -> None:
    wish = Schedule(starts_at=NOW + timedelta(days=5), ends_at=NOW + timedelta(days=20))
    one = taken(replace(ASK, schedule=wish), scene(requestor_settings=CUSTOM))
    assert (one.starts_at, one.ends_at, one.lasts) == (wish.starts_at, wish.ends_at, None)


def test_a_repeat_under_the_same_id_changes_nothing() -> None:
    one = taken()
    cause = Cause(id="http:2", correlation="http:2", actor="person:ana")
    again = submit(one, ASK, Circumstances(now=NOW, version=2, cause=cause, context=SCENE))
    assert again.state is one
    assert not again.transitions
    other = submit(one, replace(ASK, package_id="audit"), Circumstances(now=NOW, version=2, cause=cause, context=SCENE))
    assert other.refusal is not None


@pytest.mark.spec("REQ-6")
def test_a_manager_gives_back_what_a_report_has_where_the_policy_lets_them() -> None:
    back = replace(ASK, type=RequestType.USER_REMOVE, requestor_id="boss", assignment_id="a1", policy_id=None)
    allowed = RequestorSettings(enable_on_behalf_requestors_to_remove_access=True)
    assert commanded(back, scene(held=(HELD,), requestor_settings=allowed))[1]["type"] == "EndAssignment"
    refused = asked(back, scene(held=(HELD,))).refusal
    assert refused is not None
    assert refused.code == "onBehalfDisabled"


@pytest.mark.spec("REQ-7")
def test_whoever_assigns_directly_answers_the_questions_and_the_end_is_the_policys() -> None:
    answered = replace(BY_ADMIN, answers=(Answer(question_id="q", value="Because."),))
    _, order = commanded(answered, scene(questions=(question(is_required=True),)))
    assert (order["kind"], order["lasts"]) == ("direct", "P90D")


@pytest.mark.spec("APR-11", "EXP-4")
@pytest.mark.parametrize("type", [RequestType.USER_UPDATE, RequestType.ADMIN_UPDATE])
@pytest.mark.parametrize("required", [True, False])
def test_an_extension_passes_the_policys_stages_where_it_says_so(type: RequestType, required: bool) -> None:
    stages = (ApprovalStageSettings(), ApprovalStageSettings())
    settings = ApprovalSettings(
        is_approval_required_for_add=not required, is_approval_required_for_update=required, stages=stages
    )
    topic, order = commanded(replace(UPDATE, type=type), scene(held=(HELD,), approval_settings=settings))
    assert topic == (topics.APPROVAL_COMMANDS if required else topics.ASSIGNMENT_COMMANDS).name
    assert len(order.get("stages", stages)) == 2
    assert order.get("changes", True), "so that approvers can be told"
    adding = taken(around=scene(approval_settings=settings)).status
    assert adding is (RequestStatus.DELIVERING if required else RequestStatus.PENDING_APPROVAL)


def test_what_was_taken_back_speaks_against_nothing() -> None:
    later = replace(HELD, status=AssignmentStatus.SCHEDULED)
    other = replace(HELD, id="a2", package_id="audit")
    here = scene(held=(later, other)).without({"a1", "a2"})
    assert asked(ASK, here).refusal is None
    assert (refused := asked(ASK, scene(held=(later, other)).without({"a2"})).refusal)
    assert refused.code == "alreadyAssigned"
    assert (refused := asked(ASK, scene(held=(later, other)).without({"a1"})).refusal)
    assert refused.code == "incompatibleAccessPackage"
