"""A message: one thing that one person should hear of, by one channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

AN_ADMINISTRATOR = "administrator"
"""Stands for the id of whoever asks by an application's token, or as this machine's operator."""
Change = Literal["given", "taken", "endsSoon", "asked", "decided", "lapsed", "approved", "denied", "expired", "failed"]


class Event(StrEnum):
    """What happened, as receivers of the topic read it."""

    GIVEN = "accessGiven"
    TAKEN = "accessTaken"
    CHANGED = "accessChanged"
    ENDS_SOON = "accessEndsSoon"
    APPROVAL_ASKED = "approvalAsked"
    APPROVAL_REMINDED = "approvalReminded"
    APPROVAL_DECIDED = "approvalDecided"
    APPROVAL_EXPIRED = "approvalExpired"
    REQUEST_APPROVED = "requestApproved"
    REQUEST_DENIED = "requestDenied"
    REQUEST_EXPIRED = "requestExpired"
    REQUEST_FAILED = "requestFailed"
    REVIEW_ASKED = "reviewAsked"
    REVIEW_REMINDED = "reviewReminded"
    REVIEW_TROUBLED = "reviewTroubled"
    REVIEW_ENDED = "reviewEnded"
    REVIEW_TAKEN = "reviewTaken"
    REVIEW_BLOCKED = "reviewBlocked"


class Channel(StrEnum):
    """Which way it goes."""

    TOPIC = "topic"
    MAIL = "mail"


class Status(StrEnum):
    """How far one message has come."""

    QUEUED = "queued"
    SENDING = "sending"  # under a lease: sent again under the same id if its worker dies
    SENT = "sent"
    FAILED = "failed"  # refused for good, or tried too often
    SKIPPED = "skipped"  # nobody to send to, or no longer true


@dataclass(frozen=True, slots=True)
class Item:
    """One package in a message."""

    change: Change
    package_id: str
    policy_id: str
    assignment_id: str
    ends_at: datetime | None = None
    """Of a request that somebody has to approve: until when."""
    reason: str = ""
    """Why an assignment ended: assignment's EndReason."""
    detail: str = ""
    """In the words of whoever decided it, where the reason says too little."""
    person_id: str = ""
    """For whom access is asked."""
    request_id: str = ""
    by: str = ""
    """Who decided it."""
    asked_by: str = ""
    """Who asks, if on behalf of the person; AN_ADMINISTRATOR, if that is nobody in the directory."""
    changing: bool = False
    """Asked is that an assignment that is there be extended or changed."""
    stage: int = 0
    """Of a decision that another stage follows: which one it was made in, from 1, …"""
    stages: int = 0
    """… and of how many."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One run of an access review in a message."""

    definition_id: str
    instance_id: str
    review: str
    resource: str
    """Its name."""
    until: datetime | None = None
    open: int = 0
    """Items: what the reviewer has still to decide; of a review that has ended, all it had."""
    people: tuple[str, ...] = ()
    """Ids of some whose access is open."""
    further: int = 0
    """Of the open items, those that `people` says nothing of."""
    description: str = ""
    """What its maker says to reviewers; or why the access was denied."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """By decision, of a review that has ended."""
    results: Mapping[str, int] = field(default_factory=dict)
    """By apply result, once it is applied."""
    role: str = ""
    otherwise: str = ""
    """Of one with items that nobody can decide: the default decision that they get (review's DefaultDecision)."""
    missing: bool = False
    """What it is about is not there."""
    closed: bool = False
    """Whoever is told of it may not open it: only that it ended is for them."""


@dataclass(frozen=True, slots=True)
class Why:
    """The message that caused the change, and what stood behind it."""

    id: str
    correlation: str
    actor: str


@dataclass(frozen=True, slots=True)
class Message:
    """A record. Texts are made when it is sent, from the names that are known then."""

    id: str
    event: Event
    channel: Channel
    recipient: str
    fact: str
    """Id of the fact it tells of."""
    version: int
    """Version of that holding, approval or request."""
    why: Why
    items: tuple[Item, ...]
    created_at: datetime
    status: Status = Status.QUEUED
    attempts: int = 0
    next_at: datetime | None = None
    """Queued: when to try. Sending: when the lease ends. By the real clock."""
    sent_at: datetime | None = None
    problem: str = ""
    reviews: tuple[Reviewed, ...] = ()
    """In place of items."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to tell, as far as known."""

    id: str
    version: int = 0
    name: str = ""
    mail: str = ""
    user_principal_name: str = ""
    pending: bool = False
    """A guest who was invited and has not accepted."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A time-limited assignment ended, or got another end, in this version of its holding."""

    assignment_id: str
    version: int
    ends_at: datetime | None
    """None: it has ended, or is limited no longer."""


@dataclass(frozen=True, slots=True)
class Known:
    """What has been heard of all that some messages are about."""

    people: Mapping[str, Person]
    packages: Mapping[str, str]
    """Names by id."""
    policies: Mapping[str, str]
    """Likewise."""
    reasons: Mapping[str, str]
    """What a person fact changed, in words, by its id."""
    endings: Mapping[str, tuple[Ending, ...]]
    """By assignment id."""
    silent: frozenset[str] = frozenset()
    """Policies under which nobody is told of assignments."""
    extends: frozenset[str] = frozenset()
    """Policies under which people may ask to extend what they have."""

    def name_of(self, person_id: str) -> str:
        """The id, of whom nobody has heard."""
        person = self.people.get(person_id)
        return person.name if person and person.name else person_id


def dump(message: Message) -> dict[str, Any]:
    """To a document. What most messages lack is left out."""
    document: dict[str, Any] = {
        "_id": message.id,
        "event": message.event.value,
        "channel": message.channel.value,
        "recipient": message.recipient,
        "fact": message.fact,
        "version": message.version,
        "why": [message.why.id, message.why.correlation, message.why.actor],
        "items": [
            [
                i.change,
                i.package_id,
                i.policy_id,
                i.assignment_id,
                i.ends_at,
                i.reason,
                i.detail,
                i.person_id,
                i.request_id,
                i.by,
                i.asked_by,
                i.changing,
                i.stage,
                i.stages,
            ]
            for i in message.items
        ],
        "created_at": message.created_at,
        "status": message.status.value,
    }
    rare = {
        "attempts": message.attempts,
        "next_at": message.next_at,
        "sent_at": message.sent_at,
        "problem": message.problem,
        "reviews": [{**asdict(one), "people": list(one.people)} for one in message.reviews],
    }
    document.update({name: value for name, value in rare.items() if value})
    return document


def load(document: Mapping[str, Any]) -> Message:
    """Back from a document."""
    return Message(
        id=document["_id"],
        event=Event(document["event"]),
        channel=Channel(document["channel"]),
        recipient=document["recipient"],
        fact=document["fact"],
        version=document["version"],
        why=Why(*document["why"]),
        items=tuple(Item(*values) for values in document["items"]),
        created_at=document["created_at"],
        status=Status(document["status"]),
        attempts=document.get("attempts", 0),
        next_at=document.get("next_at"),
        sent_at=document.get("sent_at"),
        problem=document.get("problem", ""),
        reviews=tuple(Reviewed(**{**one, "people": tuple(one["people"])}) for one in document.get("reviews", ())),
    )
