"""Identities that may be somebody else's: who settles it, who waits, and what a human's word does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from services.directory import decide
from services.directory.decide.links import KeepApart, Link
from services.directory.decide.people import NAME_INDEX, Heard
from services.directory.sources import sources_of
from services.directory.store import correlation_keys, person_id_of, put_together, settle
from services.directory.timeline import fold
from shared.contracts.hr import HrChange, hr_correlation
from shared.contracts.topics import HR_CHANGES, HR_REJECTED, HR_URGENT
from shared.messaging.decision import Due
from tests.unit.directory.people import Ana, heard, types

SOURCES = sources_of(
    {"sources": {"hr": {}, "agency": {"employeeIds": False}}, "correlate": ["mail", "userPrincipalName"]}
)
BOTH = {"mail": "a@x.example", "userPrincipalName": "b@x.example"}
HAVE = {"employeeId:7": "eve", "mail:a@x.example": "bob", "userPrincipalName:b@x.example": "cem"}


def settled(known: str | None = None, source: str = "agency", **attributes: Any) -> Heard:
    message, _ = heard(source=source, attributes=attributes)
    message.keys = correlation_keys(message, SOURCES, by_itself=known is None)
    settle(message, known, HAVE, SOURCES)
    return message


def test_one_rule_that_matches_settles_it() -> None:
    found = settled(mail="A@x.example", userPrincipalName="new@x.example")
    assert (found.person_id, found.others) == ("bob", ())
    assert set(found.keys) == {"mail:a@x.example", "userPrincipalName:new@x.example"}


def test_an_employee_id_settles_it_whatever_the_rules_say() -> None:
    found = settled(employeeId="7", **BOTH)
    assert (found.person_id, found.others, found.keys) == ("eve", (), ("employeeId:7",))


def test_rules_that_disagree_settle_nothing() -> None:
    found = settled(**BOTH)
    assert found.person_id == person_id_of("agency", "E1")
    assert found.others == (("bob", "mail"), ("cem", "userPrincipalName"))
    assert found.keys == ()


def test_a_key_of_somebody_else_that_comes_later_is_noticed() -> None:
    assert settled("dan", mail="a@x.example").others == (("bob", "mail"),)
    assert settled("bob", mail="a@x.example").others == ()
    assert settled("dan", source="hr").keys == (), "what has been linked asks nobody unless it states a key"


def test_what_comes_with_the_joining_is_about_whoever_the_joining_is_about() -> None:
    said: list[dict[str, Any]] = [{}, {"mail": "a@x.example"}, {"mail": "new@x.example", "employeeId": "8"}, {}]
    messages = [heard(source="agency", attributes=attributes)[0] for attributes in said]
    other = heard(source="agency", employeeId="E2")[0]
    for message in (*messages, other):
        message.keys = correlation_keys(message, SOURCES)
    put_together([*messages, other], SOURCES)
    for message in (*messages, other):
        settle(message, None, {"mail:a@x.example": "bob"}, SOURCES)
    assert {(one.person_id, one.others, one.keys) for one in messages} == {
        ("bob", (), ("employeeId:8", "mail:a@x.example"))
    }
    assert (other.person_id, other.keys) == (person_id_of("agency", "E2"), ())


class Doubtful(Ana):
    """An identity of the agency; whoever it may be is said by the test."""

    others: tuple[tuple[str, str], ...] = (("bob", "mail"), ("cem", "userPrincipalName"))
    keys: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(SOURCES)

    def hears(self, offset: int | None = None, *, topic: str = HR_CHANGES.name, **said: Any) -> Any:
        if offset is None:
            self.offset += 1
        message, position = heard(self.offset if offset is None else offset, topic, source="agency", **said)
        message.others, message.keys = self.others, self.keys
        return self._keep(decide.people.change(self.state, message, self.at(position)))

    def link(self, target: str = "bob") -> Any:
        return self._keep(decide.links.link(self.state, Link("ana", target), self.at()))

    def keep_apart(self) -> Any:
        return self._keep(decide.links.keep_apart(self.state, KeepApart("ana"), self.at()))


@pytest.fixture
def ana() -> Doubtful:
    return Doubtful()


def answers(decision: Any) -> list[str]:
    return [orjson.loads(r.value)["reason"]["code"] for r in decision.messages if r.topic == HR_REJECTED.name]


def joins(ana: Doubtful) -> Any:
    return ana.hears(changeId="j", kind="joined", attributes={**BOTH, "city": "Oslo", "jobTitle": None})


def test_who_is_in_doubt_waits_without_access_and_the_source_is_told_once(ana: Doubtful) -> None:
    decision = joins(ana)
    assert (ana.status, types(decision), answers(decision)) == ("expected", [], ["ambiguousIdentity"])
    before = ana.state
    repeated = ana.hears(offset=1, changeId="j", kind="joined", attributes={**BOTH, "city": "Oslo", "jobTitle": None})
    assert repeated.state is before
    assert not repeated.messages
    assert before is not None
    assert (before.keys, before.user_principal_name) == ((), None), "it takes no key and no name from anyone"
    assert answers(ana.hears(changeId="c", attributes={"city": "Rome"}, sequence=1)) == []
    assert ana.state is not None
    assert len(ana.state.timeline.statements) == 2, "all that is stated meanwhile is kept"


def test_a_date_that_comes_lets_nobody_in_who_waits(ana: Doubtful) -> None:
    ana.hears(changeId="j", kind="joined", effectiveAt="2026-04-01", attributes=BOTH)
    assert ana.state is not None
    due = ana.state.due_at
    assert due is not None
    ana.now = due
    assert types(ana._keep(decide.people.due(ana.state, Due("ana", due), ana.at()))) == []
    assert ana.status == "expected"


def test_who_has_joined_keeps_what_they_have_and_is_listed(ana: Doubtful) -> None:
    ana.others = ()
    assert types(joins(ana)) == ["PersonJoined"]
    ana.others = (("bob", "mail"),)
    decision = ana.hears(changeId="c", attributes={"mail": "a@x.example"}, sequence=1)
    assert (ana.status, answers(decision)) == ("active", [])
    assert ana.state is not None
    assert ana.state.candidates == (("bob", "mail"),)
    assert ana.link().refusal.code == "notWaiting"
    assert types(ana.keep_apart()) == ["IdentityKeptApart"]
    assert ana.status == "active"
    assert not ana.state.candidates


def test_linking_says_everything_again_and_leaves_only_where_it_went(ana: Doubtful) -> None:
    joins(ana)
    ana.hears(changeId="s", kind="suspended", sequence=1, topic=HR_URGENT.name)
    ana.hears(changeId="r", kind="rescinded", rescinds="s", sequence=2)
    decision = ana.link()
    assert types(decision) == ["IdentityLinked"]
    state = ana.state
    assert state is not None
    assert (state.linked_to, state.moved, state.identities, state.timeline.statements) == (
        "bob", ("agency:E1",), (), ()
    )  # fmt: skip
    assert [r.topic for r in decision.messages] == [HR_CHANGES.name, HR_URGENT.name, HR_CHANGES.name]
    again = [HrChange.model_validate_json(r.value) for r in decision.messages]
    assert [(one.change_id, one.employee_id, one.source) for one in again] == [
        ("j", "E1", "agency"), ("s", "E1", "agency"), ("r", "E1", "agency")
    ]  # fmt: skip
    assert again[0].attributes == {**BOTH, "city": "Oslo", "jobTitle": None}, "a null still clears"
    assert again[2].rescinds == "s"
    assert types(ana.link()) == [], "said twice, done once"
    assert ana.link("cem").refusal.code == "notWaiting"


def test_what_was_said_again_ends_in_the_same_state_in_whatever_order_it_comes(ana: Doubtful) -> None:
    joins(ana)
    ana.hears(changeId="c", attributes={"city": "Rome"}, sequence=1)
    ana.hears(changeId="d", attributes={"department": "IT"}, effectiveAt="2026-01-02")
    again = [orjson.loads(r.value) for r in ana.link().messages]
    ends = []
    for order in (again, again[::-1], [*again, *again]):
        bob = Doubtful()
        bob.others = ()
        for said in order:
            bob.hears(**{name: value for name, value in said.items() if name != "source"})
        assert bob.state is not None
        ends.append((fold(bob.state.timeline, bob.state.as_of).told["agency"].attributes, bob.status))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][0]["city"] == "Rome"


def test_a_change_that_was_on_its_way_follows(ana: Doubtful) -> None:
    joins(ana)
    ana.link()
    before = ana.state
    decision = ana.hears(changeId="late", attributes={"city": "Bern"})
    assert decision.state is before
    (record,) = decision.messages
    assert (record.topic, HrChange.model_validate_json(record.value).change_id) == (HR_CHANGES.name, "late")


def test_kept_apart_they_join_as_their_statements_say_and_nobody_asks_again(ana: Doubtful) -> None:
    joins(ana)
    decision = ana.keep_apart()
    assert types(decision) == ["IdentityKeptApart", "PersonJoined"]
    assert ana.status == "active"
    assert ana.keep_apart().state is ana.state
    assert answers(ana.hears(changeId="c", attributes={"mail": "a@x.example"}, sequence=1)) == []
    assert ana.state is not None
    assert ana.state.candidates == ()


def test_kept_apart_they_do_not_get_a_name_that_somebody_has(ana: Doubtful) -> None:
    joins(ana)
    ana.clashes = frozenset({NAME_INDEX})
    ana.keep_apart()
    assert ana.attributes == {"mail": "a@x.example", "city": "Oslo"}


def test_a_later_key_fills_a_rule_that_says_nothing_yet_and_replaces_none(ana: Doubtful) -> None:
    ana.others, ana.keys = (), ("mail:old@x.example",)
    joins(ana)
    ana.keys = ("mail:new@x.example", "userPrincipalName:b@x.example")
    ana.hears(changeId="c", attributes={"mail": "new@x.example"}, sequence=1)
    assert ana.state is not None
    assert ana.state.keys == ("mail:old@x.example", "userPrincipalName:b@x.example")


def test_a_date_that_comes_is_the_word_of_whoever_said_it() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01")
    ana.hears(changeId="m", effectiveAt="2026-04-01", attributes={"department": "IT"})
    assert ana.state is not None
    due = ana.state.due_at
    assert due is not None
    ana.now = due
    cause = decide.people.due(ana.state, Due("ana", due), ana.at()).cause
    assert cause is not None
    assert (cause.id, cause.actor, cause.effective_at) == ("c", "source:hr", due)
    assert cause.correlation == hr_correlation("hr", "E1", "m")
    ana.state = replace(ana.state, identities=("hr:E1", "hr:E2"))
    of_two = decide.people.due(ana.state, Due("ana", due), ana.at()).cause
    assert of_two is not None
    assert of_two.correlation == hr_correlation("hr", "E1", "m")


class TestSeveralNumbersOfOneSource:
    """Somebody is hired anew under another number, and correlation says that it is them."""

    def ana(self) -> Ana:
        ana = Ana()
        ana.hears(
            changeId="1", kind="joined", effectiveAt="2020-01-01", attributes={"city": "Oslo", "jobTitle": "Clerk"}
        )
        ana.hears(changeId="1", employeeId="E2", kind="joined", effectiveAt="2021-01-01", attributes={"city": "Rome"})
        return ana

    def test_whoever_leaves_under_one_and_not_under_the_other_stays_with_what_is_said_of_that(self) -> None:
        ana = self.ana()
        assert (ana.attributes["city"], ana.attributes["jobTitle"]) == ("Rome", "Clerk")
        ana.hears(changeId="2", kind="left", effectiveAt="2021-01-01")
        assert ana.status == "active"
        assert (ana.attributes["city"], "jobTitle" in ana.attributes) == ("Rome", False)
        assert ana.state is not None
        assert ana.state.attributes["employeeId"] == "E2"
        ana.hears(changeId="2", employeeId="E2", kind="left", effectiveAt="2022-01-01")
        assert ana.status == "left"
        ana.hears(changeId="3", kind="joined", effectiveAt="2023-01-01", attributes={"city": "Bern"})
        assert (ana.status, ana.attributes["city"]) == ("active", "Bern")

    def test_ids_of_changes_are_those_of_a_number(self) -> None:
        ana = self.ana()
        ana.hears(changeId="1", employeeId="E2", kind="joined", effectiveAt="2030-01-01")
        assert ana.status == "active", "a later start under the second says nothing of the first"
        ana.hears(changeId="r", employeeId="E2", kind="rescinded", rescinds="1", effectiveAt="2021-01-01")
        assert (ana.status, ana.attributes["city"]) == ("active", "Oslo")

    def test_what_was_said_long_ago_is_merged_by_number(self) -> None:
        ana = self.ana()
        for number in range(200):
            under = "E2" if number % 2 else "E1"
            ana.hears(
                changeId=f"m{number}", employeeId=under, effectiveAt="2022-01-01", attributes={"city": f"C{number}"}
            )
        ana.hears(changeId="2", kind="left", effectiveAt="2023-01-01")
        assert ana.state is not None
        assert ana.state.timeline.base is not None
        assert (ana.status, ana.attributes["city"]) == ("active", "C199")
