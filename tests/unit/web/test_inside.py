"""List options inside `$expand` find what the reference says that they mean."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.web.errors import UnsupportedQuery
from shared.web.odata import GUID, EntitySet, Field, parse_filter, read_query
from shared.web.odata.ast import Node
from shared.web.odata.inside import Part
from shared.web.odata.options import AsAsked
from tests.unit.web import odata_reference
from tests.unit.web.odata_strategies import filters, people, text_of

NAMES = ("id", "displayName", "city", "accountEnabled", "level", "score", "userType", "hired", "abilities")


def answered(body: dict[str, Any], id: str) -> dict[str, Any]:
    """As a service shows it: every property, dates as text."""
    inside = {"name": None, "active": None, "level": None, "tags": []}
    roles = [{**inside, **role} for role in body.get("roles", ())]
    whole = {**dict.fromkeys(NAMES), "mails": [], "levels": [], **body, "id": id, "roles": roles}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in whole.items()}


@settings(max_examples=300, deadline=None)
@given(book=st.lists(filters, min_size=1, max_size=8), crowd=st.lists(people, min_size=1, max_size=8))
def test_a_filter_finds_whom_the_reference_finds(book: list[Node], crowd: list[dict[str, Any]]) -> None:
    named = {str(number): {"id": str(number), **body} for number, body in enumerate(crowd)}
    bodies = [answered(body, id) for id, body in named.items()]
    for node in book:
        text = text_of(node)
        # Sets of flags are not asked inside; there all strings are ordered without regard to case.
        if "abilities" in text or any(f"{name} {op} '" in text for name in SPELT for op in ("gt", "ge", "lt", "le")):
            continue
        try:
            parsed = parse_filter(text)
        except UnsupportedQuery:
            continue  # too long, or too deep
        found, total = Part(parsed).of(bodies)
        meant = {id for id, body in named.items() if odata_reference.matches(node, body)}
        assert ({one["id"] for one in found}, total) == (meant, len(meant)), text


SPELT = ("displayName", "name", "v1", "v2")
"""Properties that the reference orders as they are spelt."""
CATALOGS: EntitySet = EntitySet(
    "catalog", {"id": Field("_id", GUID)}, expandable={"packages": lambda: PACKAGES, "owner": lambda: OWNERS}
)
PACKAGES: EntitySet = EntitySet(
    "package",
    {"id": Field("_id", GUID), "displayName": Field("name")},
    selectable=frozenset({"level", "made", "tags", "rule"}),
    expandable={"catalog": lambda: CATALOGS},
)
OWNERS: EntitySet = EntitySet("owner", {}, selectable=frozenset({"name"}))
BODY: dict[str, Any] = {
    "id": "c",
    "owner": {"name": "Ana"},
    "packages": [
        {"id": "1", "displayName": "b;c", "level": 2, "made": "2026-01-01T00:00:00.5Z", "tags": ["x"], "rule": None},
        {"id": "2", "displayName": "A)'", "level": None, "made": "2026-01-02T00:00:00Z", "tags": [], "rule": {"a": 1}},
        {"id": "3", "displayName": "a", "level": 1, "made": None, "tags": ["y", "X"], "rule": {"a": 2}},
    ],
}


def asked(expand: str) -> dict[str, Any]:
    return read_query(CATALOGS, [("$expand", expand)]).selected(BODY)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("$filter=displayName eq 'B;C'", "1"),
        ("$filter=startswith(displayName,'a)''')", "2"),
        ("$filter=level ge 1;$select=id", "13"),
        ("$filter=not (level eq 1)", "12"),
        ("$filter=made gt 2026-01-01T01:00:00+01:00", "12"),
        ("$filter=made eq 2026-01-01T00:00:00.500Z", "1"),
        ("$filter=rule eq null", "1"),
        ("$filter=rule/a in (2, 3)", "3"),
        ("$filter=tags/any(t:t eq 'x') and tags/$count eq 2", "3"),
        ("$filter=tags/any()", "13"),
        ("$orderby=displayName", "321"),
        ("$orderby=level desc,displayName", "132"),
        ("$orderby=made", "312"),
        ("$orderby=displayName;$top=1", "3"),
        ("$orderby=displayName;$skip=1;$top=1", "2"),
        ("filter=level eq 2", "1"),
    ],
)
def test_a_part_of_a_list_is_expanded_in_the_order_that_is_asked_for(options: str, ids: str) -> None:
    assert [one["id"] for one in asked(f"packages({options})")["packages"]] == list(ids)


def test_what_is_counted_is_all_that_the_filter_finds() -> None:
    said = asked("packages($filter=level ne null;$count=true;$top=1;$select=id)")
    assert (said["packages@odata.count"], len(said["packages"])) == (2, 1)


@pytest.mark.parametrize(
    ("expand", "target"),
    [
        ("packages($filter=secret eq 1)", "secret"),
        ("packages($filter=displayName eq 1)", "displayName"),
        ("packages($filter=level eq 'x')", "level"),
        ("packages($filter=level gt null)", "level"),
        ("packages($filter=tags eq 'x')", "tags"),
        ("packages($filter=rule eq 'x')", "rule"),
        ("packages($filter=rule/b eq 1)", "rule/b"),
        ("packages($filter=level/any(x:x eq 1))", "level"),
        ("packages($filter=contains(level,'x'))", "level"),
        ("packages($filter=level has 'x')", "level"),
        ("packages($filter=catalog/id eq 'c')", "catalog"),
        ("packages($orderby=catalog/id)", "catalog"),
        ("packages($orderby=tags)", "tags"),
        ("packages($orderby=secret)", "secret"),
        ("packages($top=0)", "$top"),
        ("packages($count=maybe)", "$count"),
        ("packages($filter=displayName eq)", "$filter"),
        ("packages($search=x)", "$search"),
        ("owner($filter=name eq 'Ana')", "$expand"),
    ],
)
def test_what_the_list_does_not_show_is_refused_by_name(expand: str, target: str) -> None:
    with pytest.raises(UnsupportedQuery) as refused:
        asked(expand)
    assert refused.value.target == target


def test_a_list_that_was_read_as_asked_is_left_as_it_is() -> None:
    (one,) = read_query(CATALOGS, [("$expand", "packages($skip=1;$filter=level eq 7)")]).expand
    assert one.shown_in({"packages": AsAsked([{"id": "9"}])}) == {"packages": [{"id": "9"}]}
    assert dict(one.options) == {"$skip": "1", "$filter": "level eq 7"}


def test_a_star_stands_for_every_relation_that_is_not_named() -> None:
    query = read_query(CATALOGS, [("$expand", "*,packages($select=id)")])
    assert {one.name: one.select for one in query.expand} == {"packages": {"id"}, "owner": None}
    inner = read_query(CATALOGS, [("$expand", "packages($expand=*)")]).expand[0]
    assert [one.name for one in inner.expand] == ["catalog"]
    groups = EntitySet("group", {}, expandable={"members": lambda: OWNERS}, one_at_a_time=True)
    for refused in ("*", "members($top=2)", "members($expand=x)"):
        with pytest.raises(UnsupportedQuery):
            read_query(groups, [("$expand", refused)])
