"""Reviews in messages as people read them: names instead of ids, figures in words, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.notification.dates import day
from services.notification.model import Event, Known, Message, Reviewed

_FIGURES = {"Approve": "approved", "Deny": "denied", "DontKnow": "not known", "NotReviewed": "not reviewed"}
_RESULTS = {
    "AppliedSuccessfully": "applied",
    "AppliedSuccessfullyButObjectNotFound": "gone already",
    "AppliedWithUnknownFailure": "failed",
    "ApplyNotSupported": "not supported",
    "New": "not applied",
}
_OTHERWISE = {
    "Approve": "Unless you name others, the access stays as if it had been approved.",
    "Deny": "Unless you name others, the access is denied.",
    "Recommendation": "Unless you name others, the recommendations decide.",
    "None": "Unless you name others, the access stays as it is.",
}


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """One review in a text."""

    review: str
    resource: str
    until: str
    open: int
    people: tuple[str, ...]
    more: int
    description: str
    figures: str
    link: str | None
    otherwise: str
    missing: bool


def lines(message: Message, known: Known, api_url: str | None) -> list[ReviewLine]:
    """One a review and resource."""
    return [_line(one, message, known, api_url) for one in message.reviews]


def _line(one: Reviewed, message: Message, known: Known, api_url: str | None) -> ReviewLine:
    names = sorted((known.name_of(id) for id in one.people if id != message.recipient), key=str.casefold)
    if message.recipient in one.people:
        names.insert(0, "your own")  # of a self-review
    return ReviewLine(
        review=one.review,
        resource=one.resource,
        until=day(one.until) if one.until else "",
        open=one.open,
        people=tuple(names),
        more=one.further,
        description=one.description,
        figures=_in_words(one),
        link=_link(one, message.event, api_url),
        otherwise=_OTHERWISE.get(one.otherwise, ""),
        missing=one.missing,
    )


def _in_words(one: Reviewed) -> str:
    said = [f"{one.open} {'item' if one.open == 1 else 'items'}", *_counted(one.figures, _FIGURES)]
    carried_out = _counted(one.results, _RESULTS)
    return ", ".join(said) + (f"; carried out: {', '.join(carried_out)}" if carried_out else "")


def _counted(counts: Mapping[str, int], words: Mapping[str, str]) -> list[str]:
    return [f"{counts[name]} {word}" for name, word in words.items() if counts.get(name)]


def _link(one: Reviewed, event: Event, api_url: str | None) -> str | None:
    if api_url is None or one.closed or event in {Event.REVIEW_TAKEN, Event.REVIEW_BLOCKED}:
        return None
    instance = (
        f"{api_url}/v1.0/identityGovernance/accessReviews/definitions/{one.definition_id}/instances/{one.instance_id}"
    )
    return (
        instance
        if event in {Event.REVIEW_ENDED, Event.REVIEW_TROUBLED}
        else f"{instance}/decisions/filterByCurrentUser(on='reviewer')"
    )


def about(reviews: Sequence[Reviewed]) -> list[dict[str, Any]]:
    """For whoever reads the topic."""
    return [
        {
            "definitionId": one.definition_id,
            "instanceId": one.instance_id,
            "displayName": one.review,
            "resource": one.resource,
            "items": one.open,
            **({"until": one.until.isoformat()} if one.until else {}),
            **({"figures": one.figures} if one.figures else {}),
            **({"results": one.results} if one.results else {}),
            **({"otherwise": one.otherwise} if one.otherwise else {}),
            **({"missing": True} if one.missing else {}),
        }
        for one in reviews
    ]
