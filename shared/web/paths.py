"""Paths as Graph's callers write them, brought to the one form that the routes are declared in.

- case does not matter: `/V1.0/Users/…/MemberOf`
- keys come in parentheses too: `/accessPackages('{id}')` is `/accessPackages/{id}`
- functions come qualified, with empty parentheses, with their arguments in any order:
  `microsoft.graph.filterByCurrentUser(on='target')`, `delta()`

Routes are declared with plain segments, `{id}` and `filterByCurrentUser(on='{on}')`. The rest is left as it is.
Source: reference/graph-api-operations.md 1.5.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

_CALL = re.compile(r"(?P<name>[^()']+)\((?P<args>.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|[^',()\s]+)\s*(?:,|$)")
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_BARE_KEY = re.compile(r"[\w.@~-]+")
_NAMESPACE = "microsoft.graph."
_MOST_SEGMENTS = 32


@dataclass
class _Node:
    literals: dict[str, tuple[str, "_Node"]] = field(default_factory=dict)
    calls: dict[tuple[str, frozenset[str]], tuple[str, tuple[str, ...], "_Node"]] = field(default_factory=dict)
    any: "_Node | None" = None
    ends: bool = False
    takes_rest: bool = False


class PathTable:
    """All paths that an application knows. Built once; `canonical` then is a walk over the segments."""

    def __init__(self, templates: Iterable[str]) -> None:
        self._root = _Node()
        for template in templates:
            self._add(template)

    def _add(self, template: str) -> None:
        node = self._root
        for segment in template.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("}"):
                if segment.endswith(":path}"):
                    node.takes_rest = True
                    return
                node.any = node.any or _Node()
                node = node.any
            elif call := _call(segment):
                name, arguments = call
                keys = tuple(arguments)
                key = (name.lower(), frozenset(argument.lower() for argument in keys))
                node = node.calls.setdefault(key, (name, keys, _Node()))[2]
            else:
                node = node.literals.setdefault(segment.lower(), (segment, _Node()))[1]
        node.ends = True

    def canonical(self, path: str) -> str:
        """`path` as the route that it means is declared, ids untouched; as it came if it means none."""
        segments = _segments(path)
        if len(segments) > _MOST_SEGMENTS:
            return path
        found = self._walk(self._root, segments)
        return path if found is None else "/" + "/".join(found)

    def _walk(self, node: _Node, left: Sequence[str]) -> list[str] | None:
        if not left:
            return [] if node.ends else None
        for taken, said, then in self._steps(node, left[0]):
            rest = self._walk(then, [*taken, *left[1:]])
            if rest is not None:
                return [*said, *rest]
        return list(left) if node.takes_rest else None

    def _steps(self, node: _Node, segment: str) -> Iterator[tuple[list[str], list[str], _Node]]:
        """Ways to read one segment, best first: (segments still to be read, what was read, where that leads)."""
        for spelling in _spellings(segment):
            if literal := node.literals.get(spelling.lower()):
                yield [], [literal[0]], literal[1]
            if not (call := _call(spelling)):
                if spelling == segment and (key := _keyed(spelling)) and (named := node.literals.get(key[0].lower())):
                    yield [key[1]], [named[0]], _only_any(named[1])
                continue
            name, arguments = call
            if declared := node.calls.get((name.lower(), frozenset(argument.lower() for argument in arguments))):
                values = {argument.lower(): value for argument, value in arguments.items()}
                said = ",".join(f"{argument}={values[argument.lower()]}" for argument in declared[1])
                yield [], [f"{declared[0]}({said})"], declared[2]
        if node.any:
            yield [], [segment], node.any


def _only_any(node: _Node) -> _Node:
    # A key in parentheses is an id, even if it is spelt like a literal beside it: users('delta').
    return _Node(any=node.any)


def _spellings(segment: str) -> Iterator[str]:
    yield segment
    plain = segment[:-2] if segment.endswith("()") else segment
    if plain != segment:
        yield plain
    if plain.lower().startswith(_NAMESPACE):
        yield plain[len(_NAMESPACE) :]


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


def _keyed(segment: str) -> tuple[str, str] | None:
    """`users('o''neil')` as ("users", "o'neil"). None for what no single segment can carry (a slash inside)."""
    if not (match := _CALL.fullmatch(segment)):
        return None
    key = match["args"].strip()
    if _QUOTED.fullmatch(key):
        key = key[1:-1].replace("''", "'")
    elif not _BARE_KEY.fullmatch(key):
        return None
    return None if not key or "/" in key else (match["name"], key)


def _segments(path: str) -> list[str]:
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
