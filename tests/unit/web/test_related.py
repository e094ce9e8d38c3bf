"""Names inside `$expand` are read against what the relation leads to, and an unknown one is refused by name."""

import pytest

from shared.web.errors import UnsupportedQuery
from shared.web.odata import EntitySet, read_query
from shared.web.odata.related import _PROPERTIES, _RELATIONS

REQUESTS = EntitySet(
    "accessPackageAssignmentRequest", {}, expandable=frozenset({"accessPackage", "assignment", "requestor"})
)


@pytest.mark.parametrize(
    ("expand", "named"),
    [
        ("assignment($select=colour)", "colour"),
        ("assignment($expand=targt)", "targt"),
        ("assignment($expand=target($select=email,size))", "size"),
        ("accessPackage($expand=catalog($select=state,nothing))", "nothing"),
        ("assignment($search=x)", "$search"),
        ("assignment($filter=colour eq 'red')", "colour"),
        ("assignment($filter=target/email eq 'a')", "target"),
        ("assignment($orderby=colour)", "colour"),
        ("assignments", "assignments"),
    ],
)
def test_an_unknown_name_or_option_inside_expand_is_refused_by_name(expand: str, named: str) -> None:
    with pytest.raises(UnsupportedQuery) as refused:
        read_query(REQUESTS, [("$expand", expand)])
    assert refused.value.target == named
    assert f"'{named}'" in refused.value.message


@pytest.mark.parametrize("inside", ["$expand=resource", "$expand=roles", "$select=colour"])
def test_an_environment_leads_nowhere(inside: str) -> None:
    resources = EntitySet("accessPackageResource", {}, expandable=frozenset({"environment", "roles", "scopes"}))
    with pytest.raises(UnsupportedQuery):
        read_query(resources, [("$expand", f"environment({inside})")])


def test_known_names_are_taken_in_any_case_and_spelt_as_documented() -> None:
    query = read_query(REQUESTS, [("$expand", "assignment($select=STATE;$expand=Target($select=objectid))")])
    (one,) = query.expand
    assert (one.select, one.expand[0].name, one.expand[0].select) == ({"state"}, "target", {"objectId"})


def test_every_relation_leads_to_a_type_whose_properties_are_listed() -> None:
    assert {target for several in _RELATIONS.values() for target in several.values() if target} <= set(_PROPERTIES)
