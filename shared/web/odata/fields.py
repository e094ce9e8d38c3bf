"""What may be asked of a list: its public properties, where they lie in the document, and of what kind they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property


class Kind(Enum):
    """How a property's values are stored and compared.

    Strings compare without regard to case. GUID is an id: lower case, compared exactly. DATETIME is a BSON date,
    DATE_TEXT a date-time in UTC that is kept as the text that Graph shows.
    """

    STRING = "string"
    GUID = "guid"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DATETIME = "datetime"
    DATE_TEXT = "datetime as text"


STRING, GUID, BOOLEAN, INTEGER, NUMBER, DATETIME, DATE_TEXT = Kind


@dataclass(frozen=True)
class Enumeration:
    """An enum: the values are asked without regard to case and stored as given here. An unknown one is a 400.

    `flags`: several may be set at once; documents hold a list of them, and the property is asked with `has` alone.
    `kept_as`: what documents hold instead of some of the values, such as true or false; the property is then asked
    with `eq`, `ne` and `in` alone. `besides`: further values that documents hold for one of these, such as a finer
    state that is shown as this one; asked in the same way.
    """

    values: tuple[str, ...]
    flags: bool = False
    kept_as: "Mapping[str, bool | str] | None" = None
    besides: "Mapping[str, tuple[str, ...]] | None" = None

    def stored(self, text: str) -> str | None:
        """The declared spelling of `text`, None if there is no such value."""
        return next((value for value in self.values if value.lower() == text.lower()), None)


@dataclass(frozen=True)
class Field:
    """A property. `path` is its place in the document, dotted.

    `folded` is the place of a copy in `str.casefold()`, if there is one: with it, equality, `in` and startsWith can use
    an index on that copy; without it they read every document that the rest of the filter leaves.
    """

    path: str
    kind: Kind | Enumeration = STRING
    sortable: bool = False
    folded: str | None = None


@dataclass(frozen=True)
class Many:
    """A collection: of documents with `fields`, or of plain values of `kind`. Asked with any, all and $count."""

    path: str
    fields: "Mapping[str, Field | Many] | None" = None
    kind: Kind | Enumeration = STRING


Fields = Mapping[str, Field | Many]


@dataclass(frozen=True)
class Through:
    """A relation whose properties are kept in another collection of the same service: a filter on them is asked there
    first (`shared.web.odata.through`), and then means those that lead to what was found.

    `path`: where its id lies. `to`: what may be asked of it, in the terms of that collection, which the service knows
    as `name`. `behind`: relations that lie between, if the id is that of something nearer.
    """

    path: str
    to: "Callable[[], EntitySet]"
    name: str
    behind: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntitySet:
    """A list and what it may be asked. Names are Graph's; nested ones with a slash (`catalog/id`).

    `selectable`: top-level properties of the answer, if more than the first segments of `fields` and the relations.
    `default`: those that are answered unless `$select` says, if not all. `also`: whether a name beyond these may be
    selected, such as one that the tenant made up.
    `expandable`: relations that `$expand` takes, each with what it leads to, called when it is asked, for two types may
    lead to each other; what is nested is read against that. As a plain set of names: what is nested is read against
    `related`, as far as that knows the relation.
    `one_at_a_time`: relations are expanded by name, and take neither `*` nor options of lists, as documented of
    directory objects: of a longer list they show the beginning.
    `levelled`: relations that lead on to the same type, such as a manager's manager, and take `$levels`.
    `through`: relations of which more may be asked than `fields` has of them (`fields` comes first).
    `order`: how it is sorted unless the caller says; the id always breaks ties. `searchable`: what `$search` looks
    through if it names no property. What is not listed cannot be asked.
    """

    type_name: str
    fields: Fields
    selectable: frozenset[str] = frozenset()
    also: Callable[[str], object] | None = None
    default: frozenset[str] | None = None
    expandable: "frozenset[str] | Mapping[str, Callable[[], EntitySet]]" = frozenset()
    one_at_a_time: bool = False
    levelled: frozenset[str] = frozenset()
    through: Mapping[str, Through] = field(default_factory=dict)
    searchable: tuple[str, ...] = ()
    order: str = ""
    id_path: str = "_id"
    default_top: int = 100
    max_top: int = 999

    def __post_init__(self) -> None:
        for name in self.searchable:
            if not isinstance(self.fields.get(name), Field):
                raise ValueError(f"{self.type_name}: searchable {name} is no plain property of the list.")

    @cached_property
    def selected_names(self) -> dict[str, str]:
        """Lower case -> spelling, of all that `$select` may name."""
        names = self.selectable | {name.split("/")[0] for name in self.fields} | set(self.expandable)
        return {name.lower(): name for name in names}

    def way_to(self, path: tuple[str, ...]) -> "tuple[Through, tuple[str, ...]] | None":
        """By which relation a property is reached, and its path from there; None if by none."""
        for end in range(len(path) - 1, 0, -1):
            name = "/".join(path[:end]).lower()
            for relation, through in self.through.items():
                if relation.lower() == name:
                    return through, (*through.behind, *path[end:])
        return None

    def target_of(self, relation: str) -> "tuple[str, EntitySet | None] | None":
        """Spelling of a relation, said in any case, and what it leads to if that may be asked; None if unknown."""
        for name in self.expandable:
            if name.lower() == relation.lower():
                return name, self.expandable[name]() if isinstance(self.expandable, Mapping) else None
        return None


def find(fields: Fields, name: str) -> Field | Many | None:
    """The property called `name` (nested: with slashes), without regard to case."""
    if (found := fields.get(name)) is not None:
        return found
    lower = name.lower()
    return next((value for key, value in fields.items() if key.lower() == lower), None)
