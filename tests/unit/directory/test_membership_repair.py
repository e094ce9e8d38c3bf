"""Repairing drift: the same grant version again, obeyed once a repair."""

from datetime import UTC, datetime

from services.directory.decide import memberships
from services.directory.decide.memberships import Groups, SetByHand
from shared.contracts.base import Cause
from shared.contracts.directory import MembershipObeyed, MembershipState, SetMembership
from shared.messaging.decision import Circumstances, Decision

CAUSE = Cause(id="c", correlation="c", actor="system:reconciliation")
AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, CAUSE, Groups(frozenset({"sales"})))


def ask(repair: int, *, member: bool = True, version: int = 5) -> SetMembership:
    return SetMembership(
        id=f"{version}:{repair}",
        cause=CAUSE,
        group_id="sales",
        person_id="ana",
        member=member,
        grant_version=version,
        repair=repair,
    )


def after(decision: Decision[MembershipState]) -> MembershipState:
    assert decision.state is not None
    return decision.state


def test_who_was_removed_by_hand_comes_back_by_a_repair_and_by_nothing_else() -> None:
    given = after(memberships.command(None, ask(0), AT))
    removed = after(memberships.by_hand(given, SetByHand("sales", "ana", False), AT))
    assert not after(memberships.command(removed, ask(0), AT)).member  # the first command again
    mended = after(memberships.command(removed, ask(1), AT))
    assert mended.member
    gone_again = after(memberships.command(mended, ask(2, member=False), AT))
    assert not gone_again.member


def test_a_repair_that_comes_again_is_answered_and_undoes_nothing() -> None:
    given = after(memberships.command(None, ask(0), AT))
    mended = after(memberships.command(given, ask(1), AT))
    removed = after(memberships.by_hand(mended, SetByHand("sales", "ana", False), AT))
    again = memberships.command(removed, ask(1), AT)
    assert not after(again).member
    assert isinstance(again.transitions[0], MembershipObeyed)


def test_a_newer_version_is_obeyed_whatever_was_repaired_before() -> None:
    mended = after(memberships.command(None, ask(3), AT))
    assert not after(memberships.command(mended, ask(0, member=False, version=6), AT)).member
    assert after(memberships.command(mended, ask(4, member=False, version=4), AT)).member
