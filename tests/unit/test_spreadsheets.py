"""What a spreadsheet program would take for a formula is none."""

from __future__ import annotations

import pytest

from shared.spreadsheets import harmless


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1+1", "\u00a0=1", "\n"])
def test_a_formula_becomes_a_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(("value", "said"), [("Ana", "Ana"), (" Ana", " Ana"), ("a=b", "a=b"), (None, ""), (3, "3")])
def test_all_else_stays_as_it_is(value: object, said: str) -> None:
    assert harmless(value) == said
