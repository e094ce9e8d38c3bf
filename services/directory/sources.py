"""Sources of people: which there are, how their identities are linked, who may set which attribute.

The file named by `TENURE_SOURCES_FILE`:

    sources:                        # in the order of their authority
      hr: {}                        # its identities are employee ids
      contractors:
        employeeIds: false          # it numbers people by itself: only an `employeeId` that it states is one
    correlate: [mail, userPrincipalName]      # tried in this order, after the employee id
    authority:                      # for some properties, another order; a source not named may not set it
      mail: [contractors, hr]

Rules that point at different people settle nothing: the identity waits without access for a human (`decide/links.py`).
Whoever writes users over HTTP is the source `api`: the last in the order unless a property's own order names it. What
people say of themselves, source `answers`, fills what nobody else sets, unless the property has an order of its own.
Without a file: one source, `hr`, with authority over everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from services.directory import properties

API = "api"
"""Whoever calls the HTTP API: holds people, makes and changes users."""
ANSWERS = "answers"
"""People themselves, by what they answered when they asked for access (`decide/answers.py`)."""
_OURS = {API, ANSWERS}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class SourcesFileError(ValueError):
    """The sources file says something that cannot be. The message names the place."""


@dataclass(frozen=True)
class Source:
    """One system that tells us about people."""

    name: str
    employee_ids: bool = True
    """Its identities are the company's employee ids: the same one in two such sources is the same person."""


@dataclass(frozen=True)
class Sources:
    """All sources, in the order of their authority."""

    by_name: dict[str, Source] = field(default_factory=lambda: {"hr": Source("hr")})
    correlate: tuple[str, ...] = ()
    authority: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        return len(self.by_name) > 1

    @property
    def primary(self) -> str:
        """The source after which people known by their employee id alone are named."""
        return next((name for name, source in self.by_name.items() if source.employee_ids), next(iter(self.by_name)))

    def knows(self, name: str) -> bool:
        return name in self.by_name or name == API

    def who_may_set(self, attribute: str) -> tuple[str, ...]:
        """Sources that may set it, the one that wins first."""
        return self.authority.get(attribute) or self._in_order

    def may_set(self, source: str, attribute: str) -> bool:
        return source in self.who_may_set(attribute)

    def may_be_answered(self, attribute: str) -> bool:
        """Whether people's own word fills it where nobody else sets it."""
        return attribute not in self.authority

    def said(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "value": [{"name": one.name, "employeeIds": one.employee_ids} for one in self.by_name.values()],
            "correlate": list(self.correlate),
            "authority": {attribute: list(names) for attribute, names in self.authority.items()},
        }

    @cached_property
    def _in_order(self) -> tuple[str, ...]:
        return (*self.by_name, API)


DEFAULT = Sources()


def read_sources(path: Path | None) -> Sources:
    """Read the file; without one, `DEFAULT`. Raises SourcesFileError, which names the place."""
    if path is None:
        return DEFAULT
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SourcesFileError(f"TENURE_SOURCES_FILE: {path}: {problem.strerror}.") from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise SourcesFileError(f"{path} is no YAML: {problem}") from problem
    try:
        return sources_of(said)
    except SourcesFileError as problem:
        raise SourcesFileError(f"{path}: {problem}") from None


def sources_of(said: Any) -> Sources:
    """Sources from what the file says."""
    top = _object(said, "the file", {"sources", "correlate", "authority"})
    by_name: dict[str, Source] = {}
    for name, options in _object(top.get("sources"), "sources").items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _OURS:
            ours = "not api, not answers"
            raise SourcesFileError(f"sources: {name!r} cannot name a source (letters, digits, '.', '_', '-'; {ours}).")
        given = _object(options or {}, f"sources/{name}", {"employeeIds"})
        by_name[name] = Source(name, _flag(given, name, "employeeIds"))
    if not by_name:
        raise SourcesFileError("sources: name at least one.")
    correlate = _names(top.get("correlate") or [], "correlate")
    for name in correlate:
        if properties.TYPES.get(name) is not properties.Type.TEXT:
            raise SourcesFileError(f"correlate: {name} is no text property of a user.")
    authority: dict[str, tuple[str, ...]] = {}
    for attribute, ordered in _object(top.get("authority") or {}, "authority").items():
        if attribute not in properties.TYPES and not attribute.startswith("extension_"):
            raise SourcesFileError(f"authority: {attribute} is no property of a user.")
        authority[attribute] = _names(ordered, f"authority/{attribute}")
        for name in authority[attribute]:
            if name not in by_name and name != API:
                raise SourcesFileError(f"authority/{attribute}: {name} is not listed under sources.")
    return Sources(by_name, correlate, authority)


def _object(said: Any, where: str, allowed: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise SourcesFileError(f"{where} must be an object.")
    for name in said:
        if allowed is not None and name not in allowed:
            raise SourcesFileError(f"{where}: {name} is not known; there is {', '.join(sorted(allowed))}.")
    return said


def _names(said: Any, where: str) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise SourcesFileError(f"{where} must be a list of names.")
    return tuple(said)


def _flag(given: dict[str, Any], source: str, name: str) -> bool:
    value = given.get(name, True)
    if not isinstance(value, bool):
        raise SourcesFileError(f"sources/{source}/{name} must be true or false.")
    return value
