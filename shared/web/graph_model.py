"""Bodies as Graph writes them: camelCase, times in UTC with `Z`, derived types marked by `@odata.type`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.clock import milliseconds, zoned

ODATA_TYPE = "@odata.type"


def graph_time(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`, milliseconds only if there are any. Raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone cannot be shown.")
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


GraphTime = Annotated[datetime, PlainSerializer(graph_time, when_used="json-unless-none")]
"""A point in time in a body."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return milliseconds(zoned(moment))
    except OverflowError:
        raise ValueError("lies before the year 1 or after the year 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time that a caller says: without a zone it is UTC; cut to what is kept of it."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


NotBlank = Annotated[str, AfterValidator(_not_blank), Field(json_schema_extra={"pattern": r"\S"})]
"""A text that shows something: a name of blanks names nothing."""


def lowered(said: Any) -> Any:
    """An enumeration's value as it is declared: clients write some with a capital."""
    return said[:1].lower() + said[1:] if isinstance(said, str) else said


def not_null(value: Any) -> Any:
    """Validates properties that may be left out and, once they are there, are never nothing."""
    if value is None:
        raise ValueError("cannot be null")
    return value


class GraphModel(BaseModel):
    """A body or a part of one. Read by camelCase or by Python name, written in camelCase.

    Unknown properties are ignored in what we read from others; `GraphInput` refuses them.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    def graph(self) -> dict[str, Any]:
        """As JSON-able dict, in Graph's names."""
        return self.model_dump(mode="json", by_alias=True)


class GraphInput(GraphModel):
    """A body that a caller sends: an unknown property is a 400 that names it, for a misspelt one would do nothing.

    So is a value of another JSON type: pydantic would read `"no"` and `0` as booleans, `true` as 1, `5` as a date."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _of_their_json_types(cls, body: Any) -> Any:
        if not isinstance(body, dict) or not (scalars := _scalars(cls)):
            return body
        return {
            key: value if key not in scalars or _is_of(value, scalars[key]) else _OF_ANOTHER_TYPE
            for key, value in body.items()
        }

    @model_validator(mode="before")
    @classmethod
    def _enumerations_in_any_case(cls, body: Any) -> Any:
        """`"state": "Published"` is published: enumerations are read without regard to case."""
        if not isinstance(body, dict) or not (known := _enumerations(cls)):
            return body
        return {
            key: _as_declared(value, known[key]) if key in known and value is not None else value
            for key, value in body.items()
        }


class _OfAnotherType:
    """What pydantic reads as nothing that we ask for, so that it says at the very place what should stand there."""


_OF_ANOTHER_TYPE = _OfAnotherType()
_READ_FROM: Mapping[Any, Any] = {bool: bool | None, int: int | float | None, datetime: str | datetime | None}
"""What a property of that type is read from."""


def _is_of(value: Any, scalar: Any) -> bool:
    # A boolean is an int to Python.
    return isinstance(value, _READ_FROM[scalar]) and not (scalar is int and isinstance(value, bool))


@lru_cache(maxsize=512)
def _scalars(model: type[BaseModel]) -> Mapping[str, Any]:
    """Properties of these types, by each name that they are read by."""
    found = {name: (field, _scalar(field.annotation)) for name, field in model.model_fields.items()}
    return {
        said: scalar
        for name, (field, scalar) in found.items()
        if scalar in _READ_FROM
        for said in (name, field.alias or name)
    }


def _scalar(annotation: Any) -> Any:
    """The one type that a property has besides null; None where it is of several."""
    types = [one for one in get_args(annotation) or (annotation,) if one is not type(None)]
    if len(types) != 1 or get_origin(annotation) not in {None, Union, UnionType}:
        return None
    return get_args(types[0])[0] if get_origin(types[0]) is Annotated else types[0]


Spellings = Mapping[str, str]
"""Values of an enumeration: folded -> as declared."""


@lru_cache(maxsize=512)
def _enumerations(model: type[BaseModel]) -> Mapping[str, Spellings]:
    found = {field.alias or name: _spellings(field.annotation) for name, field in model.model_fields.items()}
    return {name: spellings for name, spellings in found.items() if spellings}


def _spellings(annotation: Any) -> Spellings:
    """Of an annotation, wherever in it (`Literal["a"] | None`, a list of an `StrEnum`) they stand."""
    if get_origin(annotation) is Literal:
        return {one.casefold(): one for one in get_args(annotation) if isinstance(one, str)}
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return {one.value.casefold(): one.value for one in annotation}
    found: dict[str, str] = {}
    for one in get_args(annotation):
        found |= _spellings(one)
    return found


def _as_declared(value: Any, known: Spellings) -> Any:
    match value:
        case str():
            return known.get(value.casefold(), value)
        case list():
            return [_as_declared(one, known) for one in value]
    return value


class GraphBody(GraphInput):
    """A body as Graph's clients send it: annotations and what only the service sets are let pass, as Graph does."""

    read_only: ClassVar[frozenset[str]] = frozenset({"id", "createdDateTime", "modifiedDateTime"})
    """Let pass unless the body declares it."""

    @model_validator(mode="before")
    @classmethod
    def _without_annotations(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {
            key: value
            for key, value in body.items()
            if (key.endswith("@odata.bind") or "@" not in key) and (key not in cls.read_only or key in cls.model_fields)
        }


class GraphType(GraphModel):
    """A derived type: `class SingleUser(GraphType, odata_type="singleUser")` writes `@odata.type` first.

    When read, `@odata.type` is checked by whoever picks the type (`odata_type_of`), not here.
    """

    odata_type: ClassVar[str]

    def __init_subclass__(cls, odata_type: str | None = None, **config: Any) -> None:
        super().__init_subclass__(**config)
        if odata_type:
            cls.odata_type = odata_type

    @model_serializer(mode="wrap")
    def _with_type(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {ODATA_TYPE: f"#microsoft.graph.{self.odata_type}", **write(self)}


def odata_type_of(body: Any) -> str | None:
    """Short type name (`singleUser`) of a dict or a `GraphType`, None if it says none.

    Accepted with and without `#` and `microsoft.graph.`. Made for pydantic's `Discriminator`, with `Tag(...)` a type.
    """
    if isinstance(body, GraphType):
        return body.odata_type
    said = body.get(ODATA_TYPE) if isinstance(body, dict) else None
    return said.removeprefix("#").removeprefix("microsoft.graph.") if isinstance(said, str) else None
