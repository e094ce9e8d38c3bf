"""Query options: what is unknown or of the wrong kind is a 400 that names it; nothing reaches beyond the list."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.errors import ExpiredPageToken, UnsupportedQuery
from shared.web.odata import (
    DATETIME,
    GUID,
    INTEGER,
    EntitySet,
    Enumeration,
    Expand,
    Field,
    Many,
    Shape,
    lets_through,
    parse_filter,
    read_query,
    read_shape,
)
from shared.web.odata.ast import And, Compare, Count, Has, Lambda, Not, OneOf, Or, Text, Truth
from shared.web.odata.parse import terms

PACKAGES = EntitySet(
    "accessPackage",
    {
        "id": Field("_id", GUID),
        "displayName": Field("display_name", sortable=True),
        "createdDateTime": Field("created", DATETIME, sortable=True),
        "level": Field("level", INTEGER),
        "state": Field("state", Enumeration(("delivering", "delivered"))),
        "phase": Field("phase", Enumeration(("going", "done"), besides={"going": ("planned",)})),
        "abilities": Field("abilities", Enumeration(("read", "write"), flags=True)),
        "kind": Field("built_in", Enumeration(("ours", "yours", "theirs"), kept_as={"ours": True, "yours": False})),
        "catalog/id": Field("catalog_id", GUID),
        "tags": Many("tags"),
        "roles": Many("roles", {"id": Field("role_id", GUID), "displayName": Field("name")}),
    },
    selectable=frozenset({"description"}),
    expandable={"catalog": lambda: CATALOGS, "assignmentPolicies": lambda: POLICIES},
    searchable=("displayName",),
)


CATALOGS = EntitySet(
    "accessPackageCatalog",
    {"id": Field("_id", GUID), "displayName": Field("name")},
    expandable={"accessPackages": lambda: PACKAGES},
)
POLICIES = EntitySet("accessPackageAssignmentPolicy", {"id": Field("_id", GUID)}, selectable=frozenset({"expiration"}))
USERS = EntitySet(
    "user",
    {"id": Field("_id", GUID), "displayName": Field("name"), "city": Field("city")},
    default=frozenset({"id", "displayName"}),
    expandable={"manager": lambda: USERS},
    levelled=frozenset({"manager"}),
)

A, B = Compare(("a",), "eq", 1), Compare(("b",), "eq", 2)


def query(**options: str) -> Any:
    return read_query(PACKAGES, [(f"${name}", value) for name, value in options.items()])


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("displayName eq 'let''s'", Compare(("displayName",), "eq", "let's")),
        ("'x' eq displayName", Compare(("displayName",), "eq", "x")),
        ("5 lt level", Compare(("level",), "gt", 5)),
        ("id in ('a', 'b')", OneOf(("id",), ("a", "b"))),
        ("contains(tolower(displayName),'x')", Text("contains", ("displayName",), "x")),
        ("startsWith(displayName,'x') eq false", Not(Text("startswith", ("displayName",), "x"))),
        ("NOT accountEnabled", Not(Truth(("accountEnabled",)))),
        ("abilities has 'read, WRITE'", Has(("abilities",), "read, WRITE")),
        ("state eq microsoft.graph.packageState'delivered'", Compare(("state",), "eq", "delivered")),
        ("state eq graph.packageState'delivered'", Compare(("state",), "eq", "delivered")),
        ("scope/graph.query/Microsoft.Graph.other/text eq 'x'", Compare(("scope", "text"), "eq", "x")),
        ("tolower(displayName) eq toLower('X''Y')", Compare(("displayName",), "eq", "X'Y")),
        ("contains(toupper(displayName),TOUPPER('x'))", Text("contains", ("displayName",), "x")),
        ("tags/$count ge 2", Count(("tags",), "ge", 2)),
        ("has has 'x' and in in (1)", And((Has(("has",), "x"), OneOf(("in",), (1,))))),
        ("a eq 1 or b eq 2 and c eq null", Or((A, And((B, Compare(("c",), "eq", None)))))),
        ("(a eq 1 or b eq 2) and order eq 3", And((Or((A, B)), Compare(("order",), "eq", 3)))),
        ("tags/any(c:c eq 'Unified')", Lambda(("tags",), "any", "c", Compare(("c",), "eq", "Unified"))),
        ("tags/any()", Lambda(("tags",), "any", "", None)),
        (
            "identitySources/any(is:is/microsoft.graph.azureActiveDirectoryTenant/tenantId eq 'x')",
            Lambda(("identitySources",), "any", "is", Compare(("is", "tenantId"), "eq", "x")),
        ),
    ],
)  # fmt: skip
def test_a_filter_is_read_as_graph_means_it(text: str, means: object) -> None:
    assert parse_filter(text) == means


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("displayName eq", "ends too early"),
        ("displayName eq 'a' displayName", "position 19"),
        ("$where eq 1", "position 0"),
        ("matchesPattern(displayName,'(a+)+$')", "position"),
        ("displayName eq other", "a constant"),
        ("'a'", "no condition"),
        ("x eq 2026-02-31", "'2026-02-31' is no date"),
        ("x eq '\0'", "NUL"),
        ("(" * 13 + "x" + ")" * 13, "nested"),
        ("not " * 100 + "x", "nested"),
        (" or ".join(["x"] * 61), "60 conditions"),
        (f"x in ({','.join(['1'] * 101)})", "at most 100"),
        ("x eq '" + "a" * 4096 + "'", "4096 characters"),
    ],
)
def test_what_is_no_filter_is_refused_with_the_place(text: str, named: str) -> None:
    with pytest.raises(UnsupportedQuery, match=r"Invalid filter clause") as refused:
        parse_filter(text)
    assert named in refused.value.message


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("secret eq 'x'", "secret"),
        ("catalog_id eq 'x'", "catalog_id"),
        ("_id eq 'x'", "_id"),
        ("catalog/secret eq 'x'", "catalog/secret"),
        ("roles/any(r:r/secret eq 'x')", "secret"),
        ("displayName/x eq 1", "displayName/x"),
        ("displayName eq 1", "displayName"),
        ("level eq 'x'", "level"),
        ("level eq true", "level"),
        ("createdDateTime gt 'x'", "createdDateTime"),
        ("createdDateTime gt null", "createdDateTime"),
        ("state eq 'gone'", "state"),
        ("state gt 'delivered'", "state"),
        ("startswith(level,'1')", "level"),
        ("tags eq 'x'", "tags"),
        ("displayName/any(x:x eq 'y')", "displayName"),
        ("tags/any(t:t/x eq 'a')", "tags"),
        ("tags/any(t:t/$count eq 0)", "tags"),
        ("tags/any(t:t has 'x')", "tags"),
        (f"tags/any(t:{' and '.join(['(t eq 1 or t eq 2)'] * 7)})", "tags"),
        ("tags/$count eq 1001", "$filter"),
        ("state has 'delivered'", "state"),
        ("abilities has 'fly'", "abilities"),
        ("abilities has 5", "$filter"),
        ("abilities eq 'read'", "abilities"),
        ("abilities in ('read')", "abilities"),
        ("contains(kind,'ou')", "kind"),
        ("kind eq true", "kind"),
        ("kind eq 'mine'", "kind"),
        ("phase eq 'planned'", "phase"),
        ("startswith(phase,'g')", "phase"),
        ("roles/any(r:displayName eq 'x')", "$filter"),
    ],
)
def test_what_is_not_public_or_of_another_kind_is_refused_and_named(text: str, target: str) -> None:
    with pytest.raises(UnsupportedQuery) as refused:
        query(filter=text)
    assert refused.value.target == target


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("phase eq 'Going'", {"phase": {"$in": ["going", "planned"]}}),
        ("phase ne 'going'", {"phase": {"$nin": ["going", "planned"]}}),
        ("phase in ('going','done')", {"phase": {"$in": ["going", "planned", "done"]}}),
        ("phase eq 'done'", {"phase": {"$eq": "done"}}),
        ("kind eq 'Yours'", {"built_in": {"$eq": False}}),
        ("kind ne 'ours'", {"built_in": {"$ne": True}}),
        ("kind in ('ours','theirs')", {"built_in": {"$in": [True, "theirs"]}}),
    ],
)
def test_values_are_asked_for_as_documents_hold_them(text: str, where: dict[str, Any]) -> None:
    assert query(filter=text).where == where


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({"fitler": "x"}, "$fitler"),
        ({"top": "0"}, "$top"),
        ({"top": "1000"}, "$top"),
        ({"top": "٣"}, "$top"),
        ({"skip": "-1"}, "$skip"),
        ({"count": "yes"}, "$count"),
        ({"orderby": "secret"}, "secret"),
        ({"orderby": "level"}, "level"),
        ({"orderby": "displayName down"}, "$orderby"),
        ({"select": "displayName,secret"}, "secret"),
        ({"expand": "secret"}, "secret"),
        ({"expand": "catalog($filter=x)"}, "x"),
        ({"expand": "catalog($select=id,secret)"}, "secret"),
        ({"expand": "catalog($select=id;$select=id)"}, "$select"),
        ({"expand": "catalog($expand=accessPackages($select=secret))"}, "secret"),
        ({"expand": "assignmentPolicies($expand=catalog)"}, "catalog"),
        ({"expand": "catalog($levels=2)"}, "$levels"),
        ({"expand": "catalog,CATALOG"}, "$expand"),
        (
            {"expand": "catalog($expand=accessPackages($expand=catalog($expand=accessPackages($expand=catalog))))"},
            "$expand",
        ),
        ({"expand": "catalog("}, "$expand"),
        ({"expand": ""}, "$expand"),
        ({"search": '"secret:x"'}, "secret"),
        ({"search": "x AND"}, "$search"),
        ({"search": '"x'}, "$search"),
        ({"search": "(x"}, "$search"),
        ({"search": "x)"}, "$search"),
        ({"search": "() x"}, "$search"),
        ({"search": "((((( x )))))"}, "$search"),
        ({"skiptoken": "damaged"}, "$skiptoken"),
    ],
)
def test_an_option_that_is_unknown_or_wrong_is_refused_and_named(options: dict[str, str], target: str) -> None:
    with pytest.raises((UnsupportedQuery, ExpiredPageToken)) as refused:
        query(**options)
    assert refused.value.target == target


def test_options_may_come_without_dollar_and_in_any_case_but_once() -> None:
    read = read_query(PACKAGES, [("Filter", "displayName eq 'x'"), ("$TOP", "5"), ("count", "true")])
    assert (read.top, read.limit, read.count, read.where != {}) == (5, 6, True, True)
    with pytest.raises(UnsupportedQuery, match="twice"):
        read_query(PACKAGES, [("$top", "5"), ("top", "6")])


def test_select_keeps_what_was_asked_and_annotations() -> None:
    item = {"@odata.type": "#x", "id": "1", "displayName": "Sales", "description": "d", "catalog": {}}
    assert query(select="displayName,DESCRIPTION").selected(item) == {
        "@odata.type": "#x",
        "displayName": "Sales",
        "description": "d",
    }
    assert query(select="id", expand="catalog").selected(item) == {"@odata.type": "#x", "id": "1", "catalog": {}}
    assert query(select="*").selected(item) == query().selected(item) == item


def test_expand_may_be_nested() -> None:
    asked = query(expand="Catalog( $select=id,DisplayName ; expand=accessPackages($select=id)),AssignmentPolicies")
    assert asked.expand == (
        Expand("catalog", frozenset({"id", "displayName"}), (Expand("accessPackages", frozenset({"id"})),)),
        Expand("assignmentPolicies"),
    )
    item = {
        "id": "p",
        "catalog": {
            "@odata.type": "#x",
            "id": "c",
            "displayName": "Sales",
            "state": "published",
            "accessPackages": [{"id": "p", "displayName": "x"}, {"id": "q", "displayName": "y"}],
        },
        "assignmentPolicies": [{"id": "a", "displayName": "z"}],
    }
    catalog = {"@odata.type": "#x", "id": "c", "displayName": "Sales", "accessPackages": [{"id": "p"}, {"id": "q"}]}
    assert asked.selected(item) == {**item, "catalog": catalog}
    assert asked.selected({"id": "p", "catalog": None})["catalog"] is None


def one(options: str) -> Shape:
    return read_shape(USERS, [tuple(option.split("=", 1)) for option in options.split("&")])  # type: ignore[misc]


def test_levels_go_up_the_same_relation() -> None:
    asked = one("$expand=manager($levels=max;$select=id)&$select=displayName&$count=true")
    assert asked.expand == (Expand("manager", frozenset({"id"}), levels=None),)
    chain = {
        "id": "a",
        "displayName": "A",
        "manager": {"id": "b", "city": "Rome", "manager": {"id": "c", "city": "Oslo"}},
    }
    assert asked.selected(chain) == {"displayName": "A", "manager": {"id": "b", "manager": {"id": "c"}}}
    for levels in ("0", "1001", "all", "-1", "٣", ""):
        with pytest.raises(UnsupportedQuery, match=r"\$levels"):
            one(f"$expand=manager($levels={levels})")


def test_without_select_the_default_properties_are_answered() -> None:
    person = {"@odata.type": "#x", "id": "a", "displayName": "A", "city": "Rome"}
    assert one("$count=true").selected(person) == {"@odata.type": "#x", "id": "a", "displayName": "A"}
    assert one("$select=city").selected(person) == {"@odata.type": "#x", "city": "Rome"}


@pytest.mark.parametrize("option", ["$filter", "$top", "$orderby", "$skiptoken", "$search"])
def test_what_is_for_lists_is_refused_for_one_object(option: str) -> None:
    with pytest.raises(UnsupportedQuery) as refused:
        one(f"{option}=1")
    assert refused.value.target == option


def test_the_order_always_ends_in_the_id() -> None:
    assert query().sort == [("_id", 1)]
    assert query(orderby="displayName DESC, createdDateTime asc").sort == [
        ("display_name", -1),
        ("created", 1),
        ("_id", 1),
    ]


def test_a_page_token_counts_for_its_own_query_only() -> None:
    token = query(filter="level gt 1").token_after({"_id": "p"})
    assert query(filter="level gt 1", skiptoken=token).after == {"$or": [{"$and": [{"_id": {"$gt": "p"}}]}]}
    for other in ({"filter": "level gt 2"}, {"orderby": "displayName"}):
        with pytest.raises(ExpiredPageToken):
            query(**other, skiptoken=token)


@pytest.mark.parametrize("value", [{"$ne": None}, [1], {"d": 5}, {"o": "x"}, 2**63])
def test_a_page_token_can_bring_values_only(value: Any) -> None:
    forged = base64.urlsafe_b64encode(json.dumps([query().fingerprint, value]).encode()).decode()
    with pytest.raises(ExpiredPageToken):
        query(skiptoken=forged)


OPERATORS = {
    "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nor", "$not", "$and", "$or", "$regex", "$options",
    "$elemMatch", "$exists", "$size", "$nin", "$all",
}  # fmt: skip
PLACES = {"_id", "display_name", "created", "level", "state", "abilities", "catalog_id", "tags", "roles"}
PLACES |= {"role_id", "name"}


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys(inner)}
    return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()


PIECES = st.sampled_from(
    """
    displayName id level state abilities catalog/id tags roles secret _id $where $ne 'x' '$ne' 'a''b' 5 -1.5 null true
    2026-01-01 eq ne gt ge lt in has and or not ( ) , startswith(displayName,'x') tags/any(t:t roles/any(r:r/id
    r/displayName tags/$count all(t: /any(x: / ' 0
    """.split()  # noqa: SIM905 - as words it can be read
)


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_whatever_is_asked_reaches_listed_places_by_listed_operators_or_is_refused(text: str) -> None:
    try:
        asked = query(filter=text)
    except UnsupportedQuery:
        return
    assert {re.sub(r"\.\d+$", "", key) for key in keys(asked.where)} <= OPERATORS | PLACES


@given(st.text(max_size=60))
def test_any_text_at_all_is_read_or_refused(text: str) -> None:
    for option in ("filter", "search", "orderby", "select", "expand", "skiptoken", "top", "count"):
        try:
            query(**{option: text})
        except (UnsupportedQuery, ExpiredPageToken):
            continue


def test_conditions_are_counted() -> None:
    assert terms(parse_filter("a eq 1 and (b or not c) and tags/any(t:t eq 'x' or t eq 'y')")) == 6


def test_the_consistency_level_may_stand_in_the_query_as_it_does_in_documented_requests() -> None:
    query = read_query(USERS, [("$count", "true"), ("ConsistencyLevel", "eventual")])
    assert query.count


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("state eq 'delivered'", True),
        ("state eq 'delivering'", False),
        ("state ne 'delivered'", False),
        ("state in ('delivering')", False),
        ("state in ('delivering','delivered')", True),
        ("phase ne 'going' and state ne 'delivering'", True),
        ("level gt 1 and state ne 'delivered'", False),
        ("level gt 1 or state ne 'delivered'", True),
    ],
)
def test_a_filter_that_is_sure_to_find_nothing_of_a_value_is_told(text: str, may: bool) -> None:
    assert lets_through(query(filter=text).where, "state", "delivered") is may
