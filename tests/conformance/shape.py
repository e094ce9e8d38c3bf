"""Whether an answer has the documented properties, with values of the documented types."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

_DATE = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
_IS_DATE = re.compile(r"(date|datetime)$", re.IGNORECASE)
_NOT_COMPARED = frozenset({"@odata.id", "@odata.nextLink", "@odata.deltaLink", "@odata.etag"})
"""Annotations that name a place or a moment."""
_OF_A_RELATION = re.compile(r"\w+@odata\.context")
"""The same of a relation: `members@odata.context`."""
_ALWAYS_THERE = frozenset({"id", "displayName", "state", "status", "requestType", "catalogType", "type"})
"""Texts that no resource of ours has without a value; any other text may be null where nobody wrote one."""


def differences(documented: Any, answered: Any, *, written: Collection[str] = (), of_type: str = "") -> list[str]:
    """What is not as documented, a line each: where and why; empty if all is.

    `written`: names of properties to which something was written, which may not be null therefore. `of_type`: the type
    that the address declares, which an answer need not repeat.
    """
    return list(_differences(documented, answered, "", frozenset(written), of_type))


def _differences(documented: Any, answered: Any, at: str, written: frozenset[str], of_type: str) -> Iterator[str]:
    if isinstance(documented, dict):
        if not isinstance(answered, dict):
            yield f"{at or 'the body'} is {_named(answered)}, not an object"
            return
        for name, value in documented.items():
            yield from _property(name, value, answered, f"{at}/{name}" if at else name, written, of_type)
    elif isinstance(documented, list):
        if not isinstance(answered, list):
            yield f"{at} is {_named(answered)}, not a list"
        elif documented and not answered:
            # A list of texts that nobody wrote may have none here.
            if isinstance(documented[0], dict) or at == "value" or at.rpartition("/")[2] in written:
                yield f"{at} is empty"
        else:
            for value in documented:
                tried = [list(_differences(value, one, f"{at}/*", written, of_type)) for one in answered]
                yield from min(tried, key=len)
    elif documented is not None and type(documented) is not type(answered):
        numbers = {type(documented), type(answered)} <= {int, float}
        if not numbers and not _may_be_null(documented, answered, at.rpartition("/")[2], written):
            yield f"{at} is {_named(answered)}, not {_named(documented)}"


def _property(
    name: str, value: Any, answered: dict[str, Any], at: str, written: frozenset[str], of_type: str
) -> Iterator[str]:
    if name in _NOT_COMPARED or _OF_A_RELATION.fullmatch(name):
        return
    if name == "@odata.type":
        # Answers tell the type where it is not the one that the address declares; only then is it written with '#'.
        tells = str(value)
        if tells.startswith("#") and tells.removeprefix("#microsoft.graph.") != of_type and answered.get(name) != tells:
            yield f"{at} is {answered.get(name)!r}, not {tells!r}"
    elif name not in answered:
        yield f"{at} is missing"
    else:
        yield from _differences(value, answered[name], at, written, of_type)


def _may_be_null(documented: Any, answered: Any, name: str, written: frozenset[str]) -> bool:
    if answered is not None or not isinstance(documented, str):
        return False
    if _IS_DATE.search(name) or _DATE.fullmatch(documented):
        return True
    return name not in written and name not in _ALWAYS_THERE


def echoed(body: Any, documented: Any, answered: Any, at: str = "") -> list[str]:
    """Which simple values of a request's body come back other than written, among those documented to come back."""
    if not all(isinstance(one, dict) for one in (body, documented, answered)):
        return []
    wrong: list[str] = []
    for name in body.keys() & documented.keys() & answered.keys():
        here = f"{at}/{name}" if at else name
        if isinstance(body[name], dict):
            wrong += echoed(body[name], documented[name], answered[name], here)
        elif _to_be_echoed(body[name], documented[name]) and not _same(body[name], answered[name]):
            wrong.append(f"{here} comes back as {answered[name]!r}, not as it was written")
    return sorted(wrong)


def _to_be_echoed(written: Any, documented: Any) -> bool:
    simple = isinstance(written, str | bool | int) and not _DATE.fullmatch(str(written))
    return simple and _same(written, documented)


def _same(one: Any, other: Any) -> bool:
    """Texts without regard to case, as enumerations are read."""
    return str(one).casefold() == str(other).casefold()


def _named(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
