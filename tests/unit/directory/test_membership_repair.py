"""Repairing drift: the same grant version again, obeyed once a repair."""

from datetime import UTC, datetime

from services.directory.decide import memberships
from services.directory.decide.groups import THERE
from services.directory.decide.memberships import Groups, SetByHand
from services.directory.model import Memberships
from shared.contracts.base import Cause
from shared.contracts.directory import MembershipObeyed, MembershipWish, SetMemberships
from shared.messaging.decision import Circumstances, Decision

CAUSE = Cause(id="c", correlation="c", actor="system:reconciliation")
AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, CAUSE, Groups(frozenset({"sales"})))


def ask(repair: int, *, member: bool = True, version: int = 5) -> SetMemberships:
    wish = MembershipWish(
        id=f"{version}:{repair}", group_id="sales", member=member, grant_version=version, repair=repair
    )
    return SetMemberships(id=f"command:{wish.id}", cause=CAUSE, person_id="ana", wishes=(wish,))


def after(decision: Decision[Memberships]) -> Memberships:
    assert decision.state is not None
    return decision.state


def member(decision: Decision[Memberships]) -> bool:
    return after(decision).by_group["sales"].member


def test_who_was_removed_by_hand_comes_back_by_a_repair_and_by_nothing_else() -> None:
    given = after(memberships.command(None, ask(0), AT))
    removed = after(memberships.by_hand(given, SetByHand("sales", "ana", False), AT))
    assert not member(memberships.command(removed, ask(0), AT))  # the first command again
    mended = memberships.command(removed, ask(1), AT)
    assert member(mended)
    assert not member(memberships.command(after(mended), ask(2, member=False), AT))


def test_a_repair_that_comes_again_is_answered_and_undoes_nothing() -> None:
    given = after(memberships.command(None, ask(0), AT))
    mended = after(memberships.command(given, ask(1), AT))
    removed = after(memberships.by_hand(mended, SetByHand("sales", "ana", False), AT))
    again = memberships.command(removed, ask(1), AT)
    assert not member(again)
    assert isinstance(again.transitions[0], MembershipObeyed)


def test_a_newer_version_is_obeyed_whatever_was_repaired_before() -> None:
    mended = after(memberships.command(None, ask(3), AT))
    assert not member(memberships.command(mended, ask(0, member=False, version=6), AT))
    assert member(memberships.command(mended, ask(4, member=False, version=4), AT))


def test_who_is_a_member_by_hand_is_not_added_again_and_who_is_none_is_not_removed() -> None:
    added = after(memberships.by_hand(None, SetByHand("sales", "ana", True), AT))
    again = memberships.by_hand(added, SetByHand("sales", "ana", True), AT)
    assert again.refusal == THERE
    removed = after(memberships.by_hand(added, SetByHand("sales", "ana", False), AT))
    assert memberships.by_hand(removed, SetByHand("sales", "ana", False), AT).refusal == memberships.NOT_THERE
    assert memberships.by_hand(None, SetByHand("sales", "ana", False), AT).refusal == memberships.NOT_THERE
