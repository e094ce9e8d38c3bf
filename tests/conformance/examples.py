"""A file of documented requests and responses: one JSON object a line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OURS = HERE / "examples.jsonl"
"""Our own, for a machine that has no others."""
REFERENCE = HERE.parents[2] / "shared" / "reference"
DOCUMENTED = REFERENCE / "graph-examples.jsonl"

_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_VERSION = re.compile(r"/(v1\.0|beta)(?=/|$)", re.IGNORECASE)


class NoExample(ValueError):
    """A line that is none. The message says where and why."""


@dataclass(frozen=True)
class Example:
    """One documented call."""

    id: str
    """Unique in its file: page and name, with a number where these repeat."""
    method: str
    path: str
    """From the version on, as written; the version is always v1.0."""
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    answer: Any = None
    """None: no body is documented."""


def read_examples(path: Path) -> list[Example]:
    """All of the file, in its order. Raises NoExample, which names the line; OSError."""
    examples: list[Example] = []
    taken: set[str] = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            example = _example(json.loads(line))
        except (ValueError, KeyError, TypeError) as problem:
            raise NoExample(f"{path}, line {number}: {type(problem).__name__}: {problem}") from problem
        id, again = example.id, 2
        while id in taken:
            id, again = f"{example.id}#{again}", again + 1
        taken.add(id)
        examples.append(Example(**{**vars(example), "id": id}))
    return examples


def _example(said: dict[str, Any]) -> Example:
    page = str(said.get("file") or "").removesuffix(".md")
    name = str(said.get("name") or "")
    return Example(
        id=f"{page}/{name}" if page and name else page or name or f"{said['method']} {said['path']}",
        method=str(said["method"]).upper(),
        path=_VERSION.sub("/v1.0", str(said["path"]), count=1),
        status=int(said["status"]),
        headers=dict(said.get("headers") or {}),
        body=_mended(said.get("request_body")),
        answer=_as_v1(_mended(said.get("response_body"))),
    )


_BETA_NAMES = {
    "requestState": "state",
    "requestStatus": "status",
    "completedDate": "completedDateTime",
    "resourceScope": "directoryScopeId",
}
"""Properties that old pages still show under the name they had in beta -> what they are called in v1.0."""


def _as_v1(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_as_v1(one) for one in answer]
    if not isinstance(answer, dict):
        return answer
    known = {name: _as_v1(value) for name, value in answer.items() if name not in _BETA_NAMES}
    older = {_BETA_NAMES[name]: _as_v1(value) for name, value in answer.items() if name in _BETA_NAMES}
    return older | known


def _mended(body: Any) -> Any:
    """A body that its page shows with trailing commas, read; any other as it is."""
    if isinstance(body, dict) and isinstance(text := body.get("_unparsed"), str):
        try:
            return json.loads(_TRAILING_COMMA.sub(r"\1", text))
        except ValueError:
            return body
    return body
