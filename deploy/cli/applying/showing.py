"""A plan and its result, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deploy.cli.applying.difference import NOUN, Difference, Plan, Step

if TYPE_CHECKING:
    from deploy.cli.applying.making import Result

SIGN = {"create": "+", "update": "~", "delete": "-"}
QUIET = {"hidden": "no", "state": "published", "externally visible": "yes", "direct": "yes"}
"""Not worth a line where something is made."""


def render(plan: Plan) -> str:
    """The plan as text: a line a thing with + (made), ~ (changed) or - (removed), and a summary."""
    lines: list[str] = []
    if plan.is_empty:
        lines.append(f"No changes: everything is as {plan.file} says.")
    else:
        lines += [f"Changes that {plan.file} asks for:", ""]
        lines += [f'  + group "{group.name}"' for group in plan.groups]
        for step in plan.steps:
            note = " (made by hand; kept by this file from now on)" if step.adopts else ""
            lines.append(f'  {SIGN[step.op]} {NOUN[step.kind]} "{step.title}"{note}')
            lines += [f"      {line}" for line in _lines(step)]
    if plan.notes:
        lines += ["", *(f"  # {note}" for note in plan.notes)]
    return "\n".join([*lines, "", summary(plan)])


def summary(plan: Plan) -> str:
    """Plan: 12 to add, 1 to change, 0 to remove."""
    counts = (plan.count("create"), plan.count("update"), plan.count("delete"))
    kept = f" {plan.adopted:,} made by hand to be kept by this file, as they are." if plan.adopted else ""
    return "Plan: {:,} to add, {:,} to change, {:,} to remove.".format(*counts) + kept


def _lines(step: Step) -> Iterator[str]:
    for one in step.differences:
        if step.op == "create":
            if one.after is not None and QUIET.get(one.what) != one.after:
                yield one.what if one.after == "given" else f"{one.what}: {one.after}"
        else:
            yield from _changed(one)


def _changed(one: Difference) -> Iterator[str]:
    if "given" in (one.before, one.after):
        yield f"{'+' if one.after else '-'} {one.what}"
    elif len(one.before or "") + len(one.after or "") > 80:
        yield f"{one.what}: {one.before or '(none)'}"
        yield f"{' ' * len(one.what)}-> {one.after or '(none)'}"
    else:
        yield f"{one.what}: {one.before or '(none)'} -> {one.after or '(none)'}"


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan for machines."""
    groups = [{"op": "create", "kind": "group", "name": group.name} for group in plan.groups]
    steps = [
        {
            "op": step.op,
            "kind": step.kind,
            "id": step.id,
            "name": step.title,
            "adopts": step.adopts,
            "differences": [{"what": d.what, "before": d.before, "after": d.after} for d in step.differences],
        }
        for step in plan.steps
    ]
    return {
        "file": plan.file,
        "managedBy": plan.name,
        "changes": [*groups, *steps],
        "notes": list(plan.notes),
        "summary": {"add": plan.count("create"), "change": plan.count("update"), "remove": plan.count("delete")},
    }


def render_result(result: Result) -> str:
    """What became of a plan."""
    lines = [f"! {one.title}: {one.message}" for one in result.refused]
    lines += [f"… {title}: goes once assignment has answered; nothing needs to be done" for title in result.deleting]
    counts = f"{result.added:,} added, {result.changed:,} changed, {result.removed:,} removed"
    left = f", {len(result.refused):,} refused" if result.refused else ""
    left += f", {len(result.deleting):,} still being removed" if result.deleting else ""
    return "\n".join([*lines, f"Applied in {result.seconds:.1f} s: {counts}{left}."])


def result_as_json(result: Result) -> dict[str, Any]:
    """The result for machines."""
    return {
        "added": result.added,
        "changed": result.changed,
        "removed": result.removed,
        "refused": [{"name": one.title, "code": one.code, "message": one.message} for one in result.refused],
        "deleting": list(result.deleting),
        "seconds": round(result.seconds, 3),
    }
