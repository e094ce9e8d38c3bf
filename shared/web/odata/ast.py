"""A `$filter` as a value. Nothing here knows properties or the database; `mongo.py` reads it against an `EntitySet`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

Path: TypeAlias = tuple[str, ...]
"""`resource/id` as ("resource", "id"), casts left out. Inside a lambda it starts with the variable, kept as `Var`."""


@dataclass(frozen=True)
class Guid:
    text: str


Value: TypeAlias = str | int | Decimal | bool | datetime | Guid | None
"""A literal. A datetime is aware, in UTC; a date is its midnight in UTC."""

CompareOp: TypeAlias = Literal["eq", "ne", "gt", "ge", "lt", "le"]
TextOp: TypeAlias = Literal["startswith", "endswith", "contains"]


@dataclass(frozen=True)
class Compare:
    path: Path
    op: CompareOp
    value: Value


@dataclass(frozen=True)
class OneOf:
    path: Path
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Text:
    op: TextOp
    path: Path
    text: str


@dataclass(frozen=True)
class Truth:
    """A boolean property that stands alone: `accountEnabled`."""

    path: Path


@dataclass(frozen=True)
class Has:
    """`capabilities has 'read,write'`: every one of these is set."""

    path: Path
    text: str


@dataclass(frozen=True)
class Count:
    """`members/$count eq 0` and its like."""

    path: Path
    op: CompareOp
    number: int


@dataclass(frozen=True)
class Lambda:
    """`path/any(variable: where)` or `all`. `where` is None for `path/any()`: is there anything in it?"""

    path: Path
    quantifier: Literal["any", "all"]
    variable: str
    where: "Node | None"


@dataclass(frozen=True)
class Not:
    node: "Node"


@dataclass(frozen=True)
class And:
    nodes: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    nodes: tuple["Node", ...]


Node: TypeAlias = Compare | OneOf | Text | Truth | Has | Count | Lambda | Not | And | Or
