"""The answer in a word and a sentence, beside the lines that explain it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from services.audit.model import Line, Names, Span
from shared.web.graph_model import graph_time

Answer = Literal["has", "willHave", "had", "never"]


def of_all(who: str, ever: Sequence[Span], held: Sequence[Span], names: Names) -> tuple[Answer, str]:
    """Whether they hold anything, and what; `ever`: every span of theirs, `held`: those that last."""
    listed = ", ".join(f'"{names.packages.get(span.package or "", span.package)}"' for span in held)
    if held:
        return "has", f"{who} holds {listed}."
    return ("had" if ever else "never"), f"{who} holds nothing."


def of_package(
    who: str, package: str, ever: Sequence[Span], now: datetime, lines: Sequence[Line] = ()
) -> tuple[Answer, str]:
    """Whether they have it; `ever`: every span of theirs, `lines`: what is told of it besides.

    What was taken back before it began was never held: its end lies before its start."""
    what = f'"{package}"'
    begun = [span for span in ever if span.until is None or span.since < span.until]
    if held := [span for span in begun if span.holds_at(now, effective=False)]:
        withheld = ", and is given none of it while suspended" if _suspended(lines) else ""
        return "has", f"{who} has {what} since {graph_time(held[0].since)}{withheld}."
    if coming := [span for span in begun if span.since > now]:
        return "willHave", f"{who} will have {what} from {graph_time(min(span.since for span in coming))} on."
    if begun:
        last = max(begun, key=lambda span: span.since)
        end = graph_time(last.until) if last.until else "now"
        return "had", f"{who} had {what} from {graph_time(last.since)} until {end}."
    return "never", f"{who} has never had {what}: {_why_never(ever, lines)}."


def _suspended(lines: Sequence[Line]) -> bool:
    """Whether any source holds them, after all that these lines tell."""
    holds = dict(line.hold for line in lines if line.hold is not None)
    return any(holds.values())


def _why_never(ever: Sequence[Span], lines: Sequence[Line]) -> str:
    if ever:
        last = max(ever, key=lambda span: span.since)
        return f"what was to begin on {graph_time(last.since)} was taken back on {graph_time(last.until or last.since)}"
    asked = [line.what for line in lines if line.kind == "request"]
    return asked[-1].removesuffix(".") if asked else "none of its policies ever gave it to them"
