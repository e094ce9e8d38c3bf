"""What callers of the API state about people: at once or not at all, and under the authority of sources."""

from dataclasses import replace
from typing import Any

import pytest

from services.directory.decide.people import Purge, change, purge
from services.directory.model import dump_person, load_person
from services.directory.sources import API, Sources, SourcesFileError, sources_of
from shared.messaging.decision import Decision

from .people import Ana, codes, heard, types


def said(ana: Ana, kind: str = "changed", change: str = "w1", **attributes: Any) -> Decision[Any]:
    return ana.hears(source=API, employeeId="ana", kind=kind, changeId=change, attributes=attributes)


def refusal(decision: Decision[Any]) -> str:
    assert decision.refusal is not None
    assert not decision.messages, "callers get their answer over HTTP and not on the rejected topic"
    return decision.refusal.code


def test_a_caller_makes_a_person_who_has_joined_at_once() -> None:
    ana = Ana()
    assert types(said(ana, "joined", displayName="Ana", userPrincipalName="ana@x.example")) == ["PersonJoined"]
    assert (ana.status, ana.attributes["displayName"]) == ("active", "Ana")
    assert ana.state is not None
    assert ana.state.identities == (), "it is no system that numbers people"


def test_of_somebody_a_caller_made_a_caller_changes_everything() -> None:
    ana = Ana()
    said(ana, "joined", displayName="Ana", department="IT")
    assert types(said(ana, change="w2", department="Sales")) == ["PersonChanged"]
    assert ana.attributes["department"] == "Sales"
    said(ana, change="w3", department=None)
    assert "department" not in ana.attributes


def test_what_a_source_says_of_its_people_a_caller_cannot_change_and_what_it_does_not_say_they_can() -> None:
    ana = Ana()
    ana.hears(kind="joined", attributes={"department": "IT"})
    decision = said(ana, department="Sales")
    assert refusal(decision) == "setByOtherSource"
    assert "'hr'" in (decision.refusal.message if decision.refusal else "")
    assert types(said(ana, change="w2", city="Rome")) == ["PersonChanged"]
    assert ana.attributes == {"department": "IT", "city": "Rome"}


def test_with_authority_a_callers_word_wins() -> None:
    ana = Ana(Sources(authority={"department": (API, "hr")}))
    ana.hears(kind="joined", attributes={"department": "IT"})
    said(ana, department="Sales")
    assert ana.attributes["department"] == "Sales"


def test_nothing_of_a_change_is_taken_if_a_part_of_it_cannot_be() -> None:
    ana = Ana()
    said(ana, "joined", city="Rome")
    decision = said(ana, change="w2", city="Oslo", departmnt="IT")
    assert refusal(decision) == "unknownProperty"
    assert ana.attributes == {"city": "Rome"}


def test_a_name_that_somebody_has_is_refused() -> None:
    ana = Ana()
    ana.names = {"ana@x.example": "another"}
    assert refusal(said(ana, "joined", userPrincipalName="Ana@x.example")) == "userPrincipalNameTaken"
    assert ana.state is None


def test_only_who_has_joined_is_changed() -> None:
    ana = Ana()
    assert refusal(said(ana, city="Rome")) == "notJoined"


def test_a_manager_is_named_by_id() -> None:
    ana = Ana()
    ana.managers = {"api:eva": "eva"}
    said(ana, "joined", managerEmployeeId="eva")
    assert ana.state is not None
    assert ana.state.manager_id == "eva"


def test_what_a_caller_said_counts_while_a_source_has_the_person() -> None:
    ana = Ana()
    ana.hears(kind="joined", changeId="h1", attributes={"department": "IT"})
    said(ana, city="Rome")
    ana.hears(kind="left", changeId="h2", effectiveAt="2026-02-01")
    assert ana.status == "left", "callers do not have people that a source had"
    assert codes(ana.hears(kind="changed", changeId="h3", attributes={"department": "HR"})) == []


def test_the_sources_file_may_give_callers_authority() -> None:
    given = {"sources": {"hr": None}, "authority": {"mail": ["api", "hr"]}}
    assert sources_of(given).who_may_set("mail") == ("api", "hr")
    assert sources_of(given).who_may_set("city") == ("hr", "api")
    with pytest.raises(SourcesFileError, match="not listed"):
        sources_of({"sources": {"hr": None}, "authority": {"mail": ["payroll"]}})


def test_who_was_made_by_a_caller_can_be_deleted_by_one_and_comes_back_as_they_were() -> None:
    ana = Ana()
    said(ana, "joined", displayName="Ana", userPrincipalName="ana@x.example", city="Rome")
    assert types(said(ana, "left", "w2")) == ["PersonLeft"]
    assert ana.state is not None
    assert (ana.state.deleted, ana.state.user_principal_name) == (True, None)
    said(ana, "joined", "w3", **ana.attributes)
    assert (ana.status, ana.state.deleted, ana.attributes["city"]) == ("active", False, "Rome")
    assert ana.state.user_principal_name == "ana@x.example"


def test_whom_a_source_knows_no_caller_deletes() -> None:
    ana = Ana()
    ana.hears(kind="joined")
    assert refusal(said(ana, "left")) == "setByOtherSource"
    ana.hears(kind="left", changeId="gone")
    assert ana.state is not None
    assert not ana.state.deleted, "whoever left is still listed"


def test_who_names_a_version_that_has_passed_changes_nothing() -> None:
    ana = Ana()
    said(ana, "joined", displayName="Ana")
    message, _ = heard(source=API, employeeId="ana", changeId="w2", attributes={"city": "Rome"})
    read_now = replace(ana.at(), version=5)  # of the version that would be made
    assert refusal(change(ana.state, replace(message, version=3), read_now)) == "stale"
    assert types(change(ana.state, replace(message, version=4), read_now)) == ["PersonChanged"]


def test_a_person_was_made_when_they_were_first_there_to_be_seen() -> None:
    ana = Ana()
    said(ana, "joined", displayName="Ana")
    assert ana.state is not None
    made_at = ana.state.created
    assert made_at == ana.state.as_of
    said(ana, change="w2", city="Rome")
    assert ana.state.created == made_at
    assert load_person(dump_person(ana.state)).created == made_at


def test_who_was_deleted_is_forgotten_for_good_and_nobody_else_is() -> None:
    ana = Ana()
    said(ana, "joined", displayName="Ana", userPrincipalName="ana@x.example")
    assert refusal(purge(ana.state, Purge("ana"), ana.at())) == "ResourceNotFound"
    said(ana, "left", change="w2")
    assert ana.state is not None
    assert ana.state.deleted
    gone = purge(ana.state, Purge("ana"), ana.at())
    assert types(gone) == ["PersonUnjoined"]
    assert gone.state is not None
    assert (gone.state.attributes, gone.state.timeline.statements, gone.state.deleted) == ({}, (), False)
    assert refusal(purge(gone.state, Purge("ana"), ana.at())) == "ResourceNotFound"
