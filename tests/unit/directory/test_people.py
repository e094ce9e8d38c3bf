"""What follows from one statement about a person."""

from datetime import timedelta

import orjson
import pytest

from services.directory import decide
from services.directory.decide.people import KEYS_INDEX, NAME_INDEX
from services.directory.model import dump_person
from services.directory.sources import sources_of
from shared.messaging.decision import Again, Due
from tests.unit.directory.people import Ana, codes, types


@pytest.fixture
def ana() -> Ana:
    return Ana()


def joined(ana: Ana, **attributes: object) -> Ana:
    ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01", attributes=attributes)
    return ana


def test_who_joins_is_active_and_a_member(ana: Ana) -> None:
    decision = ana.hears(kind="joined", attributes={"department": "Sales"})
    assert types(decision) == ["PersonJoined"]
    assert ana.state is not None
    assert ana.state.attributes == {"department": "Sales", "userType": "Member", "employeeId": "E1"}


def test_a_repeat_changes_nothing(ana: Ana) -> None:
    joined(ana)
    before = ana.state
    decision = ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01")
    assert decision.state is before
    assert decision.transitions == decision.messages == ()


def test_a_change_before_its_joining_is_answered_kept_and_counts_later(ana: Ana) -> None:
    decision = ana.hears(changeId="c", effectiveAt="2020-02-01", attributes={"city": "Oslo"})
    assert codes(decision) == ["notJoined"]
    assert (ana.status, types(decision)) == ("expected", [])
    assert types(ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01")) == ["PersonJoined"]
    assert ana.attributes == {"city": "Oslo"}


def test_who_is_spoken_of_waits_for_a_joining_of_any_day(ana: Ana) -> None:
    def waits() -> bool:
        assert ana.state is not None
        return ana.state.unjoined and bool(dump_person(ana.state).get("unjoined"))

    ana.hears(changeId="c", attributes={"department": "Sales"})
    assert waits()
    ana.hears(changeId="j", kind="joined", effectiveAt="2027-01-01")
    assert not waits()
    ana.hears(changeId="r", kind="rescinded", rescinds="j")
    assert waits()
    ana.hears(changeId="j2", kind="joined")
    assert not waits()


def test_hired_and_gone_within_a_day_in_whatever_order_it_comes(ana: Ana) -> None:
    left = {"changeId": "l", "kind": "left", "effectiveAt": "2020-01-01", "sequence": 2}
    came = {"changeId": "j", "kind": "joined", "effectiveAt": "2020-01-01", "sequence": 1}
    assert codes(ana.hears(**left)) == ["notJoined"]
    assert types(ana.hears(**came)) == ["PersonJoined", "PersonLeft"]
    other = Ana()
    assert types(other.hears(**came)) == ["PersonJoined"]
    assert types(other.hears(**left)) == ["PersonLeft"]
    assert other.status == ana.status == "left"


def test_who_left_keeps_attributes_and_comes_back_with_new_ones(ana: Ana) -> None:
    joined(ana, department="Sales", jobTitle="Clerk")
    ana.hears(changeId="l", kind="left", effectiveAt="2021-01-01")
    assert (ana.status, ana.attributes) == ("left", {"department": "Sales", "jobTitle": "Clerk"})
    decision = ana.hears(changeId="j2", kind="joined", effectiveAt="2022-01-01", attributes={"department": "IT"})
    assert types(decision) == ["PersonJoined", "PersonChanged"]
    assert decision.transitions[0].returned  # type: ignore[attr-defined]
    assert ana.attributes == {"department": "IT"}


def test_a_future_date_takes_effect_by_timer(ana: Ana) -> None:
    joined(ana, department="Sales")
    decision = ana.hears(changeId="m", effectiveAt="2026-04-01", attributes={"department": "IT"})
    assert types(decision) == []
    assert ana.state is not None
    due = ana.state.due_at
    assert due is not None
    ana.now = due
    rung = ana._keep(decide.people.due(ana.state, Due("ana", due), ana.at()))
    assert types(rung) == ["PersonChanged"]
    assert ana.attributes == {"department": "IT"}
    assert ana.state.due_at is None


def test_a_slow_clock_takes_nothing_back(ana: Ana) -> None:
    joined(ana, department="Sales")
    ana.hears(changeId="m", effectiveAt="2026-02-28", attributes={"department": "IT"})
    ana.now -= timedelta(days=30)
    assert types(decide.people.again(ana.state, Again(), ana.at())) == []


def test_a_rescinded_joining_makes_expected_again(ana: Ana) -> None:
    joined(ana)
    assert types(ana.hears(changeId="r", kind="rescinded", rescinds="j")) == ["PersonUnjoined"]
    assert ana.status == "expected"


def test_a_rescission_may_come_before_what_it_takes_back(ana: Ana) -> None:
    joined(ana, department="Sales")
    assert codes(ana.hears(changeId="r", kind="rescinded", rescinds="m")) == ["rescindsUnknown"]
    assert types(ana.hears(changeId="m", attributes={"department": "IT"})) == []
    assert ana.attributes == {"department": "Sales"}
    assert codes(ana.hears(changeId="r", kind="rescinded", rescinds="m")) == [], "it is known by now"
    assert codes(ana.hears(changeId="again", kind="rescinded", rescinds="m")) == []


def test_a_wrong_property_is_refused_alone(ana: Ana) -> None:
    decision = ana.hears(
        kind="joined", attributes={"department": "Sales", "departmnt": "x", "accountEnabled": "yes", "jobTitle": 3}
    )
    assert codes(decision) == ["unknownProperty", "invalidProperty", "invalidProperty"]
    answer = orjson.loads(decision.messages[0].value or b"")
    assert "Did you mean department?" in answer["reason"]["message"]
    assert answer["original"]["attributes"]["departmnt"] == "x"
    assert ana.attributes == {"department": "Sales"}


def test_of_very_many_wrong_properties_the_first_are_told_and_how_many_more(ana: Ana) -> None:
    decision = ana.hears(kind="joined", attributes={"department": "Sales"} | {f"p{n}": n for n in range(5000)})
    assert codes(decision) == ["unknownProperty"] * 16 + ["moreProblems"]
    assert b"4984 more properties could not be taken, 'p16' first" in (decision.messages[-1].value or b"")
    assert ana.attributes == {"department": "Sales"}


def test_a_manager_without_a_name_is_refused_and_the_one_before_stays(ana: Ana) -> None:
    ana.managers = {"hr:E2": "bob"}
    joined(ana, managerEmployeeId="E2")
    assert codes(ana.hears(changeId="m", attributes={"managerEmployeeId": ""})) == ["invalidProperty"]
    assert ana.state is not None
    assert (ana.state.manager_id, ana.state.waits_for) == ("bob", None)


def test_nested_properties_are_merged_by_key(ana: Ana) -> None:
    joined(ana, employeeOrgData={"costCenter": "1", "division": "North"})
    ana.hears(changeId="m", attributes={"employeeOrgData": {"costCenter": None}})
    assert ana.attributes == {"employeeOrgData": {"division": "North"}}


def test_a_nested_property_that_is_too_long_is_told_so(ana: Ana) -> None:
    decision = ana.hears(kind="joined", attributes={"employeeOrgData": {"division": "x" * 1025}})
    assert codes(decision) == ["invalidProperty"]
    assert b"employeeOrgData/division is longer than 1024 characters" in (decision.messages[0].value or b"")


def test_an_account_that_is_not_enabled_is_no_suspension(ana: Ana) -> None:
    joined(ana, accountEnabled=False)
    assert ana.status == "active"


def test_a_hold_is_lifted_only_by_its_source() -> None:
    ana = Ana(sources_of({"sources": {"hr": {}, "siem": {}}}))
    joined(ana)
    assert types(ana.hears(changeId="s", kind="suspended", source="siem")) == ["PersonSuspended"]
    assert types(ana.hears(changeId="s2", kind="suspended")) == ["PersonSuspended"]
    assert types(ana.hears(changeId="b", kind="returned", sequence=1)) == ["PersonReturned"]
    assert ana.status == "suspended"
    ana.hears(changeId="b2", kind="returned", source="siem", sequence=1)
    assert ana.status == "active"


def test_a_name_that_somebody_has_is_refused_alone_and_free_later(ana: Ana) -> None:
    ana.names = {"ana@x.example": "bob"}
    decision = ana.hears(kind="joined", attributes={"userPrincipalName": "Ana@x.example", "city": "Oslo"})
    assert codes(decision) == ["userPrincipalNameTaken"]
    assert ana.attributes == {"city": "Oslo"}
    ana.names = {}
    ana.hears(changeId="again", attributes={"userPrincipalName": "Ana@x.example"}, sequence=1)
    assert ana.attributes == {"city": "Oslo", "userPrincipalName": "Ana@x.example"}


def test_a_name_that_clashes_when_its_date_comes_is_left_out(ana: Ana) -> None:
    joined(ana, userPrincipalName="a@x.example")
    ana.hears(changeId="m", effectiveAt="2026-04-01", attributes={"userPrincipalName": "b@x.example"})
    ana.now += timedelta(days=60)
    ana.clashes = frozenset({NAME_INDEX})
    ana._keep(decide.people.due(ana.state, Due("ana", ana.now), ana.at()))
    assert ana.attributes == {"userPrincipalName": "a@x.example"}


def test_only_the_reference_to_an_unknown_manager_waits(ana: Ana) -> None:
    decision = ana.hears(kind="joined", attributes={"department": "Sales", "managerEmployeeId": "E2"})
    assert codes(decision) == ["managerUnknown"]
    assert ana.state is not None
    assert (ana.state.manager_id, ana.state.waits_for) == (None, "hr:E2")
    ana.managers = {"hr:E2": "bob"}
    found = ana._keep(decide.people.again(ana.state, Again(), ana.at()))
    assert types(found) == ["PersonChanged"]
    assert (ana.state.manager_id, ana.state.waits_for) == ("bob", None)


def test_a_joining_by_date_calls_those_who_wait_for_their_manager(ana: Ana) -> None:
    ana.hears(kind="joined", effectiveAt="2026-04-01")
    assert ana.status == "expected"
    ana.now += timedelta(days=60)
    assert types(ana._keep(decide.people.due(ana.state, Due("ana", ana.now), ana.at()))) == ["PersonJoined"]
    assert ana.state is not None
    assert ana.state.due_at == ana.now, "called again, should the process have died before"
    ana._keep(decide.people.due(ana.state, Due("ana", ana.now), ana.at()))
    assert ana.state.due_at is None


def test_authority_decides_whose_word_counts() -> None:
    sources = sources_of({"sources": {"hr": {}, "it": {}}, "authority": {"mail": ["it", "hr"], "city": ["hr"]}})
    ana = Ana(sources)
    joined(ana, mail="hr@x.example", department="Sales")
    decision = ana.hears(
        changeId="i",
        kind="joined",
        source="it",
        attributes={"mail": "it@x.example", "city": "Rome", "department": "IT"},
    )
    assert codes(decision) == ["notAuthoritative"]
    assert ana.attributes == {"mail": "it@x.example", "department": "Sales"}


def test_a_correlation_key_that_another_holds_is_left_out(ana: Ana) -> None:
    ana.clashes = frozenset({KEYS_INDEX})
    joined(ana)
    assert ana.state is not None
    assert ana.state.keys == ()
