"""Independent readings of what the demo sends: HR changes folded to people, rules evaluated word by word.

Written from the public contract and the rule syntax alone, as slow and plain as possible.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson

State = dict[str, dict[str, Any] | None]
"""Attributes by employee id; None for whoever has left (or never joined)."""


def fold(changes: Iterable[dict[str, Any]]) -> State:
    """What holds after all of them: what was stated last about a moment wins, whatever the order of arrival."""
    stated: dict[str, tuple[int, dict[str, Any]]] = {}
    rescinded: set[str] = set()
    for arrival, change in enumerate(orjson.loads(orjson.dumps(change)) for change in changes):
        if change["kind"] == "rescinded":
            rescinded.add(change["rescinds"])
        elif change["changeId"] not in stated or stated[change["changeId"]][1] != change:
            stated[change["changeId"]] = arrival, change
    timeline = sorted(
        (change["effectiveAt"], change.get("sequence", 0), arrival, change["changeId"])
        for arrival, change in stated.values()
        if change["changeId"] not in rescinded
    )
    people: State = {}
    for *_, change_id in timeline:
        change = stated[change_id][1]
        person = change["employeeId"]
        match change["kind"]:
            case "joined":
                assert people.get(person) is None, f"{person} joined twice"
                people[person] = dict(change["attributes"])
            case "changed":
                attributes = people[person]
                assert attributes is not None, f"{person} changed while not employed"
                attributes.update(change["attributes"])
            case "left":
                assert people[person] is not None, f"{person} left twice"
                people[person] = None
    return people


_TOKEN = re.compile(r"""\s*("(?:\\"|[^"])*"|'(?:''|[^'])*'|[()\[\],]|[^\s()\[\],]+)""")


@cache
def _tokens(rule: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(rule))


def matches(rule: str, attributes: dict[str, Any]) -> bool:
    """Whether someone with these Graph properties matches the rule; the operators that the demo uses, nothing else."""
    tokens = list(_tokens(rule))

    def text() -> str:
        token: str = tokens.pop(0)
        assert token[0] in "\"'", f"{token} is no text"
        plain = token[1:-1].replace('\\"', '"') if token[0] == '"' else token[1:-1]
        return plain.replace("''", "'").casefold()

    def either() -> bool:
        result = both()
        while tokens and tokens[0] == "-or":
            tokens.pop(0)
            result = both() or result
        return result

    def both() -> bool:
        result = one()
        while tokens and tokens[0] == "-and":
            tokens.pop(0)
            result = one() and result
        return result

    def one() -> bool:
        token = tokens.pop(0)
        if token == "-not":
            return not one()
        if token == "(":
            result = either()
            assert tokens.pop(0) == ")"
            return result
        name = token.removeprefix("user.")
        value = (attributes | (attributes.get("onPremisesExtensionAttributes") or {})).get(name)
        value = value.casefold() if value is not None else None
        match tokens.pop(0):
            case "-eq":
                return value == text()
            case "-contains":
                return (part := text()) in (value or "") and bool(part)
            case "-in":
                assert tokens.pop(0) == "["
                listed = [text()]
                while tokens.pop(0) == ",":
                    listed.append(text())
                return value in listed
            case operator:
                raise AssertionError(f"{operator} is not read here")

    result = either()
    assert not tokens, f"left over: {tokens}"
    return result
