"""Requests and approvals in sentences: who asked for what, why, with which answers; who decided, and why.

Justifications and answers lie in the body: once it is erased, it is told that it was asked and how it was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from services.audit.model import Document, Line, Names
from shared.contracts.topics import APPROVAL_FACTS

_ASKED = {
    "userAdd": "was asked for",
    "userUpdate": "was asked to go on",
    "userRemove": "was asked to be given back",
    "adminAdd": "was to be assigned by an administrator",
    "adminUpdate": "was to go on by an administrator's will",
    "adminRemove": "was to be taken away by an administrator",
    "onBehalfAdd": "was asked for by somebody else",
    "systemRemove": "was given back by the service, for its time was over",
}
_ASKING = ("approvers", "added", "removed")
_TURNS = {
    "RequestApproved": "was approved",
    "RequestExpired": "ended, for nobody decided in time",
    "RequestReprocessed": "was to be delivered once more",
}


def of_request(
    line: Line, transition: Document, whole: Document, body: Document, document: Mapping[str, Any], names: Names
) -> Line | None:
    """None for turns that say nothing new beside those of the assignment."""
    state = body.get("state") or {}
    subject = str(document.get("subject"))
    named = f'package "{names.packages.get(str(state.get("packageId")), str(state.get("packageId")))}"'
    kind = transition["type"]
    if kind == "RequestSubmitted":
        what = _submitted(named, state, names)
    elif kind == "RequestApprovalAsked":
        stages = whole.get("stages")
        what = f"the request for {named} went to approval" + (f", stages: {stages}" if stages else "")
    elif kind in _TURNS:
        what = f"the request for {named} {_TURNS[kind]}"
    elif kind == "RequestDenied":
        what = f"the request for {named} was denied{_why(whole.get('reason'))}"
    elif kind == "RequestCanceled":
        what = f"the request for {named} was canceled{_why(whole.get('reason'))}"
    elif kind == "RequestDelivered":
        what = f"the request for {named} was fulfilled" + (
            " in part" if whole.get("status") == "partiallyDelivered" else ""
        )
    elif kind == "RequestDeliveryFailed":
        what = f"the request for {named} could not be fulfilled{_why(whole.get('reason'))}"
    else:
        return None
    return replace(
        line,
        kind="request",
        what=what,
        request=subject,
        package=state.get("packageId"),
        policy=state.get("policyId"),
        assignment=state.get("assignmentId"),
    )


def _submitted(named: str, state: Document, names: Names) -> str:
    policy, version = str(state.get("policyId")), state.get("policyVersion")
    what = f"{named} {_ASKED.get(str(state.get('type')), 'was asked for')}"
    if policy != "None":
        what += f' under policy "{names.policies.get(policy, policy)}"' + (f", version {version}" if version else "")
    if state.get("endsAt"):
        what += f", until {state['endsAt']}"
    if state.get("justification"):
        what += f': "{state["justification"]}"'
    for answer in state.get("answers") or ():
        question = answer.get("question") or f"question {answer.get('questionId')}"
        what += f'; {question} "{answer.get("displayValue") or answer.get("value")}"'
    return what


def _why(reason: Any) -> str:
    message = reason.get("message") if isinstance(reason, dict) else None
    return f": {message}" if message else ""


def of_approval(
    line: Line, transition: Document, whole: Document, _body: Document, document: Mapping[str, Any], names: Names
) -> Line | None:
    """Who was asked, who decided each stage and why, or that nobody did."""
    kind, stage = transition["type"], f"stage {transition.get('number')}"
    if kind == "StageStarted":
        what = f"{stage} began: {_people(transition, names)} may decide until {transition.get('expiresAt')}"
    elif kind == "StageEscalated":
        what = f"{stage} also went to {_people(transition, names)}"
    elif kind == "StageDecided":
        by = str(transition.get("by"))
        what = f"{stage} was {str(transition.get('result')).lower()} by {names.people.get(by, by)}"
        if whole.get("justification"):
            what += f': "{whole["justification"]}"'
    elif kind == "ApproversChanged":
        what = _others(transition, names)
    elif kind == "StageTimedOut":
        what = f"{stage} ran out of time"
    else:
        return None
    return replace(line, kind="approval", what=what, request=str(document.get("subject")))


def _others(transition: Document, names: Names) -> str:
    """Whom the rules lead to now, and to whom no longer."""
    added, removed = _people(transition, names, "added"), _people(transition, names, "removed")
    if not transition.get("added"):
        return f"{removed} may decide no longer"
    return f"{added} may decide from now on" + (f", and {removed} no longer" if transition.get("removed") else "")


def _people(transition: Document, names: Names, of: str = "approvers") -> str:
    who = [names.people.get(str(one), str(one)) for one in transition.get(of) or ()]
    return ", ".join(who) or "nobody"


def deciding(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """People whom approvals among these records name."""
    return {
        str(person)
        for document in documents
        if document["topic"] == APPROVAL_FACTS.name
        for transition in document["transitions"]
        for person in (*(one for of in _ASKING for one in transition.get(of) or ()), transition.get("by"))
        if person
    }
