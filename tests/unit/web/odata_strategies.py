"""Random people as Graph bodies, and random filters as text, over the same few values, so that filters hit and miss."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from shared.web.odata.ast import And, Compare, Count, Has, Lambda, Node, Not, OneOf, Or, Path, Text, Truth, Value
from shared.web.odata.fields import BOOLEAN, DATETIME, GUID, INTEGER, NUMBER, EntitySet, Enumeration, Field, Many

KINDS = ("Member", "Guest")
FLAGS = ("read", "write", "own")
PEOPLE = EntitySet(
    "user",
    {
        "id": Field("_id", GUID),
        "displayName": Field("name"),
        "city": Field("place.city", folded="place.folded"),
        "accountEnabled": Field("enabled", BOOLEAN),
        "level": Field("level", INTEGER),
        "score": Field("score", NUMBER),
        "userType": Field("type", Enumeration(KINDS)),
        "abilities": Field("abilities", Enumeration(FLAGS, flags=True)),
        "hired": Field("hired", DATETIME),
        "mails": Many("mails"),
        "levels": Many("levels", kind=INTEGER),
        "roles": Many(
            "roles",
            {
                "name": Field("n"),
                "active": Field("a", BOOLEAN),
                "level": Field("l", INTEGER),
                "tags": Many("t"),
            },
        ),
    },
)

# Of characters that fold one to one: there the two ways of comparing without case, by a folded copy and by a pattern,
# are the same.
WORDS = ["Sales", "SALES", "sales emea", "S", "", "Łódź", "łódź", "a.b", "axb", "O'Neil", "(100%) *", "x\ny", "x"]
WORDS += ["$where", "Σ", "ς", "\u212a", "k", "null", "eq", "\\", "a\\.b", "^S", "\U0001f600"]
START = datetime(2026, 1, 1, tzinfo=UTC)

words = st.sampled_from(WORDS)
numbers = st.integers(-2, 3)
moments = st.sampled_from([0, 1, 999, 1000, 86_400_000]).map(lambda ms: START + timedelta(milliseconds=ms))
finer = st.builds(lambda moment, us: moment + timedelta(microseconds=us), moments, st.sampled_from([0, 1, 500]))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


roles = st.fixed_dictionaries(
    {},
    optional={
        "name": maybe(words),
        "active": maybe(st.booleans()),
        "level": maybe(numbers),
        "tags": st.lists(maybe(words), max_size=2),
    },
)
people = st.fixed_dictionaries(
    {},
    optional={
        "displayName": maybe(words),
        "city": maybe(words),
        "accountEnabled": maybe(st.booleans()),
        "level": maybe(numbers),
        "score": maybe(st.sampled_from([0, 1, 1.5, -0.25])),
        "userType": maybe(st.sampled_from(KINDS)),
        "abilities": maybe(st.lists(st.sampled_from(FLAGS), unique=True, max_size=3)),
        "hired": maybe(moments),
        "mails": st.lists(maybe(words), max_size=3),
        "levels": st.lists(maybe(numbers), max_size=3),
        "roles": st.lists(roles, max_size=3),
    },
)


def document_of(id: str, body: dict[str, Any]) -> dict[str, Any]:
    """A body as a service would keep it, with something secret beside."""
    names = {"displayName": "name", "accountEnabled": "enabled", "userType": "type"}
    inside = {"name": "n", "active": "a", "level": "l", "tags": "t"}
    kept: dict[str, Any] = {
        names.get(name, name): value for name, value in body.items() if name not in {"city", "roles"}
    }
    if "city" in body:
        city = body["city"]
        kept["place"] = {"city": city, "folded": None if city is None else city.casefold()}
    if "roles" in body:
        kept["roles"] = [{inside[name]: value for name, value in role.items()} for role in body["roles"]]
    return {"_id": id, "secret": "s", **kept}


OPS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
EQUALS = st.sampled_from(["eq", "ne"])
TEXTS = st.sampled_from(["startswith", "endswith", "contains"])


def _compares(path: Path, values: st.SearchStrategy[Value], ops: Any = OPS) -> st.SearchStrategy[Node]:
    at = st.just(path)
    return st.one_of(
        st.builds(Compare, at, ops, values),
        st.builds(Compare, at, EQUALS, st.none()),
        st.builds(OneOf, at, st.lists(maybe(values), min_size=1, max_size=3).map(tuple)),
    )


def _texts(path: Path) -> st.SearchStrategy[Node]:
    return _compares(path, words) | st.builds(Text, TEXTS, st.just(path), words)


def _nested(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=4,
    )


def _lambdas(path: Path, inside: Callable[[str], st.SearchStrategy[Node]]) -> st.SearchStrategy[Node]:
    variable = f"v{len(path)}"
    return st.one_of(
        st.builds(Lambda, st.just(path), st.sampled_from(["any", "all"]), st.just(variable), _nested(inside(variable))),
        st.just(Lambda(path, "any", "", None)),
        st.builds(Count, st.just(path), OPS, st.integers(0, 3)),
    )


def _of_a_role(variable: str) -> st.SearchStrategy[Node]:
    return st.one_of(
        _texts((variable, "name")),
        st.just(Truth((variable, "active"))),
        _compares((variable, "level"), numbers),
        _lambdas((variable, "tags"), lambda tag: _texts((tag,))),
    )


filters: st.SearchStrategy[Node] = _nested(
    st.one_of(
        _texts(("displayName",)),
        _texts(("city",)),
        st.just(Truth(("accountEnabled",))),
        _compares(("accountEnabled",), st.booleans(), EQUALS),
        _compares(("level",), numbers),
        _compares(("score",), numbers | st.sampled_from([Decimal("1.5"), Decimal("-0.25")])),
        _compares(("userType",), st.sampled_from(["member", "Guest"]), EQUALS),
        _compares(("hired",), finer),
        st.builds(Has, st.just(("abilities",)), st.sampled_from(["read", "WRITE", "read,own"])),
        _compares(("id",), st.sampled_from(["0", "1"]), EQUALS),
        _lambdas(("mails",), lambda mail: _texts((mail,))),
        _lambdas(("levels",), lambda level: _compares((level,), numbers)),
        _lambdas(("roles",), _of_a_role),
    )
)


def text_of(node: Node) -> str:
    """The filter as a caller would write it."""
    match node:
        case Not(inner):
            return f"not ({text_of(inner)})"
        case And(nodes):
            return " and ".join(f"({text_of(one)})" for one in nodes)
        case Or(nodes):
            return " or ".join(f"({text_of(one)})" for one in nodes)
        case Truth(path):
            return "/".join(path)
        case Compare(path, op, value):
            return f"{'/'.join(path)} {op} {literal(value)}"
        case OneOf(path, values):
            return f"{'/'.join(path)} in ({', '.join(map(literal, values))})"
        case Text(op, path, text):
            return f"{op}({'/'.join(path)},{literal(text)})"
        case Has(path, text):
            return f"{'/'.join(path)} has {literal(text)}"
        case Count(path, op, number):
            return f"{'/'.join(path)}/$count {op} {number}"
        case Lambda(path, quantifier, variable, where):
            inside = f"{variable}:{text_of(where)}" if where is not None else ""
            return f"{'/'.join(path)}/{quantifier}({inside})"


def literal(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return "'" + value.replace("'", "''") + "'"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
