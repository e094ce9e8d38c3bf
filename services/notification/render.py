"""Messages as people read them: subject, text and HTML from the Jinja2 templates beside this file.

HTML is escaped by itself; nothing from outside is loaded by it, and its colours work on light and dark alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notification import reviewed
from services.notification.dates import day
from services.notification.decide import OF_ASSIGNMENTS, current_items, event_of
from services.notification.model import AN_ADMINISTRATOR, Event, Item, Known, Message, Person

TEMPLATES = Path(__file__).parent / "templates"

ENDED = {
    "noLongerMatches": "the rule that gave it no longer fits you",
    "left": "you have left",
    "expired": "its time is over",
    "removed": "it was removed",
    "policyDeleted": "the policy that gave it was deleted",
}


_BY_SOMEBODY = "removed"
"""Whoever did that may have said why: a reviewer, an administrator, the person themself."""
_OF_APPROVALS = frozenset(
    {Event.APPROVAL_ASKED, Event.APPROVAL_REMINDED, Event.APPROVAL_DECIDED, Event.APPROVAL_EXPIRED}
)
_TO_REQUESTORS = ("approved", "denied", "expired", "failed")
_OF_REQUESTS = ("asked", "decided", "lapsed", *_TO_REQUESTORS)


@dataclass(frozen=True, slots=True)
class Line:
    """One package in a text."""

    package: str
    policy: str
    until: str
    reason: str
    person: str = ""
    """For whom it is asked, if for somebody else than whoever asks."""
    asker: str = ""
    """Who asks."""
    wish: str = "for"
    """What is asked: 'for' the package, or 'to extend or change' what one has of it."""
    outcome: str = "access"
    """What it would have brought."""
    result: str = ""
    """Of a decision: approved or denied."""
    by: str = ""
    """Who decided it, with the verb: 'Ana has', 'You have'."""
    stage: str = ""
    """Of a decision that another stage follows: ' in stage 1 of 2'."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message ready to go out."""

    subject: str
    text: str
    html: str
    link: str | None
    about: dict[str, Any]
    due_at: datetime | None


class Renderer:
    """Makes texts. `api_url`: where links lead; without it there are none."""

    def __init__(self, api_url: str | None = None) -> None:
        self._api_url = api_url.rstrip("/") if api_url else None
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"], default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._subject = environment.get_template("subject.txt")
        self._text = environment.get_template("message.txt")
        self._html = environment.get_template("message.html")

    def render(self, message: Message, known: Known, now: datetime, *, html: bool = True) -> Text:
        """With the names that are known; for what is not known the text says the id."""
        person = known.people.get(message.recipient) or Person(message.recipient)
        items = current_items(message, known, now)
        dated = message.event in {Event.ENDS_SOON, Event.APPROVAL_ASKED, Event.APPROVAL_REMINDED}
        due_at = min((item.ends_at for item in items if item.ends_at), default=None) if dated else None
        if message.reviews:
            due_at = min((one.until for one in message.reviews if one.until), default=None)
        link = self._link(message)
        values = {
            # A policy may keep quiet about a part of it.
            "event": (event_of(items) if message.event in OF_ASSIGNMENTS and items else message.event).value,
            "name": person.name,
            "given": self._lines(items, "given", known),
            "taken": self._lines(items, "taken", known),
            "ending": self._lines(items, "endsSoon", known),
            "extends": _extendable(items, known),
            **{change: self._asked(items, change, known, message.recipient) for change in _OF_REQUESTS},
            "due": day(due_at) if due_at else "",
            "reviews": reviewed.lines(message, known, self._api_url),
            "why": known.reasons.get(message.why.id, ""),
            "link": link,
        }
        subject = _one_line(self._subject.render(values))
        return Text(
            subject=subject,
            text=self._text.render(values),
            html=self._html.render(values, subject=subject) if html else "",
            link=link,
            about=_about(message, items, known),
            due_at=due_at,
        )

    def _lines(self, items: Sequence[Item], change: str, known: Known) -> list[Line]:
        lines = [
            Line(
                package=known.packages.get(item.package_id, item.package_id),
                policy=known.policies.get(item.policy_id, ""),
                until=day(item.ends_at) if item.ends_at and change != "taken" else "",
                reason=_reason(item, known) if change == "taken" else "",
            )
            for item in items
            if item.change == change
        ]
        return sorted(lines, key=lambda line: line.package.casefold())

    def _asked(self, items: Sequence[Item], change: str, known: Known, reader: str) -> list[Line]:
        """What somebody asks for: the reader, of how it ended; else the person, or whoever asks on their behalf."""
        return [
            Line(
                package=known.packages.get(item.package_id, item.package_id),
                policy=known.policies.get(item.policy_id, ""),
                until=day(item.ends_at) if item.ends_at else "",
                reason=item.detail,
                person=known.name_of(item.person_id) if item.person_id != _asker(item, change, reader) else "",
                asker=_name(_asker(item, change, reader), known),
                wish="to extend or change" if item.changing else "for",
                outcome="a change" if item.changing else "access",
                result=item.reason if change == "decided" else "",
                by="You have" if item.by == reader else f"{known.name_of(item.by)} has" if item.by else "",
                stage=f" in stage {item.stage} of {item.stages}" if item.stage else "",
            )
            for item in items
            if item.change == change
        ]

    def _link(self, message: Message) -> str | None:
        if self._api_url is None:
            return None
        if message.reviews:
            return self._link_to_reviews(message)
        base = f"{self._api_url}/v1.0/identityGovernance/entitlementManagement"
        if message.event in _OF_APPROVALS:
            return f"{base}/accessPackageAssignmentApprovals/{message.items[0].request_id}/stages"
        if message.items[0].request_id:
            return f"{base}/assignmentRequests/{message.items[0].request_id}"
        # The list that everybody may see of their own.
        return f"{base}/assignments/filterByCurrentUser(on='target')"

    def _link_to_reviews(self, message: Message) -> str | None:
        base = f"{self._api_url}/v1.0/identityGovernance/accessReviews/definitions"
        if message.event in {Event.REVIEW_ASKED, Event.REVIEW_REMINDED}:
            return f"{base}/filterByCurrentUser(on='reviewer')"
        reports = message.event in {Event.REVIEW_ENDED, Event.REVIEW_TROUBLED}
        return base if reports and not all(one.closed for one in message.reviews) else None


def _name(asker: str, known: Known) -> str:
    return "An administrator" if asker == AN_ADMINISTRATOR else known.name_of(asker)


def _extendable(items: Sequence[Item], known: Known) -> str:
    """Which of what ends may be extended by asking (EXP-3): 'all', 'some' or none of it."""
    ending = [item.policy_id in known.extends for item in items if item.change == "endsSoon"]
    return "all" if ending and all(ending) else "some" if any(ending) else ""


def _asker(item: Item, change: str, reader: str) -> str:
    """Whoever asked is told how it ended."""
    return reader if change in _TO_REQUESTORS else item.asked_by or item.person_id


def _reason(item: Item, known: Known) -> str:
    policy = known.policies.get(item.policy_id)
    if item.reason == "noLongerMatches" and policy:
        return f'the rule "{policy}" no longer fits you'
    said = ENDED.get(item.reason)
    if said is None or item.reason != _BY_SOMEBODY:
        return said or item.detail
    return f"{said}: {item.detail}" if item.detail else said


def _about(message: Message, items: Sequence[Item], known: Known) -> dict[str, Any]:
    return {
        "packages": [
            {
                "id": item.package_id,
                "displayName": known.packages.get(item.package_id),
                "assignmentId": item.assignment_id,
                "policyId": item.policy_id,
                "change": item.change,
                **({"endsAt": item.ends_at.isoformat()} if item.ends_at else {}),
                **({"reason": item.reason} if item.reason else {}),
                **({"requestId": item.request_id, "personId": item.person_id} if item.request_id else {}),
                **({"requestorId": item.asked_by} if item.asked_by not in {"", AN_ADMINISTRATOR} else {}),
                **({"stage": item.stage, "stages": item.stages} if item.stage else {}),
            }
            for item in items
        ],
        **({"reviews": reviewed.about(message.reviews)} if message.reviews else {}),
        "fact": message.fact,
        "correlation": message.why.correlation,
        "actor": message.why.actor,
    }


def _one_line(text: str) -> str:
    """A subject is one line, whatever a package is called: a line break in a header would begin another header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:250]
