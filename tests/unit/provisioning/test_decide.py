"""Deliveries, rule by rule: what a holding wants is asked for once, settled by its answer, never undone by the past."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.provisioning import decide
from services.provisioning.decide import Resources, drift_of, found_access_of
from services.provisioning.model import Deliveries, Repair, dump, load
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause, Lane, Refusal, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import (
    MOST_WISHES,
    MembershipObeyed,
    MembershipRefused,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    SetMemberships,
)
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SALES, DOCS, OPS = (ResourceRole(origin_id=group, display_name=group.title()) for group in ("sales", "docs", "ops"))
GONE = Resources(deleted=frozenset({"sales"}))


def at(
    now: datetime = NOW,
    *,
    lane: Lane = Lane.ORDINARY,
    degraded: bool = False,
    context: Any = None,
    version: int = 1,
) -> Circumstances[Any]:
    cause = Cause(id="fact", correlation="hr-1", actor="source:hr", lane=lane)
    return Circumstances(now, version, cause, context, degraded=degraded)


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


def memberships(version: int, *said: Transition, of: Sequence[MembershipState] = ()) -> MembershipsFact:
    return MembershipsFact(
        id=f"memberships:ana:{version}",
        cause=Cause(id="x", correlation="hr-1", actor="source:hr"),
        subject="ana",
        version=version,
        at=NOW,
        transitions=said,
        state=MembershipsState(person_id="ana", groups=tuple(of)),
    )


def membership(version: int, *said: Transition, group: str = "sales", member: bool, **how: Any) -> MembershipsFact:
    """Of one group; nothing is said of it if they are no member."""
    return memberships(
        version, *said, of=[MembershipState(group_id=group, member=member, **how)] if member or how else []
    )


def obeyed(wish: dict[str, Any], **flags: Any) -> MembershipObeyed:
    return MembershipObeyed(
        group_id=wish["groupId"], command_id=wish["id"], grant_version=wish["grantVersion"], **flags
    )


def wishes(messages: Sequence[Outgoing]) -> list[dict[str, Any]]:
    """What all these commands ask for."""
    return [wish for one in messages for wish in orjson.loads(one.value or b"")["wishes"]]


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
    return after(decision), wishes(decision.messages)[0]


@pytest.fixture
def delivered(given: tuple[Deliveries, dict[str, Any]]) -> Deliveries:
    state, command = given
    return after(decide.follow_memberships(state, membership(1, obeyed(command), member=True, by_grant=True), at()))


def test_a_new_grant_is_asked_for_under_an_id_derived_from_it() -> None:
    first = decide.follow_holding(None, holding(1, (SALES, True, 1)), at())
    again = decide.follow_holding(None, holding(1, (SALES, True, 1)), at(NOW + timedelta(days=1)))
    (record,) = first.messages
    command = SetMemberships.model_validate_json(record.value or b"")
    (wish,) = command.wishes
    assert told(first) == [], "the command says it all"
    assert after(first).deliveries[SALES.key].status is DeliveryStatus.DELIVERING
    assert (command.person_id, wish.group_id, wish.member, wish.grant_version) == ("ana", "sales", True, 1)
    assert again.messages[0].value == record.value
    assert record.key == b"ana"


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
    decision = decide.follow_memberships(state, answer, at())
    settled = after(decision)
    assert told(decision) == ["Delivered"]
    assert settled.deliveries[SALES.key].status is DeliveryStatus.DELIVERED
    assert settled.due_at is None
    assert decide.follow_memberships(settled, answer, at()).state is settled


def test_an_answer_to_an_older_command_settles_nothing(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    state = after(decide.follow_holding(state, holding(2, taken=(SALES,)), at()))
    decision = decide.follow_memberships(state, membership(1, obeyed(command), member=True, by_grant=True), at())
    assert told(decision) == []
    assert after(decision).deliveries[SALES.key].status is DeliveryStatus.REMOVING


def test_who_was_a_member_before_is_found_and_stays(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    decision = decide.follow_memberships(
        state, membership(2, obeyed(command, already=True), member=True, by_hand=True, by_grant=True), at()
    )
    assert decision.transitions[0].found  # type: ignore[attr-defined]
    removing = decide.follow_holding(after(decision), holding(2, taken=(SALES,)), at())
    (command,) = wishes(removing.messages)
    left = decide.follow_memberships(
        after(removing), membership(3, obeyed(command, already=True), member=True, by_hand=True), at()
    )
    assert left.transitions[0].left_in_place  # type: ignore[attr-defined]
    assert found_access_of(after(left)) == ["sales"]
    assert drift_of(after(left)) == []


def test_suspension_takes_delivery_away_and_return_gives_it_again(delivered: Deliveries) -> None:
    suspended = decide.follow_holding(delivered, holding(2, (SALES, False, 2), taken=(SALES,)), at())
    assert [c["member"] for c in wishes(suspended.messages)] == [False]
    back = decide.follow_holding(after(suspended), holding(3, (SALES, True, 3)), at())
    assert [(c["member"], c["grantVersion"]) for c in wishes(back.messages)] == [(True, 3)]


def test_a_role_given_while_suspended_is_not_asked_for() -> None:
    decision = decide.follow_holding(None, holding(1, (SALES, False, 1)), at())
    assert (decision.transitions, decision.messages) == ((), ())


def test_a_refusal_is_final_until_the_group_is_there(given: tuple[Deliveries, dict[str, Any]]) -> None:
    state, command = given
    no = MembershipRefused(
        group_id="sales", command_id=command["id"], grant_version=1, reason=Refusal(code="notFound", message="No.")
    )
    refused = decide.follow_memberships(state, membership(1, no, member=False), at())
    assert told(refused) == ["DeliveryFailed"]
    assert after(refused).due_at is None
    assert decide.follow_memberships(after(refused), membership(1, no, member=False), at()).state is refused.state
    there = at(context=Resources(alive=frozenset({"sales"})))
    anew = decide.look_again(after(refused), Due("ana", NOW), there)
    assert told(anew) == ["DeliveryStarted"]
    assert wishes(anew.messages)[0]["id"] != command["id"]


@pytest.mark.spec("ST-4")
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
        decision = decide.look_again(state, Due("ana", now), at(now, context=Resources()))
        assert [c["id"] for c in wishes(decision.messages)] == [command["id"]]
        told_of += told(decision)
        state = after(decision)
    assert pauses[:3] == [timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60)]
    assert max(pauses) == pauses[-1] == timedelta(hours=1)
    assert told_of == ["DeliveryFailed"]
    late = decide.follow_memberships(state, membership(1, obeyed(command), member=True, by_grant=True), at(now))
    assert told(late) == ["Delivered"]


def test_a_command_sent_again_keeps_the_first_cause_and_its_lane() -> None:
    state = after(decide.follow_holding(None, holding(1, (SALES, True, 1)), at(lane=Lane.URGENT)))
    timer = Circumstances(
        NOW + timedelta(hours=1),
        2,
        Cause(id="timer:1", correlation="timer:1", actor="system:provisioning"),
        Resources(),
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
    guest = SALES.model_copy(update={"role": "Guest"})
    decision = decide.follow_holding(None, holding(1, (guest, True, 1)), at())
    assert told(decision) == ["DeliveryFailed"]
    assert not decision.messages


class TestTogether:
    """All that one decision asks is one command, and one fact answers all of it."""

    def test_a_move_between_groups_is_one_command_and_one_fact_of_deliveries(self, delivered: Deliveries) -> None:
        moved = decide.follow_holding(delivered, holding(2, (DOCS, True, 2), (OPS, True, 2), taken=(SALES,)), at())
        (record,) = moved.messages
        asked = SetMemberships.model_validate_json(record.value or b"").wishes
        assert {(one.group_id, one.member) for one in asked} == {("docs", True), ("ops", True), ("sales", False)}
        answers = [obeyed(one) for one in wishes(moved.messages)]
        there = [MembershipState(group_id=one, member=True, by_grant=True) for one in ("docs", "ops")]
        settled = decide.follow_memberships(after(moved), memberships(2, *answers, of=there), at(version=7))
        assert sorted(told(settled)) == ["Delivered", "Delivered", "Removed"]
        assert {one.said_in for one in after(settled).deliveries.values()} == {7}
        assert after(settled).due_at is None

    def test_one_is_refused_and_the_others_are_not(self) -> None:
        both = decide.follow_holding(None, holding(1, (SALES, True, 1), (DOCS, True, 1)), at())
        sales, docs = wishes(both.messages)
        no = MembershipRefused(
            group_id="docs", command_id=docs["id"], grant_version=1, reason=Refusal(code="unknownGroup", message="No.")
        )
        there = [MembershipState(group_id="sales", member=True, by_grant=True)]
        settled = decide.follow_memberships(after(both), memberships(1, obeyed(sales), no, of=there), at())
        assert told(settled) == ["Delivered", "DeliveryFailed"]

    def test_what_was_not_answered_is_asked_again_under_its_own_id(self) -> None:
        both = decide.follow_holding(None, holding(1, (SALES, True, 1), (DOCS, True, 1)), at())
        sales, docs = wishes(both.messages)
        there = [MembershipState(group_id="sales", member=True, by_grant=True)]
        half = after(decide.follow_memberships(after(both), memberships(1, obeyed(sales), of=there), at()))
        assert half.due_at is not None
        again = decide.look_again(half, Due("ana", half.due_at), at(half.due_at, context=Resources()))
        assert [one["id"] for one in wishes(again.messages)] == [docs["id"]]

    def test_more_than_a_command_holds_are_several(self) -> None:
        roles = [ResourceRole(origin_id=f"g{n}") for n in range(MOST_WISHES + 1)]
        decision = decide.follow_holding(None, holding(1, *((role, True, 1) for role in roles)), at())
        commands = [SetMemberships.model_validate_json(one.value or b"") for one in decision.messages]
        assert [len(one.wishes) for one in commands] == [MOST_WISHES, 1]
        assert len({one.id for one in commands}) == 2
        assert len({wish.id for one in commands for wish in one.wishes}) == MOST_WISHES + 1

    def test_two_causes_are_two_commands(self, delivered: Deliveries) -> None:
        state = after(decide.follow_holding(delivered, holding(2, (SALES, True, 1), (DOCS, True, 2)), at()))
        state = after(decide.follow_holding(state, holding(3, (DOCS, True, 2), taken=(SALES,)), at(lane=Lane.URGENT)))
        assert state.due_at is not None
        again = decide.look_again(state, Due("ana", state.due_at), at(state.due_at, context=Resources()))
        lanes = {one.topic.endswith(".urgent"): [wish["groupId"] for wish in wishes([one])] for one in again.messages}
        assert lanes == {False: ["docs"], True: ["sales"]}

    def test_an_older_fact_answers_and_says_nothing_of_what_is_there(
        self, given: tuple[Deliveries, dict[str, Any]]
    ) -> None:
        state, wish = given
        now = [MembershipState(group_id="docs", member=True, by_hand=True)]
        state = after(decide.follow_memberships(state, memberships(3, of=now), at()))
        there = [MembershipState(group_id="sales", member=True, by_hand=True, by_grant=True)]
        answered = decide.follow_memberships(state, memberships(2, obeyed(wish), of=there), at())
        assert [(one.type, one.found) for one in answered.transitions] == [  # type: ignore[attr-defined]
            ("Delivered", True)
        ]
        state = after(answered)
        assert (state.memberships_version, set(state.memberships)) == (3, {"docs"})
        assert [one.role.key for one in drift_of(state)] == [SALES.key], "it is gone since"


class TestDeadLetters:
    """A message about this person was set aside: it may be the one that says why the access is kept."""

    def test_nothing_is_taken_away_until_it_is_replayed(self, delivered: Deliveries) -> None:
        held = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True))
        assert (held.transitions, held.messages) == ((), ())
        state = after(held)
        assert drift_of(state) == []
        assert state.due_at is not None
        still = after(
            decide.look_again(state, Due("ana", state.due_at), at(state.due_at, degraded=True, context=Resources()))
        )
        assert still.due_at is not None
        freed = decide.look_again(still, Due("ana", still.due_at), at(still.due_at, context=Resources()))
        assert [(c["member"], c["grantVersion"]) for c in wishes(freed.messages)] == [(False, 2)]

    def test_a_newer_grant_ends_the_wait(self, delivered: Deliveries) -> None:
        state = after(decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True)))
        state = after(decide.follow_holding(state, holding(3, (SALES, True, 3)), at(degraded=True)))
        assert state.deliveries[SALES.key].withheld is None

    def test_an_urgent_leaver_does_not_wait(self, delivered: Deliveries) -> None:
        gone = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at(degraded=True, lane=Lane.URGENT))
        assert [c["member"] for c in wishes(gone.messages)] == [False]


class TestReconciling:
    """What should be against what is."""

    def test_a_member_whom_somebody_removed_is_missing_and_given_back(self, delivered: Deliveries) -> None:
        state = after(decide.follow_memberships(delivered, membership(2, member=False), at()))
        assert [(d.role.key, d.expected) for d in drift_of(state)] == [(SALES.key, True)]
        mended = decide.repair(state, Repair("ana"), at())
        (command,) = wishes(mended.messages)
        assert told(mended) == ["DriftFound"]
        assert (command["member"], command["grantVersion"]) == (True, 1)
        assert command["id"] != state.deliveries[SALES.key].command_id
        assert command["repair"] == 1
        assert decide.repair(after(mended), Repair("ana"), at()).state is mended.state

    def test_a_member_by_a_grant_that_is_no_more_is_too_many(self, delivered: Deliveries) -> None:
        removing = decide.follow_holding(delivered, holding(2, taken=(SALES,)), at())
        (command,) = wishes(removing.messages)
        state = after(decide.follow_memberships(after(removing), membership(2, obeyed(command), member=False), at()))
        state = after(decide.follow_memberships(state, membership(3, member=True, by_grant=True), at()))
        assert [d.expected for d in drift_of(state)] == [False]
        assert [c["member"] for c in wishes(decide.repair(state, Repair("ana"), at()).messages)] == [False]

    def test_a_membership_by_a_grant_we_know_nothing_of_is_too_many(self) -> None:
        known = membership(4, group="docs", member=True, by_grant=True, obeyed=7, repairs=2)
        state = after(decide.follow_memberships(None, known, at()))
        assert [(d.role.key, d.expected) for d in drift_of(state)] == [(DOCS.key, False)]
        mended = decide.repair(state, Repair("ana"), at())
        assert told(mended) == ["DriftFound"]
        (wish,) = wishes(mended.messages)
        assert (wish["grantVersion"], wish["repair"], wish["member"]) == (7, 3, False), "newer than what was obeyed"

    def test_what_is_under_way_is_not_judged(self, given: tuple[Deliveries, dict[str, Any]]) -> None:
        state = after(decide.follow_memberships(given[0], membership(1, member=False), at()))
        assert drift_of(state) == []
        assert decide.unsettled_in(state) == 1

    def test_found_access_is_listed_and_left_alone(self, delivered: Deliveries) -> None:
        there = [
            MembershipState(group_id="sales", member=True, by_grant=True),
            MembershipState(group_id="docs", member=True, by_hand=True),
        ]
        state = after(decide.follow_memberships(delivered, memberships(2, of=there), at()))
        assert (found_access_of(state), drift_of(state)) == (["docs"], [])
        assert decide.repair(state, Repair("ana"), at()).state is state

    def test_an_older_membership_fact_does_not_change_what_is_known(self, delivered: Deliveries) -> None:
        state = after(decide.follow_memberships(delivered, membership(3, member=False), at()))
        assert decide.follow_memberships(state, membership(2, member=True, by_grant=True), at()).state is state
