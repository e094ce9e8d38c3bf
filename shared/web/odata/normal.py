"""A condition in the one form that a database can be asked in. Pure: it knows neither properties nor MongoDB.

OData has three truths: what a text function says of null is neither true nor false, so neither `startswith(a,'x')` nor
`not startswith(a,'x')` finds a row without `a`. Comparisons are true or false of null as of everything else, and so are
any and all. Source: OData 4.01 part 2, 5.1.1; reference/graph-api-operations.md 1.2.
"""

from shared.web.odata.ast import And, Compare, Has, Lambda, Node, Not, Or, Text, Truth


def normal(node: Node) -> Node:
    """What finds exactly the rows of which `node` is true: two truths, `not` only directly before a condition, and
    `not any not` for `all`. It contains no `Truth`."""
    return _pushed(_certain(node, wanted=True), negate=False)


def _certain(node: Node, *, wanted: bool) -> Node:
    """A condition of two truths: whether `node` is certainly true, or certainly false."""
    certain: Node
    match node:
        case Not(inner):
            certain = _certain(inner, wanted=not wanted)
        case And(nodes) | Or(nodes):
            kind = And if isinstance(node, And) == wanted else Or
            certain = kind(tuple(_certain(one, wanted=wanted) for one in nodes))
        case Truth(path):
            certain = Compare(path, "eq", wanted)
        case Text() | Has() if not wanted:
            certain = And((Not(node), Compare(node.path, "ne", None)))
        case Lambda(path, quantifier, variable, where) if where is not None:
            inside = Lambda(path, quantifier, variable, _certain(where, wanted=True))
            certain = inside if wanted else Not(inside)
        case _:
            certain = node if wanted else Not(node)
    return certain


def _pushed(node: Node, *, negate: bool) -> Node:
    pushed: Node
    match node:
        case Not(inner):
            pushed = _pushed(inner, negate=not negate)
        case And(nodes) | Or(nodes):
            kind = Or if isinstance(node, And) == negate else And
            pushed = kind(tuple(_pushed(one, negate=negate) for one in nodes))
        case Compare(path, "eq" | "ne" as op, value) if negate:
            pushed = Compare(path, "ne" if op == "eq" else "eq", value)
        case Lambda(path, "all", variable, where) if where is not None:
            inside = Lambda(path, "any", variable, _pushed(where, negate=True))
            pushed = inside if negate else Not(inside)
        case Lambda(path, "any", variable, where) if where is not None:
            inside = Lambda(path, "any", variable, _pushed(where, negate=False))
            pushed = Not(inside) if negate else inside
        case _:
            pushed = Not(node) if negate else node
    return pushed


def alternatives(node: Node, most: int) -> list[list[Node]] | None:
    """`node` as conditions of which all of one list have to hold; None if that takes more than `most` lists."""
    match node:
        case Or(nodes):
            found: list[list[Node]] = []
            for one in nodes:
                if (several := alternatives(one, most)) is None:
                    return None
                found += several
        case And(nodes):
            found = [[]]
            for one in nodes:
                if (several := alternatives(one, most)) is None or len(found) * len(several) > most:
                    return None
                found = [[*left, *right] for left in found for right in several]
        case _:
            found = [[node]]
    return found if len(found) <= most else None
