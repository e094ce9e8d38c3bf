"""Whom a policy names is there, or it is refused with the place where it names them."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest

from services.catalog import graph
from services.catalog.model import Policy
from services.catalog.subjects import may_name_subjects
from shared.hearing import Hearing
from shared.web.errors import BadRequest
from tests.unit.catalog.test_decide import NOW

ANA = {"@odata.type": "#microsoft.graph.singleUser", "userId": "ana"}
NOBODY = {"@odata.type": "#microsoft.graph.singleUser", "userId": "nobody"}
TEAM = {"@odata.type": "#microsoft.graph.groupMembers", "groupId": "team"}
NO_TEAM = {"@odata.type": "#microsoft.graph.groupMembers", "groupId": "no-team"}
NO_POPULATION = {"@odata.type": "#tenure.populationMembers", "populationId": "none"}
MANAGER = {"@odata.type": "#microsoft.graph.requestorManager", "managerLevel": 1}


class There:
    """Ids that are there after some looks."""

    def __init__(self, *ids: str, after: int = 0) -> None:
        self._ids = ids
        self._after = after

    async def there(self, ids: Collection[str]) -> dict[str, Any]:
        self._after -= 1
        return {id: {} for id in ids if id in self._ids} if self._after < 0 else {}

    async def ids(self, query: dict[str, Any]) -> list[str]:
        return [id for id in query["_id"]["$in"] if id in self._ids]


def shelves(late: int = 0) -> Any:
    people, groups = There("ana", after=late), There("team", after=late)
    return SimpleNamespace(people=people, groups=groups, populations=SimpleNamespace(store=There()))


def policy(*targets: dict[str, Any], **more: Any) -> Policy:
    scope = {"allowedTargetScope": "specificDirectoryUsers", "specificAllowedTargets": list(targets)} if targets else {}
    body = {"displayName": "P", "accessPackage": {"id": "p"}, **scope, **more}
    return graph.policy_of(graph.PolicyIn.model_validate(body), "o", NOW)


def approved(**sets: Any) -> dict[str, Any]:
    return {"requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [sets]}}


REVIEWED = {
    "reviewSettings": {
        "isEnabled": True,
        "schedule": {
            "startDateTime": "2026-12-01T00:00:00Z",
            "expiration": {"type": "afterDuration", "duration": "P10D"},
            "recurrence": {"pattern": {"type": "absoluteMonthly", "interval": 3}, "range": {"type": "noEnd"}},
        },
        "primaryReviewers": [NOBODY],
    }
}


@pytest.mark.parametrize(
    ("new", "noun", "id", "place"),
    [
        (policy(ANA, NOBODY), "user", "nobody", "specificAllowedTargets/1/userId"),
        (policy(NO_TEAM), "group", "no-team", "specificAllowedTargets/0/groupId"),
        (policy(NO_POPULATION), "population", "none", "specificAllowedTargets/0/populationId"),
        (
            policy(**approved(primaryApprovers=[MANAGER], fallbackPrimaryApprovers=[NO_TEAM])),
            "group",
            "no-team",
            "requestApprovalSettings/stages/0/fallbackPrimaryApprovers/0/groupId",
        ),
        (
            policy(requestorSettings={"onBehalfRequestors": [NOBODY]}),
            "user",
            "nobody",
            "requestorSettings/onBehalfRequestors/0/userId",
        ),
        (policy(**REVIEWED), "user", "nobody", "reviewSettings/primaryReviewers/0/userId"),
    ],
)
async def test_who_is_not_there_is_named_and_where(new: Policy, noun: str, id: str, place: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await may_name_subjects(shelves(), Hearing(0.05), new)
    assert (refused.value.message, refused.value.target) == (f"There is no {noun} {id}.", place)


async def test_who_was_just_made_is_waited_for() -> None:
    await may_name_subjects(shelves(late=3), Hearing(5.0), policy(ANA, TEAM, **approved(primaryApprovers=[TEAM])))


async def test_who_has_left_since_stays_where_they_were_named() -> None:
    before = policy(NOBODY, TEAM)
    await may_name_subjects(shelves(), Hearing(0.05), policy(TEAM, NOBODY, ANA), before)
    with pytest.raises(BadRequest):
        await may_name_subjects(shelves(), Hearing(0.05), policy(NO_TEAM, NOBODY), before)


async def test_whoever_names_nobody_is_not_kept_waiting() -> None:
    nothing: Any = None
    await may_name_subjects(nothing, Hearing(5.0), policy(**approved(primaryApprovers=[MANAGER])))
