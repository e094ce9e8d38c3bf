"""Text of a `$filter` -> AST, by grammar, with limits. Raises UnsupportedQuery (400) that says where and what."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import LarkError, UnexpectedInput, UnexpectedToken, VisitError

from shared.clock import zoned
from shared.web.errors import UnsupportedQuery
from shared.web.odata.ast import (
    And,
    Compare,
    CompareOp,
    Count,
    Guid,
    Has,
    Lambda,
    Node,
    Not,
    OneOf,
    Or,
    Path,
    Text,
    TextOp,
    Truth,
    Value,
)

MAX_LENGTH = 4096
MAX_DEPTH = 12
MAX_TERMS = 60
MAX_IN = 100

# Keywords are terminals with a word boundary, so that `order` is no `or`; lark's contextual lexer lets a property or a
# lambda variable be called like one (`is`, `any`) wherever the keyword could not stand.
GRAMMAR = r"""
?start: or_expr
?or_expr: and_expr (OR and_expr)*            -> or_
?and_expr: unary (AND unary)*                -> and_
?unary: NOT unary                            -> not_
      | atom
?atom: "(" or_expr ")"
     | operand OP operand                    -> compare
     | operand IN "(" literal ("," literal)* ")" -> one_of
     | path HAS literal                      -> has
     | operand                               -> bare
operand: literal                             -> literal_operand
       | path                                -> path_operand
       | FOLD "(" path ")"                   -> path_operand_folded
       | path COUNT                          -> count_operand
       | TEXT "(" text_subject "," text_constant ")" -> text_operand
       | path QUANTIFIER "(" [NAME ":" or_expr] ")" -> lambda_operand
?text_subject: path | FOLD "(" path ")"      -> folded
?text_constant: STRING | FOLD "(" STRING ")" -> folded
path: NAME ("/" NAME)*
literal: STRING | ENUM | NUMBER | DATETIME | DATE | GUID | BOOLEAN | NULL
       | FOLD "(" STRING ")"                 -> folded_literal

OR.5: /or\b/i
AND.5: /and\b/i
NOT.5: /not\b/i
IN.5: /in\b/i
HAS.5: /has\b/i
OP.5: /(eq|ne|gt|ge|lt|le)\b/i
TEXT.6: /(startswith|endswith|contains)(?=\s*\()/i
FOLD.6: /(tolower|toupper)(?=\s*\()/i
QUANTIFIER.6: /\/(any|all)(?=\s*\()/i
COUNT.6: /\/\$count\b/i
GUID.4: /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/i
DATETIME.3: /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)/i
DATE.2: /\d{4}-\d\d-\d\d\b/
NUMBER.1: /-?\d{1,18}(\.\d{1,18})?\b/
BOOLEAN.5: /(true|false)\b/i
NULL.5: /null\b/i
STRING: /'(?:[^']|'')*'/
ENUM.6: /(microsoft\.)?graph\.\w+'(?:[^']|'')*'/i
NAME: /[A-Za-z_][A-Za-z0-9_.]*/
%ignore /[ \t]+/
"""

_OPERATORS: dict[str, CompareOp] = {"eq": "eq", "ne": "ne", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le"}
_SWAPPED: dict[CompareOp, CompareOp] = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_TEXTS: dict[str, TextOp] = {"startswith": "startswith", "endswith": "endswith", "contains": "contains"}


class _Literal:
    def __init__(self, value: Value) -> None:
        self.value = value


class _CountOf:
    def __init__(self, path: Path) -> None:
        self.path = path


_Operand = _Literal | _CountOf | Path | Text | Lambda


@v_args(inline=True)
class _ToAst(Transformer[Any, Node]):
    def or_(self, *nodes: Any) -> Any:
        return nodes[0] if len(nodes) == 1 else Or(nodes[::2])

    def and_(self, *nodes: Any) -> Any:
        return nodes[0] if len(nodes) == 1 else And(nodes[::2])  # every other one is the keyword

    def not_(self, _keyword: Token, node: Node) -> Node:
        return Not(node)

    def literal(self, token: Token) -> Value:
        return _value(token)

    def folded_literal(self, _function: Token, token: Token) -> Value:
        return _value(token)

    def literal_operand(self, value: Value) -> _Operand:
        return _Literal(value)

    def path(self, *names: Token) -> Path:
        # A cast names a type on the way (`scope/microsoft.graph.x/query`); the property behind it is what counts.
        return tuple(str(name) for name in names if not name.lower().startswith(("microsoft.graph.", "graph.")))

    def path_operand(self, path: Path) -> _Operand:
        return path

    def path_operand_folded(self, _function: Token, path: Path) -> _Operand:
        return path  # strings compare without case anyway

    def folded(self, _function: Token, inner: Any) -> Any:
        return inner

    def count_operand(self, path: Path, _count: Token) -> _Operand:
        return _CountOf(path)

    def text_operand(self, function: Token, path: Path, text: Token) -> _Operand:
        return Text(_TEXTS[function.lower()], path, _text(text))

    def lambda_operand(self, path: Path, quantifier: Token, variable: Token | None, where: Node | None) -> _Operand:
        if where is None and quantifier.lower() == "/all":
            raise UnsupportedQuery("Invalid filter clause: all() needs a condition.", target="$filter")
        return Lambda(path, "any" if quantifier.lower() == "/any" else "all", str(variable or ""), where)

    def bare(self, operand: _Operand) -> Node:
        return _condition(operand, wanted=True)

    def compare(self, left: _Operand, operator: Token, right: _Operand) -> Node:
        op = _OPERATORS[operator.lower()]
        if isinstance(left, _Literal):
            left, right, op = right, left, _SWAPPED[op]
        if isinstance(left, _Literal) or not isinstance(right, _Literal):
            raise UnsupportedQuery(
                "Invalid filter clause: a property is compared with a constant, not with another property.",
                target="$filter",
            )
        value = right.value
        if isinstance(left, _CountOf):
            if isinstance(value, bool) or not isinstance(value, int):
                raise UnsupportedQuery(
                    "Invalid filter clause: $count is compared with a whole number.", target="$filter"
                )
            return Count(left.path, op, value)
        if isinstance(left, Text | Lambda):
            if not isinstance(value, bool) or op not in {"eq", "ne"}:
                raise UnsupportedQuery("Invalid filter clause: a condition is true or false.", target="$filter")
            return _condition(left, wanted=value == (op == "eq"))
        return Compare(left, op, value)

    def has(self, path: Path, _has: Token, value: Value) -> Node:
        if not isinstance(value, str):
            raise UnsupportedQuery("Invalid filter clause: a name in quotes stands behind 'has'.", target="$filter")
        return Has(path, value)

    def one_of(self, operand: _Operand, _in: Token, *values: Value) -> Node:
        if not isinstance(operand, tuple):
            raise UnsupportedQuery("Invalid filter clause: a property stands before 'in'.", target="$filter")
        if len(values) > MAX_IN:
            raise UnsupportedQuery(f"Invalid filter clause: at most {MAX_IN} values after 'in'.", target="$filter")
        return OneOf(operand, values)


def _condition(operand: _Operand, *, wanted: bool) -> Node:
    if isinstance(operand, tuple):
        return Truth(operand)
    if isinstance(operand, Text | Lambda):
        return operand if wanted else Not(operand)
    raise UnsupportedQuery("Invalid filter clause: a constant alone is no condition.", target="$filter")


def _text(token: str) -> str:
    return token[1:-1].replace("''", "'")


def _value(token: Token) -> Value:
    value: Value
    match token.type:
        case "STRING":
            value = _text(token)
        case "ENUM":
            value = _text(token[token.index("'") :])
        case "NUMBER":
            value = Decimal(token) if "." in token else int(token)
        case "BOOLEAN":
            value = token.lower() == "true"
        case "GUID":
            value = Guid(token.lower())
        case "DATETIME" | "DATE":
            value = _moment(str(token))
        case _:
            value = None
    return value


def _moment(text: str) -> datetime:
    try:
        # Seven decimals and more are legal in OData; datetime keeps six.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper()))
        return zoned(moment).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnsupportedQuery(f"Invalid filter clause: '{text}' is no date.", target="$filter") from None


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=True, propagate_positions=False)


def parse_filter(text: str) -> Node:
    """The AST of a `$filter`. Raises UnsupportedQuery: over 4,096 characters, not OData, too deep, too many terms.

    Properties and kinds are not checked here; see `mongo_filter`.
    """
    if len(text) > MAX_LENGTH:
        raise UnsupportedQuery(f"Invalid filter clause: longer than {MAX_LENGTH} characters.", target="$filter")
    if "\0" in text:  # BSON has no place for it in a pattern
        raise UnsupportedQuery("Invalid filter clause: it holds a NUL character.", target="$filter")
    _check_nesting(text)
    try:
        tree = _parser().parse(text)
        node = _ToAst().transform(tree)
    except UnexpectedInput as error:
        raise UnsupportedQuery(_where(error, text), target="$filter") from None
    except VisitError as error:
        if isinstance(error.orig_exc, UnsupportedQuery):
            raise error.orig_exc from None
        raise
    except LarkError:
        raise UnsupportedQuery("Invalid filter clause.", target="$filter") from None
    if terms(node) > MAX_TERMS:
        raise UnsupportedQuery(f"Invalid filter clause: more than {MAX_TERMS} conditions.", target="$filter")
    return node


def _check_nesting(text: str) -> None:
    """Before parsing: parentheses and chains of `not`, so that nobody who walks the AST runs deep."""
    depth = deepest = 0
    plain = re.sub(r"'(?:[^']|'')*'", "''", text)
    for char in plain:
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    nots = len(re.findall(r"\bnot\b", plain, re.IGNORECASE))
    if deepest > MAX_DEPTH or nots > MAX_TERMS:
        raise UnsupportedQuery(f"Invalid filter clause: nested deeper than {MAX_DEPTH}.", target="$filter")


def terms(node: Node) -> int:
    """Number of comparisons in it."""
    match node:
        case And(nodes) | Or(nodes):
            return sum(terms(one) for one in nodes)
        case Not(inner):
            return terms(inner)
        case Lambda(where=where) if where is not None:
            return 1 + terms(where)
        case _:
            return 1


def _where(error: UnexpectedInput, text: str) -> str:
    position = error.pos_in_stream
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ended or position is None or not 0 <= position < len(text):
        return f"Invalid filter clause: it ends too early, after '{text[-20:]}'."
    return f"Invalid filter clause: not understood at position {position}, '{text[position : position + 20]}'."
