"""The file of one run: CSV, a line an item, read off the items as it goes out.

The documents name `AccessReviewId` and `AccessReviewSeriesId` and say that there is a line a user and decision; the
other columns are ours, called as Graph calls the same things elsewhere.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from services.review.history.model import History, Run
from services.review.model import Instance, Item, load_instance, load_item
from services.review.store import Runs, Surroundings
from shared.contracts.review import Verdict
from shared.spreadsheets import harmless
from shared.storage import MongoAggregates

COLUMNS = (
    "AccessReviewId", "AccessReviewSeriesId", "ReviewName", "ReviewStatus", "ReviewStartDate", "ReviewEndDate",
    "ResourceType", "ResourceId", "ResourceName", "PrincipalId", "PrincipalDisplayName", "PrincipalUserPrincipalName",
    "PrincipalType", "Role", "Recommendation", "Decision", "Justification", "ReviewedById", "ReviewedByDisplayName",
    "ReviewedByUserPrincipalName", "ReviewedDate", "ApplyResult", "AppliedDate", "RoleDisplayName",
)  # fmt: skip
AT_ONCE = 500
"""Lines that are made in one go."""
_CONTAINS = re.compile(r"contains\(\s*scope/(?:microsoft\.graph\.accessReviewQueryScope/)?query\s*,\s*'([^']+)'\s*\)")
_DEFINITIONS = re.compile(r"(?:/v1\.0|/beta)?/identityGovernance/accessReviews/definitions(?:\?\$filter=(.+))?")


def sought(query: str) -> list[str]:
    """The texts of which a review's query contains one; empty: every review. Raises ValueError."""
    match = _DEFINITIONS.fullmatch(query.strip())
    if match is None:
        raise ValueError("is no query on /identityGovernance/accessReviews/definitions")
    if match[1] is None:
        return []
    parts = [_CONTAINS.fullmatch(part.strip()) for part in re.split(r"\s+or\s+", match[1])]
    if not all(parts):
        raise ValueError("filters by something else than contains(scope/query, '…')")
    return [part[1] for part in parts if part]


def filter_of(scopes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of definitions that one of the scopes is about. A review that was deleted stays in the list."""
    texts = [sought(str(scope.get("query", ""))) for scope in scopes]
    if any(not one for one in texts):
        return {}
    return {"$or": [{"state.query": {"$regex": re.escape(text)}} for one in texts for text in one]}


def kind_of(item: Item, instance: Instance) -> str:
    """Graph's accessReviewHistoryDecisionFilter. Not notified: nobody was there to be asked."""
    if item.decision is not Verdict.NOT_REVIEWED:
        return item.decision.value[0].lower() + item.decision.value[1:]
    stage = instance.stages[item.stage]
    asked = item.reviewers if item.reviewers is not None else stage.reviewers
    return "notReviewed" if asked or stage.self_review else "notNotified"


async def lines(
    history: History, run: Run, definitions: MongoAggregates, runs: Runs, around: Surroundings
) -> AsyncIterator[bytes]:
    """The file, some hundred lines at a time."""
    yield table([COLUMNS])
    chosen = frozenset(history.decisions)
    about = filter_of(history.scopes)
    if history.without_roles:
        about = {"$and": [about, {"state.of_roles": {"$ne": True}}]}
    async for definition in definitions.walk(about):
        started = {"state.definition_id": definition["_id"]}
        started |= {"state.starts_at": {"$gte": run.begins_at, "$lt": run.ends_at}}
        async for raw in runs.instances.walk(started):
            instance = load_instance(raw)
            part: list[Item] = []
            async for one in runs.items.walk({"state.instance_id": instance.id}):
                item = load_item(one)
                if kind_of(item, instance) in chosen:
                    part.append(item)
                if len(part) == AT_ONCE:
                    yield await _part(part, instance, around)
                    part = []
            if part:
                yield await _part(part, instance, around)


async def _part(items: Sequence[Item], instance: Instance, around: Surroundings) -> bytes:
    people = await around.called({id for one in items for id in (one.person_id, one.decided_by) if id})
    return table(row(one, instance, people) for one in items)


def row(item: Item, instance: Instance, people: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """As `COLUMNS` has them."""
    resource = instance.resource
    person, reviewer = people.get(item.person_id, {}), people.get(item.decided_by or "", {})
    return [
        instance.id, instance.definition.id, instance.definition.display_name, instance.status.value,
        _time(instance.starts_at), _time(instance.ends_at),
        resource.kind.value, resource.id, resource.display_name,
        item.person_id, person.get("name"), person.get("user_principal_name"), item.user_type, item.role,
        item.recommendation.value,
        "NotNotified" if kind_of(item, instance) == "notNotified" else item.decision.value, item.justification,
        item.decided_by, reviewer.get("name"), reviewer.get("user_principal_name"), _time(item.decided_at),
        item.result.value, _time(item.applied_at), instance.role_name(item.role),
    ]  # fmt: skip


def _time(at: Any) -> str:
    return at.isoformat() if at is not None else ""


def table(rows: Iterable[Iterable[Any]]) -> bytes:
    """CSV as RFC 4180 has it. Text that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless(value) for value in row] for row in rows)
    return text.getvalue().encode()
