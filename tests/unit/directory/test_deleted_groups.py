"""A deleted Microsoft 365 group can be had back for thirty days, unless it is purged; a security group cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.directory.decide.groups import (
    NO_SUCH_GROUP,
    CreateGroup,
    DeleteGroup,
    GroupCommand,
    PurgeGroup,
    RestoreGroup,
    wish,
)
from services.directory.model import dump_group, load_group
from shared.contracts.base import Cause
from shared.contracts.directory import GroupState
from shared.messaging.decision import Circumstances, Decision

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")


def deleted(*types: str) -> GroupState:
    made = after(None, CreateGroup("g", {"display_name": "Team", "group_types": types}))
    return kept(after(made.state, DeleteGroup("g")))


def after(state: GroupState | None, command: GroupCommand, days: int = 0) -> Decision[GroupState]:
    at: Circumstances[Any] = Circumstances(NOW + timedelta(days=days), 1, CAUSE, None)
    return wish(state, command, at)


def kept(decision: Decision[GroupState]) -> GroupState:
    assert decision.state is not None
    return load_group(dump_group(decision.state))


def test_it_is_restored_within_thirty_days() -> None:
    restored = after(deleted("Unified"), RestoreGroup("g"), days=29)
    assert [one.type for one in restored.transitions] == ["GroupRestored"]
    assert kept(restored).deleted_at is None
    assert after(deleted("Unified"), RestoreGroup("g"), days=30).refusal == NO_SUCH_GROUP
    assert after(kept(restored), RestoreGroup("g")).refusal == NO_SUCH_GROUP, "it is there"


def test_what_was_purged_is_never_restored() -> None:
    purged = after(deleted("Unified"), PurgeGroup("g"))
    assert [one.type for one in purged.transitions] == ["GroupPurged"]
    for command in (RestoreGroup("g"), PurgeGroup("g")):
        assert after(kept(purged), command).refusal == NO_SUCH_GROUP


@pytest.mark.parametrize("command", [RestoreGroup("g"), PurgeGroup("g")])
def test_a_security_group_was_deleted_for_good(command: GroupCommand) -> None:
    assert after(deleted(), command).refusal == NO_SUCH_GROUP
