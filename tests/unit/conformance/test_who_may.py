"""Every operation of entitlement management stands in the table of who may, and the rules that the services follow
agree with it, for everybody, in their own catalog and in another."""

import json
from pathlib import Path

import pytest

from deploy.docs import documents
from shared.security.authority import NOTHING, Held, standing
from shared.security.caller import ordinary_person
from shared.security.operations import AR, EM, RULES
from shared.security.roles import CatalogRole
from tests.conformance.who_may import (
    ASSIGNMENTS,
    AT_ROLES,
    BY_DIRECTORY_ROLE,
    CREATOR,
    DECIDE,
    EVERYBODY,
    METHODS,
    OWN_ALONE,
    OWN_ANY,
    OWNER,
    PACKAGES,
    READER,
    SEE_ANYHOW,
    WHO_MAY,
    Answer,
    who_may,
)

MINE, OTHER = "catalog-a", "catalog-b"
HOLDS = {
    OWNER: Held(at={CatalogRole.OWNER: frozenset({MINE})}),
    PACKAGES: Held(at={CatalogRole.PACKAGE_MANAGER: frozenset({MINE})}),
    ASSIGNMENTS: Held(at={CatalogRole.ASSIGNMENT_MANAGER: frozenset({MINE})}),
    READER: Held(at={CatalogRole.READER: frozenset({MINE})}),
    CREATOR: Held(everywhere=frozenset({CatalogRole.CREATOR})),
    **{name: Held(directory=frozenset({name})) for name in BY_DIRECTORY_ROLE},
}


def operations_documented() -> set[str]:
    document = json.loads((Path(documents.__file__).parent / "openapi.json").read_text())
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item.keys() & METHODS}


def test_every_operation_stands_in_the_table() -> None:
    there = operations_documented()
    for operation in there:
        if operation.partition(" ")[2].startswith((f"{EM}/", f"{AT_ROLES}/")):
            assert operation in WHO_MAY or operation not in RULES, "a route of its own has a line of its own"
            who_may(operation)
    assert WHO_MAY.keys() - there == set(), "there is no such operation any more"


def test_so_does_everything_else_that_a_role_for_a_catalog_opens() -> None:
    opened = {one for one, rule in RULES.items() if rule.catalog or rule.lets_in} & operations_documented()
    assert {one for one in opened - WHO_MAY.keys() if not one.partition(" ")[2].startswith(AR)} == set()


@pytest.mark.spec("ROL-1", "ROL-2")
@pytest.mark.parametrize("operation", [one for one, may in WHO_MAY.items() if may is not DECIDE])
def test_the_rules_agree_with_the_table(operation: str) -> None:
    may = who_may(operation)
    for who in EVERYBODY:
        found = standing(RULES[operation], ordinary_person("ana"), HOLDS.get(who, NOTHING))
        for catalog in (MINE, OTHER):
            expected = may.answer(who, in_own=catalog == MINE)
            if expected is Answer.TRIMMED:
                assert found is not None, who
                assert not found.everywhere, who
                assert found.at(MINE) is (who != CREATOR), who
                assert not found.at(OTHER), who
            elif may in {OWN_ALONE, OWN_ANY, SEE_ANYHOW}:
                assert (found is not None) is (expected is Answer.DONE), who
            elif may.there or may.anywhere:
                let_in = found is not None and not found.only_own and found.at(catalog)
                assert let_in is (expected is Answer.DONE), (who, catalog)
