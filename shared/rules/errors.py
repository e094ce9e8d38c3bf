"""Refusals of the rule language, worded so that whoever wrote the rule can mend it."""

from __future__ import annotations

_WIDTH = 88


class RuleError(ValueError):
    """A rule that cannot be accepted: what is wrong, where, and what to do about it.

    `line` and `column` count from 1; `snippet` is the offending line (cut around the place) with carets below it.
    """

    def __init__(self, message: str, *, text: str = "", at: int = 0, length: int = 1, hint: str = "") -> None:
        at = min(at, len(text))
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        self.message = message
        self.hint = hint
        self.line = text.count("\n", 0, at) + 1
        self.column = at - start + 1
        self.snippet = _snippet(text[start : end if end >= 0 else len(text)], at - start, max(1, length))
        super().__init__(message)

    def __str__(self) -> str:
        parts = [f"{self.message} (line {self.line}, column {self.column})", self.snippet, self.hint]
        return "\n".join(part for part in parts if part)


class PatternTooSlow(Exception):
    """A `-match` pattern used up its time on one value: the verdict is unknown, neither true nor false.

    Repeating will not help. A caller should leave the person as they are under this rule and alert.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__(f"The pattern {pattern!r} takes too long on a value; rewrite it without nested repetition.")
        self.pattern = pattern


def _snippet(line: str, column: int, length: int) -> str:
    if not line.strip():
        return ""
    first = max(0, min(column - _WIDTH // 2, len(line) - _WIDTH))
    shown = line[first : first + _WIDTH].replace("\t", " ")
    carets = "^" * max(1, min(length, len(shown) - (column - first)))
    return f"  {shown}\n  {' ' * (column - first)}{carets}"
