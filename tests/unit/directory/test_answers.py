"""What people answered when they asked for access: properties of theirs, for as long as they have it."""

from datetime import timedelta

import pytest

from services.directory import decide
from services.directory.service import shown
from services.directory.sources import Sources, sources_of
from shared.contracts.answers import AnswersCommand
from shared.messaging.decision import Decision

from .people import CAUSE, NOW, Ana, Person, types

LICENCE = f"extension_{'0' * 32}_licence"


class Asking(Ana):
    def __init__(self, sources: Sources | None = None) -> None:
        super().__init__(sources or Sources())
        self.hears(kind="joined", attributes={"department": "Sales"})

    def says(self, assignment: str = "a", **values: str | None) -> Decision[Person]:
        self.now += timedelta(minutes=1)
        return self._keep(decide.answers.obey(self.state, self.command(assignment, **values), self.at()))

    def command(self, assignment: str, **values: str | None) -> AnswersCommand:
        id = f"{assignment}:{sorted(values)}"
        return AnswersCommand(
            id=id, cause=CAUSE, person_id="ana", assignment_id=assignment, said_at=self.now, values=values
        )

    @property
    def answered(self) -> tuple[str, ...]:
        assert self.state is not None
        return self.state.answered


@pytest.mark.spec("CAT-6")
def test_an_answer_is_a_property_while_the_access_lasts_and_no_rule_reads_it() -> None:
    ana = Asking()
    assert types(ana.says(**{LICENCE: "B-2", "jobTitle": "Rep"})) == ["PersonChanged"]
    assert ana.attributes == {"department": "Sales", LICENCE: "B-2", "jobTitle": "Rep"}
    assert ana.state is not None
    state = shown(ana.state)
    assert state.answered == (LICENCE, "jobTitle")
    assert state.for_rules.keys() == {"department", "userType", "employeeId"}

    ana.says(**{LICENCE: None})
    assert ana.attributes == {"department": "Sales", "jobTitle": "Rep"}, "what stays is not taken back"
    assert ana.answered == ("jobTitle",)


@pytest.mark.spec("CAT-6")
def test_an_answer_overrules_nobody_and_what_a_source_says_later_counts() -> None:
    ana = Asking()
    ana.says(department="Board", jobTitle="Rep")
    assert ana.attributes == {"department": "Sales", "jobTitle": "Rep"}
    assert ana.answered == ("jobTitle",)
    confirmed = ana.hears(changeId="c2", attributes={"jobTitle": "Rep"})
    assert types(confirmed) == ["PersonChanged"], "rules are told that they may read it now"
    assert ana.answered == ()
    ana.says(jobTitle=None)
    assert ana.attributes["jobTitle"] == "Rep"


def test_of_two_answers_the_one_whose_access_goes_on_stays() -> None:
    ana = Asking()
    ana.says("a", jobTitle="Rep")
    ana.says("b", jobTitle="Lead")
    assert ana.attributes["jobTitle"] == "Lead"
    ana.says("b", jobTitle=None)
    assert ana.attributes["jobTitle"] == "Rep"
    ana.says("a", jobTitle=None)
    assert "jobTitle" not in ana.attributes


def test_another_answer_for_the_same_access_takes_the_place_of_the_first() -> None:
    ana = Asking()
    ana.says(jobTitle="Rep")
    ana.says(jobTitle="Lead")
    assert ana.attributes["jobTitle"] == "Lead"
    ana.says(jobTitle=None)
    assert "jobTitle" not in ana.attributes


def test_twice_is_once() -> None:
    ana = Asking()
    said, back = ana.command("a", jobTitle="Rep"), ana.command("a", jobTitle=None)
    for command in (said, back):
        ana._keep(decide.answers.obey(ana.state, command, ana.at()))
    before = ana.state
    for command in (said, back):
        assert decide.answers.obey(ana.state, command, ana.at()).state is before


def test_what_was_merged_long_ago_is_taken_back_all_the_same() -> None:
    ana = Asking()
    ana.says(jobTitle="Rep")
    for number in range(120):
        at = NOW + timedelta(seconds=number)
        ana.now = at + timedelta(minutes=2)
        ana.hears(changeId=f"m{number}", effectiveAt=at.isoformat(), attributes={"city": f"C{number}"})
    ana.says(jobTitle=None)
    assert "jobTitle" not in ana.attributes


@pytest.mark.parametrize("name", ["userPrincipalName", "mail", "employeeId", "userType", "accountEnabled", "noSuch"])
def test_who_somebody_is_and_where_mail_goes_is_nothing_to_be_answered(name: str) -> None:
    ana = Asking()
    assert ana.says(**{name: "Guest"}).transitions == ()
    assert name not in ana.attributes or ana.attributes[name] != "Guest"


def test_a_property_with_an_order_of_its_own_is_set_by_those_it_names() -> None:
    ana = Asking(sources_of({"sources": {"hr": {}}, "authority": {"jobTitle": ["hr"]}}))
    ana.says(jobTitle="Rep", city="Rome")
    assert (ana.attributes.get("jobTitle"), ana.attributes["city"]) == (None, "Rome")


def test_of_somebody_who_has_not_joined_nothing_is_kept() -> None:
    assert decide.answers.obey(None, Asking().command("a", city="Rome"), Asking().at()).state is None
