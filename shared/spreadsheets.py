"""Values in tables that people open with a spreadsheet program."""

from __future__ import annotations

from typing import Any

_BEGIN_FORMULAS = frozenset("=+-@")
_BEGIN_MORE = frozenset("\t\r\n")


def harmless(value: Any) -> str:
    """As text, nothing as no text. What a spreadsheet would take for a formula is marked as text; some look for one
    beyond blanks."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip()[:1] in _BEGIN_FORMULAS or text[:1] in _BEGIN_MORE else text
