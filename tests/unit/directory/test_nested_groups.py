"""Groups inside groups: kept with the inner one, as a person's memberships are kept with the person."""

from datetime import UTC, datetime

from services.directory.decide.groups import THERE, CreateGroup, DeleteGroup, GroupCommand, Nest, obey, wish
from services.directory.model import dump_group, load_group
from shared.contracts.base import Cause
from shared.contracts.directory import GroupState, GroupUnnested, UnnestGroup, UnnestObeyed
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, Cause(id="c", correlation="c", actor="system:api"), None)
CREATE = CreateGroup("inner", {"display_name": "Inner"})


def after(*commands: GroupCommand) -> tuple[GroupState, Decision[GroupState]]:
    state: GroupState | None = None
    decision: Decision[GroupState] = Decision(None)
    for command in commands:
        decision = wish(state, command, AT)
        state = decision.state
    assert state is not None
    return state, decision


def test_a_group_becomes_a_member_once_and_ceases_to_be_one() -> None:
    state, decision = after(CREATE, Nest("inner", "outer", member=True))
    assert (state.member_of, types(decision)) == (("outer",), ["GroupNested"])
    assert load_group(dump_group(state)) == state
    again = wish(state, Nest("inner", "outer", member=True), AT)
    assert (again.state, again.transitions, again.refusal) == (state, (), THERE)
    state, decision = after(
        CREATE, Nest("inner", "outer", member=True), Nest("inner", "other", member=True),
        Nest("inner", "outer", member=False),
    )  # fmt: skip
    assert (state.member_of, types(decision)) == (("other",), ["GroupUnnested"])


def test_a_group_that_is_no_member_cannot_be_taken_out() -> None:
    refusal = after(CREATE, Nest("inner", "outer", member=False))[1].refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"


def test_a_review_takes_a_group_out_and_hears_so_however_often_it_asks() -> None:
    state, _ = after(CREATE, Nest("inner", "outer", member=True))
    asked = UnnestGroup(id="review-item:x", cause=AT.cause, group_id="inner", within="outer")
    taken = obey(state, asked, AT)
    answer = UnnestObeyed(command_id="review-item:x", within="outer")
    assert taken.transitions == (GroupUnnested(within="outer"), answer)
    assert taken.state is not None
    assert taken.state.member_of == ()
    again = obey(taken.state, asked, AT)
    assert again.transitions == (answer.model_copy(update={"already": True}),)
    assert again.state == taken.state
    assert again.state is not taken.state, "the answer is a version of its own"
    deleted = wish(state, DeleteGroup("inner"), AT).state
    assert obey(deleted, asked, AT).transitions == again.transitions


def test_a_group_is_no_member_of_itself() -> None:
    refusal = after(CREATE, Nest("inner", "inner", member=True))[1].refusal
    assert refusal is not None
    assert refusal.code == "fixed"


def test_a_deleted_group_joins_nothing() -> None:
    refusal = after(CREATE, DeleteGroup("inner"), Nest("inner", "outer", member=True))[1].refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"
