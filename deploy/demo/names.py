"""Names of people, departments and careers for the made company: several languages, quotes and commas on purpose."""

import re
from dataclasses import dataclass

import mimesis
from mimesis.enums import Gender

_LOCALES = ("en", "de", "fr", "es", "it", "pl", "cs", "sv", "is", "hu", "tr", "pt-br", "ru", "el", "ja")
_DRAWS = 800
"""Names drawn from each language; enough for a varied company, and quick."""

DEPARTMENTS: tuple[tuple[str, int], ...] = (
    ("Development", 24),
    ("Production", 20),
    ("Sales", 15),
    ("Customer Service", 9),
    ("Research & Discovery", 7),
    ("Quality Management", 6),
    ("Marketing", 6),
    ("Human Resources", 4),
    ("Finance", 4),
    ("Legal, Risk & Audit", 2),
    ("Atelier Zürich", 2),
    ('"Skunk Works"', 1),
    ("Founders' Office", 1),
)
"""Name and weight. Quotes, a comma, an ampersand and a letter beyond ASCII have to survive files and rules."""

CAREERS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("Assistant Engineer", "Engineer", "Senior Engineer", "Technique Leader"), 10),
    (("Staff", "Senior Staff"), 8),
    (("Analyst", "Senior Analyst", "Principal Analyst"), 4),
    (("Account Manager", "Key Account Manager"), 3),
    (("Chargé d'affaires", "Chargé d'affaires principal"), 1),
    (("Apprentice", 'Specialist "Level 2"', "Master"), 1),
)
"""The titles of a career, lowest first, and its weight."""


@dataclass(frozen=True, slots=True)
class Names:
    """One language's first names by gender and surnames by gender, each sorted, so that a seed picks the same ones."""

    first: dict[str, tuple[str, ...]]
    last: dict[str, tuple[str, ...]]


def names_by_language() -> tuple[Names, ...]:
    """English first. The same for one release of mimesis, whatever the seed of the company."""
    return tuple(_names(locale) for locale in _LOCALES)


def _names(locale: str) -> Names:
    person = mimesis.Person(mimesis.Locale(locale), seed=0)
    genders = {"M": Gender.MALE, "F": Gender.FEMALE}
    first = {sex: {person.first_name(gender) for _ in range(_DRAWS)} for sex, gender in genders.items()}
    last = {sex: {_irish(person.last_name(gender)) for _ in range(_DRAWS)} for sex, gender in genders.items()}
    if locale == "en":
        for sex in genders:
            last[sex] |= {"O'Brien", "D'Arcy"}
        first["M"].add('William "Bill"')
    return Names(
        {sex: tuple(sorted(found)) for sex, found in first.items()},
        {sex: tuple(sorted(found)) for sex, found in last.items()},
    )


def _irish(name: str) -> str:
    """mimesis spells O'brien so."""
    return re.sub(r"^([OD]')([a-z])", lambda found: found[1] + found[2].upper(), name)
