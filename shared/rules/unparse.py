"""A rule back into text, in one canonical spelling: `parse(unparse(rule)) == rule`."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.rules.ast import And, Compare, DirectReports, Expr, MemberOf, Not, Now, Or, Quantified, Rule, Value
from shared.rules.properties import GROUP_ID, MEMBER_OF


def unparse(rule: Rule) -> str:
    """The canonical text of `rule`. It may be longer than what was parsed, for every operand gets parentheses."""
    return _text(rule.root)


def _text(expr: Expr) -> str:  # noqa: PLR0911 (one a kind of node)
    match expr:
        case And(terms):
            return " -and ".join(_operand(term) for term in terms)
        case Or(terms):
            return " -or ".join(_operand(term) for term in terms)
        case Not(term):
            return f"-not {_operand(term)}"
        case Quantified(subject, quantifier, body):
            return f"{subject.label} -{quantifier.value} ({_text(body)})"
        case MemberOf(groups):
            return f"{MEMBER_OF.label} -any ({GROUP_ID.label} -in {_value(groups)})"
        case DirectReports(manager):
            return f"Direct Reports for {_quote(manager)}"
        case Compare(subject, op, value):
            return f"{subject.label} -{op.value} {_value(value)}"


def _operand(expr: Expr) -> str:
    return f"({_text(expr)})"


def _value(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _quote(value)
        case tuple():
            return f"[{', '.join(_quote(item) for item in value)}]"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Now(shift):
            return f"system.now{_shift(shift)}"


def _shift(shift: timedelta) -> str:
    if not shift:
        return ""
    size = abs(shift)
    seconds = f"T{size.seconds}S" if size.seconds else ""
    return f" -{'plus' if shift == size else 'minus'} P{f'{size.days}D' if size.days else ''}{seconds}"


def _quote(text: str) -> str:
    single = text.replace("'", "''")
    if text.endswith(("\\", "`")):  # which would escape a closing double quote
        return f"'{single}'"
    escaped = single.replace('"', '\\"')
    return f'"{escaped}"'
