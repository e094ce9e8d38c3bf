"""When time alone changes a verdict: only rules with `system.now` do that, and only at a hire date."""

from __future__ import annotations

from datetime import datetime

from shared.rules import ast
from shared.rules.ast import Compare, Now, Rule
from shared.rules.evaluate import Verdict, compile
from shared.rules.facets import Facets
from shared.rules.properties import HIRE_DATE
from shared.rules.text import MILLISECOND, instant, shifted


def next_change(rule: Rule, facets: Facets, now: datetime, verdict: Verdict | None = None) -> datetime | None:
    """The first moment after `now` at which the verdict on an unchanged person differs; None if it never will.

    `verdict` saves compiling the rule again. In UTC, to the millisecond.
    """
    hired: datetime | None = facets.get(HIRE_DATE.name)
    if hired is None or not rule.references.uses_clock:
        return None
    hired, now = instant(hired), instant(now)
    verdict = verdict or compile(rule)
    # `hired <op> now + shift` turns when now reaches hired - shift, or one step later, whatever the operator.
    meetings = [
        shifted(hired, -node.value.shift)
        for node, _ in ast.walk(rule.root)
        if isinstance(node, Compare) and isinstance(node.value, Now)
    ]
    present = verdict(facets, now)
    turns = sorted({turn for meeting in meetings for turn in (meeting, shifted(meeting, MILLISECOND)) if turn > now})
    return next((turn for turn in turns if verdict(facets, turn) != present), None)
