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
from services.directory.decide.memberships import FollowGroup, Groups, follow_group
from services.directory.model import Memberships, dump_group, dump_memberships, load_group, load_memberships
from shared.contracts.base import Cause
from shared.contracts.directory import GroupState, MembershipState
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


HERE, GONE = Groups({"g"}), Groups()


def followed(state: Memberships, groups: Groups) -> tuple[Memberships, list[str]]:
    at = Circumstances(NOW, 1, CAUSE, groups)
    decision = follow_group(state, FollowGroup("ana", "g"), at)
    assert decision.state is not None
    assert load_memberships(dump_memberships(decision.state)) == decision.state
    return decision.state, [one.type for one in decision.transitions]


@pytest.mark.parametrize("way", ["by_hand", "by_grant"])
def test_its_members_are_none_while_it_is_gone_and_are_again_once_it_is_back(way: str) -> None:
    one = MembershipState(group_id="g", member=True, since=NOW, **{way: True})
    before = Memberships("ana", {"g": one, "h": MembershipState(group_id="h", member=True)})
    assert followed(before, HERE) == (before, []), "restored since"
    after, said = followed(before, GONE)
    assert said == ["MemberRemoved"]
    assert [id for id, it in after.by_group.items() if it.member] == ["h"]
    assert followed(after, GONE) == (after, [])
    assert followed(after, HERE) == (before, ["MemberAdded"])


def test_whom_a_rule_put_there_the_rule_says_anew() -> None:
    before = Memberships("ana", {"g": MembershipState(group_id="g", member=True, since=NOW)})
    after, _ = followed(before, GONE)
    assert followed(after, Groups({"g"}, {"g"})) == (after, [])


def test_who_had_left_it_before_does_not_come_back_with_it() -> None:
    left = Memberships("ana", {"g": MembershipState(group_id="g", member=False)})
    assert followed(left, GONE) == followed(left, HERE) == (left, [])
