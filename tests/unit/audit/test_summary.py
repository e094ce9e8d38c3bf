"""In a word and a sentence: whether somebody has a package, will have it, had it, or never had it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.audit.decide.explain import about_package
from services.audit.decide.summary import of_package
from services.audit.model import Line, Names, Span
from tests.unit.audit.said import ANA, SALES, SALES_POLICY, START, asking
from tests.unit.audit.test_spans_and_why import stored

NOW = START + timedelta(days=30)
NAMES = Names(people={"boss": "Bo Boss"}, packages={SALES: "Sales"}, policies={SALES_POLICY: "By request"})


def span(since: datetime, until: datetime | None = None) -> Span:
    return Span(ANA, since, until, since, until, package=SALES, assignment="a", policy=SALES_POLICY)


SOON, LATER = NOW + timedelta(days=5), NOW + timedelta(days=9)


@pytest.mark.parametrize(
    ("ever", "answer", "sentence"),
    [
        ([span(START)], "has", 'Ana has "Sales" since 2026-03-01T09:00:00Z.'),
        ([span(START, NOW)], "had", 'Ana had "Sales" from 2026-03-01T09:00:00Z until 2026-03-31T09:00:00Z.'),
        ([span(SOON)], "willHave", 'Ana will have "Sales" from 2026-04-05T09:00:00Z on.'),
        ([span(START, NOW), span(SOON)], "willHave", 'Ana will have "Sales" from 2026-04-05T09:00:00Z on.'),
        ([span(START), span(SOON, NOW)], "has", 'Ana has "Sales" since 2026-03-01T09:00:00Z.'),
        (
            [span(START, NOW), span(SOON, NOW)],
            "had",
            'Ana had "Sales" from 2026-03-01T09:00:00Z until 2026-03-31T09:00:00Z.',
        ),
        ([], "never", 'Ana has never had "Sales": none of its policies ever gave it to them.'),
    ],
)
def test_a_package_is_held_from_its_beginning_on(ever: list[Span], answer: str, sentence: str) -> None:
    assert of_package("Ana", "Sales", ever, NOW) == (answer, sentence)


@pytest.mark.parametrize("later", [SOON, LATER])
def test_what_was_taken_back_before_it_began_was_never_held(later: datetime) -> None:
    answer, sentence = of_package("Ana", "Sales", [span(SOON, NOW)], later)
    assert (answer, sentence) == (
        "never",
        'Ana has never had "Sales": what was to begin on 2026-04-05T09:00:00Z was taken back on 2026-03-31T09:00:00Z.',
    )


def test_who_asked_for_it_in_vain_is_told_how_that_ended() -> None:
    asked = Line(at="", actor="", what='the request for package "Sales" was denied: No.', id="", kind="request")
    stage = Line(at="", actor="", what="stage 2 ran out of time", id="", kind="approval")
    answer, sentence = of_package("Ana", "Sales", [], NOW, [asked, stage])
    assert (answer, sentence) == (
        "never",
        'Ana has never had "Sales": the request for package "Sales" was denied: No.',
    )


def test_what_is_withheld_while_they_are_suspended_is_said_so() -> None:
    suspended, returned = (
        Line(at="", actor="", what="", id="", kind="person", hold=("hr", there)) for there in (True, False)
    )
    since = 'Ana has "Sales" since 2026-03-01T09:00:00Z'
    assert of_package("Ana", "Sales", [span(START)], NOW, [suspended]) == (
        "has",
        f"{since}, and is given none of it while suspended.",
    )
    assert of_package("Ana", "Sales", [span(START)], NOW, [suspended, returned]) == ("has", f"{since}.")


def test_of_a_package_that_was_never_given_it_is_told_who_was_asked_and_what_they_said() -> None:
    records = stored(asking())
    said = [line.what for line in about_package(SALES, [*records, *records[2:4]], NAMES)]
    assert len(said) == len(set(said)), "what was found twice is told once"
    assert "stage 1 began: Bo Boss, eva may decide until 2026-03-15T09:00:00Z" in said
    assert 'stage 1 was approved by Bo Boss: "She does."' in said
    assert not about_package("another", stored(asking()), NAMES)
