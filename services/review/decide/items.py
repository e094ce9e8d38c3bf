"""One person and one thing: it comes onto the list, is decided again and again until the end, and is settled."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.review.decide import applying
from services.review.decide.reviewers import may_review, of_item
from services.review.model import FIRST_RESEND, LONGEST_RESEND, Awaited, Instance, Item, Recorded
from shared.contracts.base import Refusal
from shared.contracts.review import (
    Advice,
    ApplyResult,
    DefaultDecision,
    ItemApplied,
    ItemApplying,
    ItemBlocked,
    ItemDecided,
    ItemDefaulted,
    ItemHandedOver,
    ItemReset,
    Lost,
    ReviewStatus,
    Verdict,
)
from shared.contracts.roster import GROUP_MEMBER, NESTED, RosterEntry, RosterKind
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due


@dataclass(frozen=True, slots=True)
class Advise:
    """What is recommended as the instance starts, and why."""

    id: str
    advice: Advice
    reason: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """What a decision may look at besides the item."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    gone: Container[str] = frozenset()
    """People who have left, of those who might review, and of those whose access an answer is about; and the groups and
    applications that have been deleted, of those that an answer is about."""
    sponsors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who answers for these people, of reviews that ask them."""


At = Circumstances[Look]


@dataclass(frozen=True, slots=True)
class Enter:
    """The roster has this entry."""

    id: str
    instance_id: str
    entry: RosterEntry


@dataclass(frozen=True, slots=True)
class Judge:
    """A reviewer decides, or takes a decision back (`NotReviewed`)."""

    id: str
    by: str
    decision: Verdict
    justification: str | None = None
    stage_id: str | None = None
    """Said of a stage: only while that one is open."""
    only_open: bool = False
    """Leave alone what is decided already."""
    advised: bool = False
    """Decide as recommended, whatever that is."""


@dataclass(frozen=True, slots=True)
class Reset:
    """An administrator takes all decisions back."""

    id: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Advance:
    """The stage in progress is another one, or has other reviewers."""

    id: str


@dataclass(frozen=True, slots=True)
class HandOver:
    """`person_id` has left."""

    id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Settle:
    """Nobody decides any more: what is open gets the default decision."""

    id: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Carry out what was decided."""

    id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The owner of the access has answered."""

    id: str
    answer: applying.Answer


def item_id(instance_id: str, entry: RosterEntry) -> str:
    """One item a person and thing."""
    return derived_id("review-item", instance_id, entry.person_id, entry.role, entry.assignment_id or "")


def enter(item: Item | None, said: Enter, at: At) -> Decision[Item]:
    """A snapshot of the start: a repeat finds it there."""
    if item is not None:
        return Decision(item)
    instance, entry = at.context.instances[said.instance_id], said.entry
    sponsors = at.context.sponsors.get(entry.person_id, ()) if instance.asks_sponsors else ()
    return Decision(
        Item(
            said.id,
            instance.id,
            instance.definition.id,
            entry.person_id,
            entry.manager_id,
            entry.role,
            entry.assignment_id,
            entry.policy_id,
            entry.user_type,
            entry.by_grant,
            entry.by_rule,
            reviewers=of_item(
                entry.person_id,
                entry.manager_id,
                instance.stage,
                at.context.gone,
                sponsors,
                is_group=entry.user_type == GROUP_MEMBER,
            ),
            since=entry.since,
            sponsors=sponsors,
        )
    )


def advise(item: Item | None, said: Advise, _at: At) -> Decision[Item]:
    """A recommendation is fixed as the instance starts."""
    if item is None or (item.recommendation, item.reason) == (said.advice, said.reason):
        return Decision(item)
    return Decision(item.having(recommendation=said.advice, reason=said.reason, figures=said.figures or None))


def judge(item: Item | None, said: Judge, at: At) -> Decision[Item]:
    """The last decision counts, and all are kept; one that is taken back is nobody's. Said again it changes nothing."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None:
        return Decision(item, refusal=Refusal(code="notFound", message="The resource was not found."))
    if said.only_open and item.decision is not Verdict.NOT_REVIEWED:
        return Decision(item)
    if said.advised and (item.recommendation not in _TAKEN or not instance.stage.settings.recommendations_enabled):
        return Decision(item)  # what is not shown is not accepted
    decision = Verdict(item.recommendation.value) if said.advised else said.decision
    if refusal := why_not(item, instance, said, decision):
        return Decision(item, refusal=refusal)
    taken_back = decision is Verdict.NOT_REVIEWED
    same = taken_back or (
        item.decided_by == said.by
        and item.justification == said.justification
        and bool(item.decisions)
        and item.decisions[-1].stage == instance.current
    )
    if same and item.decision is decision:
        return Decision(item)
    recorded = Recorded(
        stage=instance.current, decision=decision, by=said.by, at=at.now, justification=said.justification
    )
    decided = item.having(
        decision=decision,
        justification=None if taken_back else said.justification,
        decided_by=None if taken_back else said.by,
        decided_at=None if taken_back else at.now,
        decisions=(*item.decisions, recorded)[-MOST_KEPT:],
    )
    told = ItemDecided(decision=decision, by=said.by, stage=instance.current + 1, justification=said.justification)
    return Decision(decided, (told,))


def concerns(by: str, item: Item, instance: Instance) -> bool:
    """Whether somebody decides it now, or has."""
    now = item.stage == instance.current and may_review(by, item.person_id, item.reviewers, instance.stage)
    return now or any(one.by == by for one in item.decisions)


MOST_KEPT = 100
"""Decisions that an item keeps itself; the trail has them all."""
_TAKEN = {Advice.APPROVE, Advice.DENY}


def why_not(item: Item, instance: Instance, said: Judge, decision: Verdict) -> Refusal | None:
    """The first reason against it."""
    if not may_review(said.by, item.person_id, item.reviewers, instance.stage) or item.stage != instance.current:
        return Refusal(
            code="notReviewer", message="Only a reviewer of this item decides it, and nobody about themself."
        )
    if not instance.is_open or (said.stage_id is not None and said.stage_id != instance.stage.id):
        return Refusal(code="notOpen", message=f"This review takes no decisions now: it is {instance.status.value}.")
    needed = instance.definition.settings.justification_required_on_approval and decision is Verdict.APPROVE
    if needed and not said.advised and not (said.justification or "").strip():
        return Refusal(code="justificationRequired", message="The review asks for a justification of an approval.")
    return None


def reset(item: Item | None, said: Reset, at: At) -> Decision[Item]:
    """As if nobody had decided; what was decided is kept.

    What had left the review in an earlier stage, with the decision it had, is decided in the stage in progress: in
    none before it anybody can."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or item.decision is Verdict.NOT_REVIEWED or item.apply_began:
        return Decision(item)
    open_again = item.having(decision=Verdict.NOT_REVIEWED, justification=None, decided_by=None, decided_at=None)
    if open_again.stage != instance.current:
        open_again = _in_stage(open_again, instance, at)
    return Decision(open_again, (ItemReset(by=said.by),))


def advance(item: Item | None, _said: Advance, at: At) -> Decision[Item]:
    """It goes on to the stage in progress if its decision says so (REV-15), to that stage's reviewers.

    What does not go on keeps the decision it has."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or not goes_on(item, instance):
        return Decision(item)
    there = _in_stage(item, instance, at)
    return Decision(item if there == item else there)


def _in_stage(item: Item, instance: Instance, at: At) -> Item:
    """The item in the stage in progress, with that stage's reviewers."""
    sponsors = item.sponsors or at.context.sponsors.get(item.person_id, ())
    reviewers = of_item(
        item.person_id, item.manager_id, instance.stage, at.context.gone, sponsors, is_group=item.is_group
    )
    return item.having(stage=instance.current, reviewers=reviewers)


def goes_on(item: Item, instance: Instance) -> bool:
    """Whether it belongs to the stage in progress."""
    if item.stage == instance.current:
        return True
    if item.stage != instance.current - 1:
        return False
    passing = instance.stages[item.stage].settings.moves_on
    if passing is None:
        return True
    advised = "Recommendation" in passing and item.recommendation is Advice.DENY
    return item.decision.value in passing or advised


def hand_over(item: Item | None, said: HandOver, at: At) -> Decision[Item]:
    """Whoever else is named goes on; if nobody is, the fallbacks do."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or item.reviewers is None or said.person_id not in item.reviewers:
        return Decision(item)
    if not instance.is_open or instance.stage.self_review:
        return Decision(item)
    left = [one for one in item.reviewers if one != said.person_id]
    now = tuple(left) or tuple(one for one in instance.stage.fallback if one not in {said.person_id, item.person_id})
    added = tuple(sorted(set(now) - set(item.reviewers)))
    return Decision(item.having(reviewers=now), (ItemHandedOver(removed=(said.person_id,), added=added),))


def settle(item: Item | None, _said: Settle, at: At) -> Decision[Item]:
    """The default decision, for what nobody has reviewed (REV-17)."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or item.decision is not Verdict.NOT_REVIEWED or item.apply_began:
        return Decision(item)
    decision = default_of(instance.definition.settings.default_decision, item.recommendation)
    if decision is Verdict.NOT_REVIEWED:
        return Decision(item)
    settled = item.having(decision=decision, justification=None, decided_by=None, decided_at=at.now)
    return Decision(settled, (ItemDefaulted(decision=decision),))


def default_of(default: DefaultDecision, recommendation: Advice) -> Verdict:
    """What becomes of an open item; where nothing is recommended, no change."""
    match default:
        case DefaultDecision.APPROVE:
            return Verdict.APPROVE
        case DefaultDecision.DENY:
            return Verdict.DENY
        case DefaultDecision.RECOMMENDATION if recommendation in _TAKEN:
            return Verdict(recommendation.value)
    return Verdict.NOT_REVIEWED


def apply(item: Item | None, _said: Apply, at: At) -> Decision[Item]:
    """Denied access is taken away by command; of all else it is said that nothing was needed."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or item.apply_began or instance.status is not ReviewStatus.APPLYING:
        return Decision(item)
    if item.decision is not Verdict.DENY:
        done = item.having(
            apply_began=True, applied_at=at.now, result=ApplyResult.APPLIED, detail=applying.NOT_NEEDED[item.decision]
        )
        return Decision(done)
    if item.role == NESTED and not instance.definition.settings.disable_and_delete:
        of_role = instance.resource.kind is RosterKind.GOVERNANCE_ROLE
        why = applying.BY_A_GROUP if of_role else applying.THROUGH_A_GROUP
        done = item.having(apply_began=True, applied_at=at.now, result=ApplyResult.NOT_SUPPORTED, detail=why)
        return Decision(done, (ItemApplied(result=ApplyResult.NOT_SUPPORTED, detail=why),))
    id = applying.command_id(item)
    waiting = item.having(apply_began=True, awaited=Awaited(id, at.now + FIRST_RESEND))
    return Decision(waiting, (ItemApplying(command_id=id),), (applying.command(item, instance, at.now),))


def send_again(item: Item | None, _due: Due, at: At) -> Decision[Item]:
    """Nobody has answered for long: the same command under the same id; the pause doubles, up to an hour."""
    instance = at.context.instances.get(item.instance_id) if item is not None else None
    if item is None or instance is None or item.awaited is None or item.awaited.again_at > at.now:
        return Decision(item)
    pause = min(FIRST_RESEND * 2 ** min(item.awaited.times, 8), LONGEST_RESEND)
    awaited = Awaited(item.awaited.command_id, at.now + pause, item.awaited.times + 1)
    return Decision(item.having(awaited=awaited), messages=(applying.command(item, instance, at.now),))


def answered(item: Item | None, said: Answered, at: At) -> Decision[Item]:
    """What came of it. Another answer to the same command is the same one."""
    answer = said.answer
    if item is None or item.awaited is None or item.awaited.command_id != answer.command_id:
        return Decision(item)
    instance = at.context.instances.get(item.instance_id)
    if answer.until is not None:
        return _begun(item, answer, answer.until, instance, at)
    blocks = instance is not None and instance.definition.settings.disable_and_delete
    if answer.result is ApplyResult.APPLIED and not blocks and item.person_id in at.context.gone:
        answer = replace(answer, result=ApplyResult.NOT_FOUND, detail=applying.HAD_LEFT)
    elif answer.result is ApplyResult.APPLIED and instance is not None and instance.resource.id in at.context.gone:
        answer = replace(answer, result=ApplyResult.NOT_FOUND, detail=applying.WAS_DELETED)
    done = item.having(result=answer.result, detail=answer.detail, applied_at=at.now, awaited=None)
    told = ItemApplied(result=answer.result, detail=answer.detail, lost=_taken(item, answer, instance))
    return Decision(done, (told,))


def _begun(item: Item, answer: applying.Answer, until: datetime, instance: Instance | None, at: At) -> Decision[Item]:
    """A guest is blocked, and the item waits for what comes of it: asked after once the time is over."""
    awaited = Awaited(answer.command_id, max(until, at.now) + FIRST_RESEND)
    if item.detail == answer.detail:
        return Decision(item if item.awaited == awaited else item.having(awaited=awaited))
    waiting = item.having(detail=answer.detail, awaited=awaited)
    told = ItemBlocked(until=until, detail=answer.detail, lost=_lost(item, instance))
    return Decision(waiting, (told,))


def _taken(item: Item, answer: applying.Answer, instance: Instance | None) -> Lost | None:
    """What the person is told of once it is done. Of packages they hear by the assignment that ends; whoever was
    blocked has been told."""
    if instance is None or answer.result is not ApplyResult.APPLIED or instance.resource.kind is RosterKind.PACKAGE:
        return None
    return None if instance.definition.settings.disable_and_delete else _lost(item, instance)


def _lost(item: Item, instance: Instance | None) -> Lost | None:
    if item.is_group or instance is None or not instance.definition.settings.mail_notifications_enabled:
        return None
    role = instance.role_name(item.role) if instance.resource.kind is RosterKind.APPLICATION else None
    return Lost(
        review=instance.definition.display_name, resource=instance.resource, role=role, reason=item.justification
    )
