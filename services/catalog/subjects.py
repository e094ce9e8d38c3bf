"""Whether those whom a policy names are there. Of connected organisations catalog has heard nothing: the directory asks
who belongs to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence

from services.catalog.asking import ID_OF
from services.catalog.model import Policy
from services.catalog.store import LIVING, Shelves
from shared.contracts.policy import SubjectKind, SubjectSet
from shared.hearing import Hearing
from shared.web.errors import BadRequest

_NOUNS = {SubjectKind.SINGLE_USER: "user", SubjectKind.GROUP_MEMBERS: "group", SubjectKind.POPULATION: "population"}
_STAGE_SETS = {
    "primaryApprovers": "primary_approvers",
    "fallbackPrimaryApprovers": "fallback_primary_approvers",
    "escalationApprovers": "escalation_approvers",
    "fallbackEscalationApprovers": "fallback_escalation_approvers",
}

Named = tuple[SubjectKind, str]


async def may_name_subjects(shelves: Shelves, hearing: Hearing, new: Policy, before: Policy | None = None) -> None:
    """Raises BadRequest for somebody whom nobody knows. Whoever was named before may have left since."""
    if fault := not_there(new, await strangers(shelves, hearing, [(new, before)])):
        raise fault


async def strangers(
    shelves: Shelves, hearing: Hearing, policies: Sequence[tuple[Policy, Policy | None]]
) -> Collection[Named]:
    """Whom these policies name, and did not name before, of all those who are not there; waited for if they were only
    just made."""
    asked = {one for new, before in policies for one in _named(new) - (_named(before) if before else set())}

    async def missing() -> set[Named]:
        ids = {kind: [id for of, id in asked if of is kind] for kind in _NOUNS}
        people, groups, populations = await asyncio.gather(
            shelves.people.there(ids[SubjectKind.SINGLE_USER]),
            shelves.groups.there(ids[SubjectKind.GROUP_MEMBERS]),
            shelves.populations.store.ids({"_id": {"$in": ids[SubjectKind.POPULATION]}, **LIVING}),
        )
        there = {
            SubjectKind.SINGLE_USER: people.keys(),
            SubjectKind.GROUP_MEMBERS: groups.keys(),
            SubjectKind.POPULATION: populations,
        }
        return {(kind, id) for kind, id in asked if id not in there[kind]}

    return await hearing.once(missing, enough=lambda found: not found) if asked else ()


def not_there(policy: Policy, unknown: Collection[Named]) -> BadRequest | None:
    """The refusal that names the first of the unknown, and where the policy does."""
    for place, one in _subjects(policy):
        if one.id is not None and (one.kind, one.id) in unknown:
            return BadRequest(f"There is no {_NOUNS[one.kind]} {one.id}.", target=f"{place}/{ID_OF[one.kind]}")
    return None


def _named(policy: Policy) -> set[Named]:
    return {(one.kind, one.id) for _, one in _subjects(policy) if one.kind in _NOUNS and one.id is not None}


def _subjects(policy: Policy) -> Iterator[tuple[str, SubjectSet]]:
    """Everybody whom it names, each with the place in its body."""
    requestors = policy.requestor_settings.on_behalf_requestors
    lists = [("specificAllowedTargets", policy.targets), ("requestorSettings/onBehalfRequestors", requestors)]
    for number, stage in enumerate(policy.approval_settings.stages):
        at = f"requestApprovalSettings/stages/{number}"
        lists += [(f"{at}/{said}", getattr(stage, name)) for said, name in _STAGE_SETS.items()]
    if policy.review is not None:
        lists += [("reviewSettings/primaryReviewers", policy.review.reviewers)]
        lists += [("reviewSettings/fallbackReviewers", policy.review.fallback_reviewers)]
    for place, several in lists:
        for number, one in enumerate(several):
            yield f"{place}/{number}", one
