"""Separation of duties: who cannot be given a package because of what they hold, or which groups they are in.

One way (SOD-2): a package says whose holders cannot get it. Whatever gives asks this: requests, administrators (who
cannot pass it by) and rules. It never takes anything away, so who had both before keeps both (SOD-4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.assignment.model import Assignment
from services.assignment.rulebook import Package, Rulebook
from shared.contracts.base import Refusal


def separated(
    person_id: str, assignments: Mapping[str, Assignment], groups: Collection[str], package: Package, rules: Rulebook
) -> Refusal | None:
    """Why the person cannot be given `package`, if so. What is scheduled or suspended counts as held.

    `groups`: those that the person is in, in small letters."""
    for one in assignments.values():
        if one.package_id in package.incompatible:
            other = rules.packages[one.package_id].name
            text = f'Person {person_id} holds "{other}", which is incompatible with "{package.name}".'
            return Refusal(code="incompatibleAccessPackage", message=text)
    for group in groups:
        if group in package.incompatible_groups:
            text = f'Person {person_id} is in the group {group}, which is incompatible with "{package.name}".'
            return Refusal(code="incompatibleGroup", message=text)
    return None
