"""The packages that people of the demo ask for: a document as `tenure apply` reads, in a catalog of its own.

Groups are named after it too, so that neither packages nor groups are among those that the history judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.demo.script import AUTOMATIC_DENIAL, ESCALATION, LONG, ROOM, Package

CATALOG = "On request"
QUESTION = "What for?"

_TEXTS: Mapping[Package, str] = {
    Package.TRAVEL: "For the asking.",
    Package.SERVER: "The manager approves, or after some days the owner.",
    Package.DATA: "The manager approves, then the owner.",
    Package.ROOM: "For a month; the manager approves another.",
    Package.ENTER: "Not together with releasing them.",
    Package.RELEASE: "Not together with entering them.",
}


def group_of(package: str) -> str:
    """The name of the group that a package brings people into."""
    return f"{CATALOG}: {package}"


def has_package(body: Mapping[str, Any]) -> bool:
    """Whether that accessPackage, with its catalog, is one of these."""
    return bool((body["catalog"] or {}).get("displayName") == CATALOG)


def has_group(body: Mapping[str, Any]) -> bool:
    """Whether a package of these brings people into that group."""
    return body["displayName"] in {group_of(package) for package in Package}


def document(owner: str) -> dict[str, Any]:
    """`owner`: who decides second, by userPrincipalName."""
    return {
        "name": "on request",
        "groups": [{"name": group_of(package)} for package in Package],
        "catalogs": [
            {
                "name": CATALOG,
                "description": "What people ask for themselves.",
                "packages": [
                    {
                        "name": package.value,
                        "description": _TEXTS[package],
                        "roles": [{"group": group_of(package), "role": "Member"}],
                        "incompatible": [other.value for other in _excluded(package)],
                        "policies": [_policy(package, owner)],
                    }
                    for package in Package
                ],
            }
        ],
    }


def _excluded(package: Package) -> list[Package]:
    together = [Package.ENTER, Package.RELEASE]
    return [one for one in together if one is not package] if package in together else []


def _policy(package: Package, owner: str) -> dict[str, Any]:
    manager = {"approvers": [{"manager": 1}], "fallback": [{"user": owner}], "within": f"P{AUTOMATIC_DENIAL}D"}
    policy: dict[str, Any] = {
        "name": f"{package}, by request",
        "scope": "allMemberUsers",
        "requestors": {"self": ["add", "update", "remove"], "onBehalf": ["add"]},
    }
    match package:
        case Package.SERVER:
            escalation = {"after": f"P{ESCALATION}D", "to": [{"user": owner}]}
            stages = [{**manager, "escalation": escalation}]
            return {**policy, "expiresAfter": f"P{LONG}D", "approval": {"for": ["add"], "stages": stages}}
        case Package.DATA:
            stages = [manager, {"approvers": [{"user": owner}], "within": f"P{AUTOMATIC_DENIAL}D"}]
            return {
                **policy,
                "expiresAfter": f"P{LONG}D",
                "approval": {"for": ["add"], "justification": True, "stages": stages},
                "questions": [{"text": QUESTION, "required": True}],
            }
        case Package.ROOM:
            return {**policy, "expiresAfter": f"P{ROOM}D", "approval": {"for": ["update"], "stages": [manager]}}
        case _:
            return policy
