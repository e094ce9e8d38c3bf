"""The table of the README: how many documented requests are answered as documented, by what they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.conformance.replay import Outcome

_EM, _AR = "/identitygovernance/entitlementmanagement", "/identitygovernance/accessreviews"
_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "packages, policies, catalogs, resources",
        tuple(f"{_EM}/{name}" for name in ("accesspackages", "assignmentpolicies", "catalogs", "resource")),
    ),
    (
        "requests, approvals, assignments",
        tuple(f"{_EM}/{name}" for name in ("assignments", "assignmentrequests", "accesspackageassignmentapprovals")),
    ),
    ("connected organisations, settings", (_EM,)),
    ("access reviews", (f"{_AR}/definitions", f"{_AR}/decisions")),
    ("histories of reviews", (_AR,)),
    ("role management", ("/rolemanagement",)),
    ("users, `/me`, invitations", ("/users", "/me", "/invitations")),
    ("groups, directory objects", ("/groups", "/directory")),
    ("the rest", ("",)),
)
"""Names of rows, and how the paths of their operations begin; the first that fits is the one."""


def row_of(operation: str) -> str:
    """`GET /users/{id}` -> the row that it is counted in."""
    path = operation.partition(" ")[2].lower()
    return next(name for name, beginnings in _ROWS if path.startswith(beginnings))


def table(outcomes: Iterable[Outcome]) -> list[str]:
    """Lines of Markdown; rows without any example are left out."""
    of, passed = Counter[str](), Counter[str]()
    for one in outcomes:
        of[row_of(one.operation)] += 1
        passed[row_of(one.operation)] += one.passed
    rows = [f"| {name} | {passed[name]} of {of[name]} |" for name, _ in _ROWS if of[name]]
    together = f"| **together** | **{passed.total()} of {of.total()}** |"
    return ["| operations | pass |", "| --- | --- |", *rows, together]
