"""Who hears of access reviews: reviewers that they are asked, owners how it ended, people what they lost. Pure.

What was queued for one person within a moment goes out together, as one message that lists it by review: whoever owns
fifty groups is written to once. Source: entra-features.md REV-21, REV-22."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.notification.decide import spread
from services.notification.model import Event, Message, Reviewed
from shared.contracts.review import (
    InstanceApplied,
    InstanceAutoReviewed,
    InstanceCompleted,
    InstanceFact,
    InstanceState,
    ItemApplied,
    ItemBlocked,
    ItemFact,
    ItemState,
    ItemsUnattended,
    Lost,
    NothingToReview,
    OpenItems,
    ReviewersAsked,
    ReviewStatus,
)

COLLECTING = timedelta(seconds=3)
"""How long a message about a review waits for others to the same person."""
DESCRIPTION = 256
"""Characters of what the reviewers are told that go into a mail. Source: REV-21."""


def of_instance(fact: InstanceFact, now: datetime) -> list[Message]:
    """To reviewers who are asked or reminded, and to those who hear how it ended.

    A start is written of if the review says so, to those who have something to decide; reminders are asked for only
    where they are wanted, or by hand. What is amiss with a review is told also where its mails are switched off: else
    the default decision would fall on everybody without a word."""
    found: list[Message] = []
    ended = False
    for one in fact.transitions:
        match one:
            case ReviewersAsked() if one.occasion != "start" or fact.state.mails:
                event = Event.REVIEW_ASKED if one.occasion == "start" else Event.REVIEW_REMINDED
                if not fact.state.items:
                    continue  # nor is anybody reminded of nothing
                for reviewer in one.reviewers:
                    if event is Event.REVIEW_ASKED and reviewer not in one.open:
                        continue
                    part = _asked(fact.state, one.open.get(reviewer))
                    found += spread(fact, event, [reviewer], (), now, reviews=(part,))
            case ItemsUnattended():
                part = replace(_asked(fact.state, one.items), description="", otherwise=one.otherwise.value)
                found += _to_recipients(fact, Event.REVIEW_TROUBLED, one.told, part, now)
            case NothingToReview():
                part = replace(_part(fact.state), missing=True)
                found += _to_recipients(fact, Event.REVIEW_TROUBLED, one.told, part, now)
            case InstanceCompleted() | InstanceAutoReviewed() | InstanceApplied():
                ended = True
            case _:
                pass
    state = fact.state
    if ended and state.mails and not _goes_on(state):
        found += _to_recipients(fact, Event.REVIEW_ENDED, state.recipients, _ended(state), now)
    return found


def _to_recipients(
    fact: InstanceFact, event: Event, people: Iterable[str], part: Reviewed, now: datetime
) -> Iterator[Message]:
    """With a link for whoever made it alone: additional recipients may hold no role that opens reviews."""
    for person in people:
        own = replace(part, closed=person != fact.state.created_by)
        yield from spread(fact, event, [person], (), now, reviews=(own,))


def _goes_on(state: InstanceState) -> bool:
    """What follows the end at once is told with it, in one mail; what takes weeks is not waited for."""
    applying = state.status is ReviewStatus.APPLYING and not state.blocks_guests
    return applying or state.status is ReviewStatus.AUTO_REVIEWING


def _asked(state: InstanceState, still: OpenItems | None) -> Reviewed:
    open_stage = next((one for one in state.stages if one.status is ReviewStatus.IN_PROGRESS), None)
    return replace(
        _part(state),
        until=open_stage.ends_at if open_stage else state.ends_at,
        open=still.count if still else 0,
        people=still.people if still else (),
        further=still.further if still else 0,
        description=(state.description_for_reviewers or "")[:DESCRIPTION],
    )


def _ended(state: InstanceState) -> Reviewed:
    return replace(_part(state), open=state.items, figures=dict(state.figures), results=dict(state.results))


def _part(state: InstanceState) -> Reviewed:
    resource = state.resource
    return Reviewed(state.definition_id, state.id, state.definition_name, resource.display_name or resource.id)


def of_item(fact: ItemFact, now: datetime) -> list[Message]:
    """To whoever has lost access by a review, as far as nobody else tells them; to guests who are blocked by one, and
    will be deleted."""
    found: list[Message] = []
    for one in fact.transitions:
        match one:
            case ItemApplied(lost=Lost() as lost):
                part = _lost(fact.state, lost)
                found += spread(fact, Event.REVIEW_TAKEN, [fact.state.person_id], (), now, reviews=(part,))
            case ItemBlocked(lost=Lost() as lost):
                part = replace(_lost(fact.state, lost), until=one.until)
                found += spread(fact, Event.REVIEW_BLOCKED, [fact.state.person_id], (), now, reviews=(part,))
            case _:
                pass
    return found


def _lost(state: ItemState, lost: Lost) -> Reviewed:
    name = lost.resource.display_name or lost.resource.id
    return Reviewed(
        state.definition_id,
        state.instance_id,
        lost.review,
        f"{name} ({lost.role})" if lost.role else name,
        description=lost.reason or "",
        role=state.role,
    )


def together(messages: Sequence[Message]) -> tuple[list[Message], dict[str, str]]:
    """One message instead of several about reviews to the same person; and which went into which, by id.

    Of one instance the newest word counts. All of them share the fate of the one that goes out. Those about access
    come in the order in which it happened: of what somebody is told at once, the last is to be what is true."""
    first: dict[tuple[str, Event], Message] = {}
    merged: dict[str, list[Message]] = {}
    found: list[Message] = []
    within: dict[str, str] = {}
    for one in sorted(messages, key=lambda it: (it.created_at, it.version, it.id)):
        key = (one.recipient, one.event)
        if not one.reviews:
            found.append(one)
        elif (head := first.get(key)) is None:
            first[key] = one
            merged[one.id] = [one]
        else:
            merged[head.id].append(one)
            within[one.id] = head.id
    return [*found, *(replace(head, reviews=_parts(merged[head.id])) for head in first.values())], within


def _parts(messages: Iterable[Message]) -> tuple[Reviewed, ...]:
    newest: dict[tuple[str, str], tuple[int, Reviewed]] = {}
    for message in messages:
        for part in message.reviews:
            key = (part.instance_id, part.role)
            if key not in newest or newest[key][0] <= message.version:
                newest[key] = (message.version, part)
    return tuple(sorted((part for _, part in newest.values()), key=lambda it: (it.review, it.resource, it.instance_id)))
