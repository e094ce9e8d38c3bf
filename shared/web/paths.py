"""Paths as Graph's callers write them, brought to the one form that the routes are declared in.

- case does not matter: `/V1.0/Users/…/MemberOf`
- keys come in parentheses too: `/accessPackages('{id}')` is `/accessPackages/{id}`
- of guids neither does case: they are kept in lower case
- functions come qualified, with empty parentheses, with their arguments in any order, with or without quotes:
  `microsoft.graph.filterByCurrentUser(on='target')`, `delta()`
- `graph` is short for the namespace `microsoft.graph`: `/members/graph.user`, as the SDKs send it

Routes are declared with plain segments, `{id}` and `filterByCurrentUser(on='{on}')`. The rest is left as it is. What
begins with `$` (`$count`, `$ref`) is a key only in parentheses. Source: reference/graph-api-operations.md 1.5.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

_CALL = re.compile(r"(?P<name>[^()']+)\((?P<args>.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|[^',()\s]+)\s*(?:,|$)")
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_BARE_KEY = re.compile(r"[\w.@~-]+")
_NAMESPACE = re.compile(r"(?:microsoft\.)?graph\.(?=\w)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
IN_PATH = "/$()'=,:@~!*+;&"
"""What stands in a path as it is; the rest is percent-encoded."""
_MOST_SEGMENTS = 32


@dataclass
class _Node:
    literals: dict[str, tuple[str, "_Node"]] = field(default_factory=dict)
    calls: dict[tuple[str, frozenset[str]], tuple[str, dict[str, str], "_Node"]] = field(default_factory=dict)
    any: "_Node | None" = None
    methods: set[str] = field(default_factory=set)
    """Of the path that ends here; empty if none does."""
    takes_rest: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Known:
    """A path as it is declared, ids untouched but for the case of guids, and the methods it is declared with."""

    path: str
    methods: frozenset[str]


Templates = Iterable[tuple[str, Collection[str]]]
"""Paths with their methods."""


class PathTable:
    """All paths that an application knows. Built once; `find` then is a walk over the segments."""

    def __init__(self, templates: Templates) -> None:
        self._root = _Node()
        for template, methods in templates:
            self._add(template, frozenset(methods))

    def _add(self, template: str, methods: frozenset[str]) -> None:
        node = self._root
        for segment in template.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("}"):
                if segment.endswith(":path}"):
                    node.takes_rest |= methods
                    return
                node.any = node.any or _Node()
                node = node.any
            elif call := _call(segment):
                name, arguments = call
                key = (name.lower(), frozenset(argument.lower() for argument in arguments))
                node = node.calls.setdefault(key, (name, arguments, _Node()))[2]
            else:
                node = node.literals.setdefault(segment.lower(), (segment, _Node()))[1]
        node.methods |= methods

    def find(self, path: str) -> Known | None:
        """The path that `path` means, None if none. Several may be declared that it fits (`/users/{id}` and
        `/users/delta`): the first is meant, and has the methods of all that are spelt like it."""
        segments = segments_of(path)
        if len(segments) > _MOST_SEGMENTS:
            return None
        meant: str | None = None
        methods: frozenset[str] = frozenset()
        for said, allowed in self._walk(self._root, segments):
            spelt = "/" + "/".join(said)
            meant = spelt if meant is None else meant
            if spelt == meant:
                methods |= allowed
        return None if meant is None else Known(meant, methods)

    def _walk(self, node: _Node, left: Sequence[str]) -> Iterator[tuple[list[str], frozenset[str]]]:
        if not left:
            if node.methods:
                yield [], frozenset(node.methods)
            return
        for taken, said, then in self._steps(node, left[0]):
            for rest, methods in self._walk(then, [*taken, *left[1:]]):
                yield [*said, *rest], methods
        if node.takes_rest:
            yield list(left), node.takes_rest

    def _steps(self, node: _Node, segment: str) -> Iterator[tuple[list[str], list[str], _Node]]:
        """Ways to read one segment, best first: (segments still to be read, what was read, where that leads)."""
        for spelling in _spellings(segment):
            if literal := node.literals.get(spelling.lower()):
                yield [], [literal[0]], literal[1]
            if not (call := _call(spelling)):
                if spelling == segment and (key := keyed(spelling)):
                    named = node.literals.get(key[0].lower())
                    # An id, even if it is spelt like a literal beside it: users('delta').
                    if named and named[1].any:
                        yield [], [named[0], _id(key[1])], named[1].any
                continue
            name, arguments = call
            if declared := node.calls.get((name.lower(), frozenset(argument.lower() for argument in arguments))):
                values = {argument.lower(): value for argument, value in arguments.items()}
                said = ",".join(_argument(key, form, values[key.lower()]) for key, form in declared[1].items())
                yield [], [f"{declared[0]}({said})"], declared[2]
        if node.any and not segment.startswith("$"):
            yield [], [_id(segment)], node.any


def _id(said: str) -> str:
    return said.lower() if _GUID.fullmatch(said) else said


def _argument(key: str, form: str, value: str) -> str:
    """As it is declared: in quotes if the template has them."""
    if form.startswith("'") and not value.startswith("'"):
        value = f"'{value}'"
    return f"{key}={value}"


class Paths:
    """The table of an application whose routes may still be added: made when it is first asked for."""

    def __init__(self, templates: Callable[[], Templates]) -> None:
        self._templates = templates

    @cached_property
    def table(self) -> PathTable:
        return PathTable(self._templates())


def _spellings(segment: str) -> Iterator[str]:
    yield segment
    plain = segment[:-2] if segment.endswith("()") else segment
    if plain != segment:
        yield plain
    if qualified := _NAMESPACE.match(plain):
        name = plain[qualified.end() :]
        yield f"microsoft.graph.{name}"
        yield name


def _call(segment: str) -> tuple[str, dict[str, str]] | None:
    """`f(on='x',n=1)` as name and arguments, quotes kept. None if it is not of that form."""
    if not (match := _CALL.fullmatch(segment)) or not match["args"]:
        return None
    arguments: dict[str, str] = {}
    at = 0
    while at < len(match["args"]):
        argument = _ARGUMENT.match(match["args"], at)
        if not argument or argument["key"] in arguments:
            return None
        arguments[argument["key"]] = argument["value"]
        at = argument.end()
    return match["name"], arguments


def keyed(segment: str) -> tuple[str, str] | None:
    """`users('o''neil')` as ("users", "o'neil"). None for what no single segment can carry (a slash inside)."""
    if not (match := _CALL.fullmatch(segment)):
        return None
    key = match["args"].strip()
    if _QUOTED.fullmatch(key):
        key = key[1:-1].replace("''", "'")
    elif not _BARE_KEY.fullmatch(key):
        return None
    return None if not key or "/" in key else (match["name"], key)


def segments_of(path: str) -> list[str]:
    """Split at slashes that stand outside quotes in parentheses; a trailing slash counts for nothing."""
    segments, depth, quoted, start = [], 0, False, 1
    for at, char in enumerate(path):
        if char == "'" and depth:
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif char == "/" and not depth and at:
            segments.append(path[start:at])
            start = at + 1
    segments.append(path[start:])
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments
