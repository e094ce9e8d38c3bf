"""Somebody asks: it is taken, or refused with the first reason against it, in the order in which one would look.

A refusal makes no request. What assignment alone can know for sure (is it held by now?) it may still refuse later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.request.decide.answers import not_answered, not_editing, questions
from services.request.decide.period import AS_THE_POLICY_SAYS, Period, Schedule, new_end, period
from services.request.decide.progress import proceed
from services.request.decide.scene import Held, Package, Person, Policy, Scene
from services.request.decide.scope import FOR_PEOPLE_OUTSIDE, in_scope, offered
from services.request.model import ADDS, BY_USERS, REMOVES, AttributeAnswer, Request, Terms
from shared.contracts.base import Refusal
from shared.contracts.catalog import Life, PolicyState
from shared.contracts.policy import Answer, ResourceAttribute, SubjectKind, SubjectSet, TargetScope
from shared.contracts.request import RequestStatus, RequestSubmitted, RequestType
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision

At = Circumstances[Scene]


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks for. `id` will be the request's; a repeat under it changes nothing."""

    id: str
    type: RequestType
    requestor_id: str | None
    """None: an administrator who is nobody in the directory."""
    person_id: str
    package_id: str
    policy_id: str | None = None
    assignment_id: str | None = None
    """To be changed or ended."""
    justification: str | None = None
    answers: tuple[Answer, ...] = ()
    schedule: Schedule = AS_THE_POLICY_SAYS

    @property
    def by_user(self) -> bool:
        return self.type in BY_USERS


def submit(state: Request | None, ask: Ask, at: At) -> Decision[Request]:
    """Taken, and on its way to approval or delivery."""
    if state is not None:
        same = (state.type, state.person_id, state.package_id) == (ask.type, ask.person_id, ask.package_id)
        return (
            Decision(state)
            if same
            else Decision(state, refusal=_no("idempotencyKeyReused", "Another request has this id."))
        )
    drafted = _drafted(ask, at)
    if isinstance(drafted, Refusal):
        return Decision(state, refusal=drafted)
    if at.clashes:
        text = "A request for this access package and person is open already."
        return Decision(state, refusal=_no("requestPending", text))
    return proceed(drafted, at, (RequestSubmitted(),))


def _drafted(ask: Ask, at: At) -> Request | Refusal:
    scene = at.context
    found = _people(ask, scene)
    if isinstance(found, Refusal):
        return found
    person, requestor = found
    if ask.type in ADDS:
        return _adding(ask, person, requestor, at)
    held = next((one for one in scene.held.get(person.id, ()) if one.id == ask.assignment_id), None)
    if held is None:
        which = ask.assignment_id or f"of the access package {ask.package_id}"
        return _no("assignmentNotFound", f"{person.name} has no assignment {which}.")
    if held.automatic and not (ask.type in REMOVES and _left_in_place(held, scene)):
        return _no(
            "assignedByRule", f"Assignment {held.id} was given by a rule: it goes when the rule matches no longer."
        )
    return (_removing if ask.type in REMOVES else _updating)(ask, held, person, requestor, at)


def _left_in_place(held: Held, scene: Scene) -> bool:
    """Whether its rule may match no longer and only leaves it there (AUT-6, AUT-7): assignment knows for sure."""
    policy = scene.policies.get(held.policy_id)
    return held.ends_at is not None or (policy is not None and not policy.state.takes_access)


def _people(ask: Ask, scene: Scene) -> tuple[Person, Person | None] | Refusal:
    person = scene.people.get(ask.person_id)
    requestor = scene.people.get(ask.requestor_id) if ask.requestor_id else None
    if person is None:
        return _no("personNotFound", f"There is no person {ask.person_id}.")
    if ask.by_user and requestor is None:
        return _no("personNotFound", f"There is no person {ask.requestor_id}.")
    if ask.by_user and requestor is not None and not requestor.may_sign_in:
        return _no("requestorBlocked", f"{requestor.name} cannot sign in, and so cannot ask for access.")
    if ask.type not in REMOVES and not person.may_sign_in:
        return _no("targetBlocked", f"{person.name} cannot sign in, and so cannot be given access.")
    return person, requestor


def _adding(ask: Ask, person: Person, requestor: Person | None, at: At) -> Request | Refusal:
    scene = at.context
    package = scene.packages.get(ask.package_id)
    if package is None or package.life is Life.DELETED:
        return _no("packageNotFound", f"There is no access package {ask.package_id}.")
    policy = _policy(ask, package, person, scene, at.now)
    if isinstance(policy, Refusal):
        return policy
    refusal = (
        _not_open(package, policy.state, scene, by_user=ask.by_user)
        or _not_for(ask, person, requestor, policy.state, "add", scene, at.now)
        or _not_external(package, policy.state, scene)
        or _conflict(person, package, scene)
        or _not_said(ask, policy.state)
        or not_answered(questions(package.id, person, policy.state, scene), ask.answers)
    )
    if refusal:
        return refusal
    when = period(ask.schedule, policy.state, at.now)
    if isinstance(when, Refusal):
        return when
    return _request(ask, package.id, policy, derived_id("assignment", ask.id), when, at)


def _updating(ask: Ask, held: Held, person: Person, requestor: Person | None, at: At) -> Request | Refusal:
    """Another end, other answers, or both. The person must still be one whom the policy is for (EXP-3)."""
    scene = at.context
    policy = scene.policies.get(held.policy_id)
    if policy is None or policy.state.life is not Life.ACTIVE:
        return _no("policyNotFound", "The policy of this assignment is there no longer: ask for the package anew.")
    refusal = _not_for(ask, person, requestor, policy.state, "update", scene, at.now) or _not_said(ask, policy.state)
    if refusal:
        return refusal
    if ask.answers:
        asked = questions(held.package_id, person, policy.state, scene)
        if refusal := not_editing(asked, ask.answers):
            return refusal
    only_answers = bool(ask.answers) and not ask.schedule.is_own
    end = held.ends_at if only_answers else new_end(ask.schedule, policy.state, held.ends_at, at.now)
    if isinstance(end, Refusal):
        return end
    return _request(ask, held.package_id, policy, held.id, Period(ends_at=end), at)


def _removing(ask: Ask, held: Held, person: Person, requestor: Person | None, at: At) -> Request | Refusal:
    policy = at.context.policies.get(held.policy_id)
    if ask.by_user:
        if policy is None:
            return _no("policyNotFound", "The policy of this assignment is there no longer: ask an administrator.")
        if refusal := _not_allowed(ask, person, requestor, policy.state, "remove", at.context, at.now):
            return refusal
    return _request(ask, held.package_id, policy, held.id, Period(), at, policy_id=held.policy_id)


def _policy(ask: Ask, package: Package, person: Person, scene: Scene, now: datetime) -> Policy | Refusal:
    """The one that was named; for a person who asks without naming one, the one that is for them."""
    if ask.policy_id is not None:
        named = scene.policies.get(ask.policy_id)
        if named is None or named.state.life is Life.DELETED or named.state.package_id != package.id:
            return _no("policyNotFound", f'The access package "{package.name}" has no policy {ask.policy_id}.')
        return named
    of_package = [one for one in scene.policies.values() if one.state.package_id == package.id]
    if not ask.by_user:
        return _no("policyRequired", "Say under which policy: assignment/assignmentPolicyId.")
    itself = ask.requestor_id == ask.person_id
    switched_on = [
        one
        for one in of_package
        if (
            one.state.requestor_settings.enable_targets_to_self_add_access
            if itself
            else one.state.requestor_settings.enable_on_behalf_requestors_to_add_access
        )
    ]
    takes_requests = [one for one in switched_on if one.state.requestor_settings.accept_requests]
    # Where all are closed, the one that would be theirs says so.
    asking = offered(takes_requests, person, scene, now) or offered(switched_on, person, scene, now)
    if not asking:
        return _no("notInScope", f'No policy lets {person.name} ask for the access package "{package.name}".')
    return asking[0]


def _not_open(package: Package, policy: PolicyState, scene: Scene, *, by_user: bool) -> Refusal | None:
    if package.life is not Life.ACTIVE or policy.life is not Life.ACTIVE:
        return _no("beingDeleted", f'The access package "{package.name}" or its policy is being deleted.')
    if package.catalog_id not in scene.published:
        return _no("catalogUnpublished", f'The catalog of the access package "{package.name}" is not published.')
    if policy.is_automatic:
        return _no("policyIsAutomatic", f'The policy "{policy.display_name}" assigns by rule; nobody asks under it.')
    if not policy.requestor_settings.accept_requests and (by_user or policy.target_scope is TargetScope.NOT_SPECIFIED):
        return _no("requestsNotAccepted", f'The policy "{policy.display_name}" takes no new requests.')
    return None


def _not_external(package: Package, policy: PolicyState, scene: Scene) -> Refusal | None:
    """A policy for people outside is not enough: the catalog has to be open to them, too (CAT-3)."""
    if policy.target_scope not in FOR_PEOPLE_OUTSIDE or package.catalog_id in scene.external:
        return None
    return _no("catalogNotExternal", f'The catalog of the access package "{package.name}" is not for people outside.')


def _not_for(
    ask: Ask, person: Person, requestor: Person | None, policy: PolicyState, act: str, scene: Scene, now: datetime
) -> Refusal | None:
    """A direct policy takes whom an administrator names; every other one only those whom it is for (REQ-7)."""
    if ask.by_user and (refusal := _not_allowed(ask, person, requestor, policy, act, scene, now)):
        return refusal
    direct_only = policy.target_scope.value == "notSpecified"
    if direct_only and not ask.by_user:
        return None
    if direct_only or not in_scope(policy, person, scene, now):
        return _no("notInScope", f'The policy "{policy.display_name}" is not for {person.name}.')
    return None


def _not_allowed(
    ask: Ask, person: Person, requestor: Person | None, policy: PolicyState, act: str, scene: Scene, now: datetime
) -> Refusal | None:
    """Whether the policy lets this person ask, for themself or for one who reports to them (REQ-6)."""
    settings = policy.requestor_settings
    if requestor is not None and requestor.id == person.id and ask.type is not RequestType.ON_BEHALF_ADD:
        if getattr(settings, f"enable_targets_to_self_{act}_access"):
            return None
        return _no("selfRequestDisabled", f'The policy "{policy.display_name}" lets nobody {act} access for themself.')
    if not getattr(settings, f"enable_on_behalf_requestors_to_{act}_access"):
        return _no("onBehalfDisabled", f'The policy "{policy.display_name}" lets nobody {act} access for others.')
    if requestor is None or person.manager_id != requestor.id or not _named(settings.on_behalf_requestors, requestor):
        who = requestor.name if requestor else "An application"
        return _no("notOnBehalfOf", f"{who} may ask for direct reports only, and {person.name} is none.")
    return None


def _named(requestors: tuple[SubjectSet, ...], requestor: Person) -> bool:
    """Managers are always meant; where the policy names somebody, they have to be one of these as well."""
    managers = {SubjectKind.TARGET_MANAGER, SubjectKind.REQUESTOR_MANAGER}
    return not requestors or any(
        one.kind in managers
        or (one.kind is SubjectKind.SINGLE_USER and one.id == requestor.id)
        or (one.kind is SubjectKind.GROUP_MEMBERS and one.id in requestor.groups)
        for one in requestors
    )


def _conflict(person: Person, package: Package, scene: Scene) -> Refusal | None:
    """What the person holds, now or later on, speaks against it."""
    held = scene.held.get(person.id, ())
    if any(one.package_id == package.id and not one.automatic for one in held):
        return _no("alreadyAssigned", f'{person.name} has the access package "{package.name}" already.')
    for one in held:
        if one.package_id in package.incompatible_packages:
            other = scene.packages[one.package_id].name if one.package_id in scene.packages else one.package_id
            text = f'{person.name} has the access package "{other}", which is incompatible with "{package.name}".'
            return _no("incompatibleAccessPackage", text)
    if group := next(iter(sorted(person.groups & package.incompatible_groups)), None):
        text = f'{person.name} is in the group {group}, which is incompatible with "{package.name}".'
        return _no("incompatibleGroup", text)
    return None


def _not_said(ask: Ask, policy: PolicyState) -> Refusal | None:
    if not ask.by_user:
        return None
    if policy.approval_settings.is_requestor_justification_required and not (ask.justification or "").strip():
        return _no("justificationRequired", f'The policy "{policy.display_name}" asks for a justification.')
    if ask.schedule.is_own and ask.type in ADDS and not policy.requestor_settings.allow_custom_assignment_schedule:
        return _no("scheduleNotAllowed", f'The policy "{policy.display_name}" lets nobody choose from when until when.')
    return None


def _request(
    ask: Ask,
    package_id: str,
    policy: Policy | None,
    assignment_id: str,
    when: Period,
    at: At,
    policy_id: str = "",
) -> Request:
    return Request(
        id=ask.id,
        type=ask.type,
        status=RequestStatus.SUBMITTED,
        person_id=ask.person_id,
        requestor_id=ask.requestor_id,
        package_id=package_id,
        policy_id=policy.state.id if policy else policy_id,
        terms=Terms(version=policy.version, approval=policy.state.approval_settings) if policy else Terms(),
        assignment_id=assignment_id,
        justification=ask.justification,
        answers=_with_questions(ask, policy, at.context.attributes.get(package_id, ())),
        attributes=_about_them(ask, at.context.attributes.get(package_id, ())),
        starts_at=when.starts_at,
        ends_at=when.ends_at,
        lasts=when.lasts,
        created_at=at.now,
        cause=at.cause,
    )


def _with_questions(ask: Ask, policy: Policy | None, attributes: tuple[ResourceAttribute, ...]) -> tuple[Answer, ...]:
    """Policies and resources change; what was answered stays."""
    questions = (*(policy.state.questions if policy else ()), *(one.question for one in attributes))
    asked = {one.id: {"question": one.text, "of_choices": one.choices is not None} for one in questions}
    return tuple(one.model_copy(update=asked.get(one.question_id, {})) for one in ask.answers)


def _about_them(ask: Ask, attributes: tuple[ResourceAttribute, ...]) -> tuple[AttributeAnswer, ...]:
    """What is to become a property of the person (CAT-6)."""
    said = {one.question_id: one.value.strip() for one in ask.answers}
    return tuple(
        AttributeAnswer(name=one.name, value=value, persisted=one.is_persisted_on_assignment_removal)
        for one in attributes
        if (value := said.get(one.question.id))
    )


def _no(code: str, message: str) -> Refusal:
    return Refusal(code=code, message=message)
