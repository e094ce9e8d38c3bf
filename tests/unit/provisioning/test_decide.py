"""Deliveries, rule by rule: what a holding wants is asked for once, settled by its answer, never undone by the past."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.provisioning import decide
from services.provisioning.decide import Groups, drift_of, found_access_of
from services.provisioning.model import Deliveries, Repair, dump, load
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause, Lane, Refusal, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import MembershipFact, MembershipObeyed, MembershipRefused, MembershipState
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SALES, DOCS = (ResourceRole(origin_id=group, display_name=group.title()) for group in ("sales", "docs"))
GONE = Groups(deleted=frozenset({"sales"}))


def at(
    now: datetime = NOW, *, lane: Lane = Lane.ORDINARY, degraded: bool = False, context: Any = None
) -> Circumstances[Any]:
    cause = Cause(id="fact", correlation="hr-1", actor="source:hr", lane=lane)
    return Circumstances(now, 1, cause, context, degraded=degraded)


def holding(version: int, *grants: tuple[ResourceRole, bool, int], taken: tuple[ResourceRole, ...] = ()) -> HoldingFact:
    given = [GrantGiven(role=role, version=v) for role, deliver, v in grants if v == version and deliver]
    gone = [GrantTaken(role=role, version=version) for role in taken]
    return HoldingFact(
        id=f"holding:ana:{version}",
        cause=Cause(id="x", correlation="hr-1", actor="source:hr"),
        subject="ana",
        version=version,
        at=NOW,
        transitions=(*given, *gone),
        state=HoldingState(
            person_id="ana",
            grants=tuple(GrantState(role=r, assignments=("a",), deliver=d, version=v) for r, d, v in grants),
        ),
    )


def membership(
    version: int, *said: Transition, group: str = "sales", member: bool, by_hand: bool = False, by_grant: bool = False
) -> MembershipFact:
    return MembershipFact(
        id=f"membership:{group}:ana:{version}",
        cause=Cause(id="x", correlation="hr-1", actor="source:hr"),
        subject=f"{group}:ana",
        version=version,
        at=NOW,
        transitions=said,
        state=MembershipState(
            id=f"{group}:ana", group_id=group, person_id="ana", member=member, by_hand=by_hand, by_grant=by_grant
        ),
    )


def obeyed(command: dict[str, Any], **flags: Any) -> MembershipObeyed:
    return MembershipObeyed(command_id=command["id"], grant_version=command["grantVersion"], **flags)


def commands(messages: Sequence[Outgoing]) -> list[dict[str, Any]]:
    return [orjson.loads(one.value or b"") for one in messages]


def told(decision: Decision[Deliveries]) -> list[str]:
    return [one.type for one in decision.transitions]


def after(decision: Decision[Deliveries]) -> Deliveries:
    assert decision.state is not None
    assert load(dump(decision.state)) == decision.state
    return decision.state


@pytest.fixture
def given() -> tuple[Deliveries, dict[str, Any]]:
    """Sales is being delivered, under the command beside it."""
    decision = decide.follow_holding(None, holding(1, (SALES, True, 1)), at())
    return after(decision), commands(decision.messages)[0]


@pytest.fixture
def delivered(given: tuple[Deliveries, dict[str, Any]]) -> Deliveries:
    state, command = given
    return after(decide.follow_membership(state, membership(1, obeyed(command), member=True, by_grant=True), at()))


def test_a_new_grant_is_asked_for_under_an_id_derived_from_it() -> None:
    first = decide.follow_holding(None, holding(1, (SALES, True, 1)), at())
    again = decide.follow_holding(None, holding(1, (SALES, True, 1)), at(NOW + timedelta(days=1)))
    (command,) = commands(first.messages)
    assert told(first) == [], "the command says it all"
    assert after(first).deliveries[SALES.key].status is DeliveryStatus.DELIVERING
    assert (command["groupId"], command["personId"], command["member"], command["grantVersion"]) == (
        "sales", "ana", True, 1,
    )  # fmt: skip
    assert commands(again.messages)[0]["id"] == command["id"]
    assert first.messages[0].key == b"ana"


def test_an_urgent_cause_has_an_urgent_command() -> None:
    decision = decide.follow_holding(None, holding(1, (SALES, True, 1)), at(lane=Lane.URGENT))
    assert decision.messages[0].topic == "directory.membership-commands.urgent"


def test_a_repeated_or_older_holding_changes_nothing(delivered: Deliveries) -> None:
    assert decide.follow_holding(delivered, holding(1, (SALES, True, 1)), at()) == Decision(delivered)
    taken = after(decide.follow_holding(delivered, holding(3, taken=(SALES,)), at()))
    assert decide.follow_holding(taken, holding(2, (SALES, True, 2)), at()).state is taken


def test_a_grant_that_was_given_and_taken_before_we_heard_of_it_is_not_given_by_the_late_fact() -> None:
    taken = after(decide.follow_holding(None, holding(6, taken=(SALES,)), at()))
    assert decide.follow_holding(taken, holding(5, (SALES, True, 5)), at()).state is taken


def test_a_holding_that_only_tells_of_progress_is_not_even_written(delivered: Deliveries) -> None:
    assert decide.follow_holding(delivered, holding(2, (SALES, True, 1)), at()).state is delivered


def test_an_answer_settles_its_delivery_once(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    answer = membership(1, obeyed(command), member=True, by_grant=True)
    decision = decide.follow_membership(state, answer, at())
    settled = after(decision)
    assert told(decision) == ["Delivered"]
    assert settled.deliveries[SALES.key].status is DeliveryStatus.DELIVERED
    assert settled.due_at is None
    assert decide.follow_membership(settled, answer, at()).state is settled


def test_an_answer_to_an_older_command_settles_nothing(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    state = after(decide.follow_holding(state, holding(2, taken=(SALES,)), at()))
    decision = decide.follow_membership(state, membership(1, obeyed(command), member=True, by_grant=True), at())
    assert told(decision) == []
    assert after(decision).deliveries[SALES.key].status is DeliveryStatus.REMOVING


def test_who_was_a_member_before_is_found_and_stays(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    decision = decide.follow_membership(
        state, membership(2, obeyed(command, already=True), member=True, by_hand=True, by_grant=True), at()
    )
    assert decision.transitions[0].found  # type: ignore[attr-defined]
    removing = decide.follow_holding(after(decision), holding(2, taken=(SALES,)), at())
    (command,) = commands(removing.messages)
    left = decide.follow_membership(
        after(removing), membership(3, obeyed(command, already=True), member=True, by_hand=True), at()
    )
    assert left.transitions[0].left_in_place  # type: ignore[attr-defined]
    assert found_access_of(after(left)) == ["sales"]
    assert drift_of(after(left)) == []


def test_suspension_takes_delivery_away_and_return_gives_it_again(delivered: Deliveries) -> None:
    suspended = decide.follow_holding(delivered, holding(2, (SALES, False, 2), taken=(SALES,)), at())
    assert [c["member"] for c in commands(suspended.messages)] == [False]
    back = decide.follow_holding(after(suspended), holding(3, (SALES, True, 3)), at())
    assert [(c["member"], c["grantVersion"]) for c in commands(back.messages)] == [(True, 3)]


def test_a_role_given_while_suspended_is_not_asked_for() -> None:
    decision = decide.follow_holding(None, holding(1, (SALES, False, 1)), at())
    assert (decision.transitions, decision.messages) == ((), ())


def test_a_refusal_is_final_until_the_group_is_there(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    no = MembershipRefused(command_id=command["id"], grant_version=1, reason=Refusal(code="notFound", message="No."))
    refused = decide.follow_membership(state, membership(1, no, member=False), at())
    assert told(refused) == ["DeliveryFailed"]
    assert after(refused).due_at is None
    assert decide.follow_membership(after(refused), membership(1, no, member=False), at()).state is refused.state
    there = at(context=Groups(alive=frozenset({"sales"})))
    anew = decide.look_again(after(refused), Due("ana", NOW), there)
    assert told(anew) == ["DeliveryStarted"]
    assert commands(anew.messages)[0]["id"] != command["id"]


def test_what_is_not_answered_is_sent_again_under_its_id_then_said_to_fail_and_goes_on_slowly(
    given: tuple[Deliveries, dict[str, Any]],
) -> None:
    state, command = given
    pauses, told_of = [], []
    now = NOW
    for _ in range(12):
        assert state.due_at is not None
        pauses.append(state.due_at - now)
        now = state.due_at
        decision = decide.look_again(state, Due("ana", now), at(now, context=Groups()))
        assert [c["id"] for c in commands(decision.messages)] == [command["id"]]
        told_of += told(decision)
        state = after(decision)
    assert pauses[:3] == [timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60)]
    assert max(pauses) == pauses[-1] == timedelta(hours=1)
    assert told_of == ["DeliveryFailed"]
    late = decide.follow_membership(state, membership(1, obeyed(command), member=True, by_grant=True), at(now))
    assert told(late) == ["Delivered"]


def test_a_command_sent_again_keeps_the_first_cause_and_its_lane() -> None:
    state = after(decide.follow_holding(None, holding(1, (SALES, True, 1)), at(lane=Lane.URGENT)))
    timer = Circumstances(
        NOW + timedelta(hours=1), 2, Cause(id="timer:1", correlation="timer:1", actor="system:provisioning"), Groups()
    )
    (sent,) = decide.look_again(state, Due("ana", timer.now), timer).messages
    assert sent.topic.endswith(".urgent")
    assert ("correlation", "hr-1") in sent.headers


def test_a_deleted_group_fails_what_is_wanted_and_clears_what_is_not(delivered: Deliveries) -> None:
    failed = decide.look_again(delivered, Due("ana", NOW), at(context=GONE))
    assert [(one.type, one.reason.code) for one in failed.transitions] == [  # type: ignore[attr-defined]
        ("DeliveryFailed", "groupDeleted")
    ]
    assert decide.look_again(after(failed), Due("ana", NOW), at(context=GONE)).state is failed.state
    removing = after(decide.follow_holding(delivered, holding(2, taken=(SALES,)), at()))
    assert told(decide.look_again(removing, Due("ana", NOW), at(context=GONE))) == ["Removed"]


def test_a_role_nobody_can_give_fails_with_a_reason() -> None:
    owner = SALES.model_copy(update={"role": "Owner"})
    decision = decide.follow_holding(None, holding(1, (owner, True, 1)), at())
    assert told(decision) == ["DeliveryFailed"]
    assert not decision.messages


class TestDeadLetters:
    """A message about this person was set aside: it may be the one that says why the access is kept."""

    def test_nothing_is_taken_away_until_it_is_replayed(self, delivered: Deliveries) -> None:
        held = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True))
        assert (held.transitions, held.messages) == ((), ())
        state = after(held)
        assert drift_of(state) == []
        assert state.due_at is not None
        still = after(
            decide.look_again(state, Due("ana", state.due_at), at(state.due_at, degraded=True, context=Groups()))
        )
        assert still.due_at is not None
        freed = decide.look_again(still, Due("ana", still.due_at), at(still.due_at, context=Groups()))
        assert [(c["member"], c["grantVersion"]) for c in commands(freed.messages)] == [(False, 2)]

    def test_a_newer_grant_ends_the_wait(self, delivered: Deliveries) -> None:
        state = after(decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True)))
        state = after(decide.follow_holding(state, holding(3, (SALES, True, 3)), at(degraded=True)))
        assert state.deliveries[SALES.key].withheld is None

    def test_an_urgent_leaver_does_not_wait(self, delivered: Deliveries) -> None:
        gone = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True, lane=Lane.URGENT))
        assert [c["member"] for c in commands(gone.messages)] == [False]


class TestReconciling:
    """What should be against what is."""

    def test_a_member_whom_somebody_removed_is_missing_and_given_back(self, delivered: Deliveries) -> None:
        state = after(decide.follow_membership(delivered, membership(2, member=False), at()))
        assert [(d.role.key, d.expected) for d in drift_of(state)] == [(SALES.key, True)]
        mended = decide.repair(state, Repair("ana"), at())
        (command,) = commands(mended.messages)
        assert told(mended) == ["DriftFound"]
        assert (command["member"], command["grantVersion"]) == (True, 1)
        assert command["id"] != state.deliveries[SALES.key].command_id
        assert command["repair"] == 1
        assert decide.repair(after(mended), Repair("ana"), at()).state is mended.state

    def test_a_member_by_a_grant_that_is_no_more_is_too_many(self, delivered: Deliveries) -> None:
        removing = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at())
        (command,) = commands(removing.messages)
        state = after(decide.follow_membership(after(removing), membership(2, obeyed(command), member=False), at()))
        state = after(decide.follow_membership(state, membership(3, member=True, by_grant=True), at()))
        assert [d.expected for d in drift_of(state)] == [False]
        assert [c["member"] for c in commands(decide.repair(state, Repair("ana"), at()).messages)] == [False]

    def test_a_membership_by_a_grant_we_know_nothing_of_is_too_many(self) -> None:
        state = after(decide.follow_membership(None, membership(4, group="docs", member=True, by_grant=True), at()))
        assert [(d.role.key, d.expected) for d in drift_of(state)] == [(DOCS.key, False)]
        assert told(decide.repair(state, Repair("ana"), at())) == ["DriftFound"]

    def test_what_is_under_way_is_not_judged(self, given: tuple[Deliveries, dict[str, Any]]) -> None:
        state = after(decide.follow_membership(given[0], membership(1, member=False), at()))
        assert drift_of(state) == []
        assert decide.unsettled_in(state) == 1

    def test_found_access_is_listed_and_left_alone(self, delivered: Deliveries) -> None:
        state = after(decide.follow_membership(delivered, membership(1, group="docs", member=True, by_hand=True), at()))
        assert (found_access_of(state), drift_of(state)) == (["docs"], [])
        assert decide.repair(state, Repair("ana"), at()).state is state

    def test_an_older_membership_fact_does_not_change_what_is_known(self, delivered: Deliveries) -> None:
        state = after(decide.follow_membership(delivered, membership(3, member=False), at()))
        assert decide.follow_membership(state, membership(2, member=True, by_grant=True), at()).state is state
