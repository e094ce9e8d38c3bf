"""Who reviews: from what a definition names to people, as they were when the stage began (REV-8)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from services.review.model import Stage
from services.review.scope import Reviewers, Who, read_reviewers
from shared.contracts.review import ReviewerScope

Resolved = Mapping[Reviewers, tuple[str, ...]]
"""Whom each scope leads to; who has left is nobody."""


def named(scopes: Iterable[ReviewerScope]) -> list[Reviewers]:
    """What these scopes say. They were checked when the definition was written."""
    return [read_reviewers(one) for one in scopes]


def with_reviewers(stage: Stage, resolved: Resolved) -> Stage:
    """The stage with the people whom its settings lead to now; with the fallbacks if these are nobody (REV-5)."""
    scopes = named(stage.settings.reviewers)
    by_manager, by_sponsors = (any(one.who is who for one in scopes) for who in (Who.MANAGER, Who.SPONSORS))
    people = _people(scopes, resolved)
    fallback = _people(named(stage.settings.fallback_reviewers), resolved)
    self_review = not scopes
    if not people and not by_manager and not by_sponsors and not self_review:
        people = fallback
    return stage.having(
        reviewers=people,
        fallback=fallback,
        by_manager=by_manager,
        by_sponsors=by_sponsors,
        self_review=self_review,
    )


def _people(scopes: Iterable[Reviewers], resolved: Resolved) -> tuple[str, ...]:
    return tuple(sorted({person for one in scopes for person in resolved.get(one, ())}))


def of_item(
    person_id: str,
    manager_id: str | None,
    stage: Stage,
    gone: Container[str],
    sponsors: Iterable[str] = (),
    *,
    is_group: bool = False,
) -> tuple[str, ...] | None:
    """Who reviews what this person has; None if it is whoever reviews every item.

    Nobody decides about themself, unless it is a self-review: then the fallbacks do. They do, too, for a group in a
    self-review, which cannot."""
    if stage.self_review and not is_group:
        return (person_id,)
    named = set(stage.reviewers)
    if not stage.by_manager and not stage.by_sponsors and named - {person_id}:
        return None
    if stage.by_manager and manager_id is not None and manager_id not in gone:
        named.add(manager_id)
    if stage.by_sponsors:
        named |= {one for one in sponsors if one not in gone}
    named -= {person_id}
    return tuple(sorted(named or {one for one in stage.fallback if one != person_id and one not in gone}))


def may_review(by: str, person_id: str, reviewers: tuple[str, ...] | None, stage: Stage) -> bool:
    """Whether `by` decides about what this person has."""
    if by == person_id and not stage.self_review:
        return False
    return by in (stage.reviewers if reviewers is None else reviewers)
