"""Why: stored records into sentences, and the sentences that explain one person's access to a package.

HR change -> person -> policy and its rule -> request -> approval (see `asked`) -> assignment -> grant -> membership,
told by correlation and ids. What was erased is told as far as the chain goes: that it happened, when and by whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from services.audit.decide import asked
from services.audit.decide.record import base_topic
from services.audit.decide.spans import moment
from services.audit.model import Document, Line, Names, Span
from shared.contracts.topics import (
    APPROVAL_FACTS,
    CATALOG_FACTS,
    DELIVERY_FACTS,
    GROUP_FACTS,
    HOLDING_FACTS,
    HR_CHANGES,
    HR_URGENT,
    MEMBERSHIP_FACTS,
    PACKAGE_FACTS,
    PERSON_FACTS,
    POLICY_FACTS,
    POPULATION_FACTS,
    REQUEST_FACTS,
)

STAGES = ("hr", "catalog", "person", "request", "approval", "assignment", "grant", "delivery", "membership")
REASONS = {
    "noLongerMatches": "the rule matches no longer",
    "left": "the person left",
    "expired": "its end had come",
    "removed": "it was taken away",
    "policyDeleted": "the policy was deleted",
}
SHOWN = 200


def body_of(document: Mapping[str, Any]) -> Document:
    """The message as it was received, as JSON; empty if erased or none."""
    text = (document.get("personal") or {}).get("body")
    if not isinstance(text, str):
        return {}
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(body, dict) and "specversion" in body and isinstance(body.get("data"), dict):
        body = body["data"]
    return body if isinstance(body, dict) else {}


def told(document: Mapping[str, Any], names: Names) -> list[Line]:
    """One stored record in sentences, one for each thing that happened. Empty for what explains nobody's access."""
    tell = _TELLERS.get(base_topic(document["topic"]))
    if tell is None:
        return []
    body = body_of(document)
    blank = Line(
        at=str(document.get("at") or document["time"]),
        effective_at=document.get("effectiveAt"),
        actor=str(document.get("actor", "unknown")),
        what="",
        id=str(document.get("id") or document["_id"]),
        kind="",
        correlation=document.get("correlation"),
    )
    said = body.get("transitions") or []
    lines: list[Line] = []
    for number, transition in enumerate(document["transitions"]):
        whole = said[number] if number < len(said) and isinstance(said[number], dict) else {}
        line = tell(blank, transition, whole, body, document, names)
        if line is not None:
            lines.append(line)
    return lines


def explained(
    spans: Sequence[Span], documents: Iterable[Mapping[str, Any]], names: Names, roles: Iterable[str] = ()
) -> list[Line]:
    """The lines that explain these assignments of one person, in the order in which things happened.

    `documents`: the person's records, the HR changes behind them, and those of the packages and policies.
    `roles`: role keys that the packages bring now, for what is not to be seen in the person's own records."""
    stored = list(documents)
    lines = [line for document in stored for line in told(document, names)]
    chosen: dict[tuple[str, str], Line] = {}
    for span in spans:
        keys = {*roles, *_roles_of(span, stored)}
        groups = {key.split("/")[1] for key in keys if key.count("/") >= 2}
        causes: set[str | None] = {
            line.correlation for line in lines if line.assignment == span.assignment and line.correlation
        }
        policies: set[str | None] = {
            line.policy for line in lines if line.assignment == span.assignment and line.policy
        }
        policies.add(span.policy)
        requests = {line.request for line in lines if line.kind == "request" and line.assignment == span.assignment}
        by_person = causes | _what_made_it_match(lines, span, policies, causes)
        for line in lines:
            why = by_person if line.kind in ("hr", "person") else causes
            if line.kind in ("request", "approval"):
                if line.request in requests:
                    chosen[line.id, line.what] = line
            elif _belongs(line, span, keys, groups, why, policies):
                chosen[line.id, line.what] = line
        chosen |= {(line.id, line.what): line for line in _withholding(lines, span)}
    return in_order(chosen.values())


def _withholding(lines: Sequence[Line], span: Span) -> list[Line]:
    """The suspensions in force when it began, and what came and went of them while it lasted."""
    in_force: dict[str, Line] = {}
    during: list[Line] = []
    for line in in_order(line for line in lines if line.hold is not None):
        at = _instant(line.at)
        if line.hold is None or (span.until is not None and at >= span.until.timestamp()):
            break
        source, there = line.hold
        if at >= span.since.timestamp():
            during.append(line)
        elif there:
            in_force[source] = line
        else:
            in_force.pop(source, None)
    return [*in_force.values(), *during]


def about_package(package: str, documents: Iterable[Mapping[str, Any]], names: Names) -> list[Line]:
    """What is told of a package that somebody never had: its policies, what they asked for, and who decided what."""
    every = [line for one in documents for line in told(one, names)]
    mine = [line for line in every if line.package == package and line.kind in ("catalog", "request", "assignment")]
    requests = {line.request for line in mine if line.kind == "request"}
    mine += [line for line in every if line.kind == "approval" and line.request in requests]
    # A record may have been found in two ways.
    return in_order({(line.id, line.what): line for line in mine}.values())


def _what_made_it_match(
    lines: Sequence[Line], span: Span, policies: set[str | None], causes: set[str | None]
) -> set[str | None]:
    """For an assignment that something else brought, such as a rule change, or a change of the person that was decided
    together with an earlier one: the correlation of the person's last change, before it, of anything that the rule
    names; of their joining if there was none."""
    rules = " ".join(line.what for line in lines if line.kind == "catalog" and line.policy in policies)
    named = set(_PROPERTY.findall(rules))
    of_causes = [line for line in lines if line.kind == "person" and line.correlation in causes]
    if not named or any(line.properties is None or line.properties & named for line in of_causes):
        return set()
    before = [line for line in lines if line.kind == "person" and _instant(line.at) <= span.since.timestamp()]
    for line in reversed(in_order(before)):
        if line.correlation and (line.properties is None or line.properties & named):
            return {line.correlation}
    return set()


_PROPERTY = re.compile(r"user\.(\w+)")


def in_order(lines: Iterable[Line]) -> list[Line]:
    """By time; what has the same time in the order in which one leads to another."""
    return sorted(lines, key=lambda line: (_instant(line.at), STAGES.index(line.kind), line.id))


def _belongs(
    line: Line,
    span: Span,
    roles: set[str],
    groups: set[str],
    causes: set[str | None],
    policies: set[str | None],
) -> bool:
    match line.kind:
        case "hr":
            return bool(line.origins & causes)
        case "person":
            return line.correlation in causes
        case "catalog":
            its_own = line.policy in policies if line.policy else line.package == span.package
            return its_own or line.correlation in causes
        case "assignment":
            return line.assignment == span.assignment
    its_own = line.group in groups if line.kind == "membership" else line.role in roles
    return its_own and _during(line, span, causes)


def _during(line: Line, span: Span, causes: set[str | None]) -> bool:
    if line.correlation in causes:
        return True
    at = _instant(line.at)
    return span.since.timestamp() <= at and (span.until is None or at < span.until.timestamp())


def _instant(text: str) -> float:
    at = moment(text)
    return at.timestamp() if at else 0.0


def _roles_of(span: Span, documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """Role keys that this assignment needed, as the person's holding said."""
    keys: set[str] = set()
    for document in documents:
        if base_topic(document["topic"]) == HOLDING_FACTS.name:
            for grant in (body_of(document).get("state") or {}).get("grants") or ():
                if span.assignment in grant.get("assignments", ()):
                    keys.add(_role_key(grant["role"]))
    return keys


def _role_key(role: Mapping[str, Any]) -> str:
    return f"{role.get('originSystem')}/{role.get('originId')}/{role.get('role')}"


def _role_name(role: Mapping[str, Any], names: Names) -> str:
    origin = str(role.get("originId"))
    return f'{role.get("role")} of "{names.groups.get(origin, origin)}"'


def _show(value: Any) -> str:
    text = "nothing" if value is None else f'"{value}"' if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _stated(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Each with its value; those that are nested by their own names."""
    for name, value in attributes.items():
        if isinstance(value, dict):
            yield from _stated(value)
        else:
            yield f"{name} {_show(value)}"


def _hr(line: Line, transition: Document, _whole: Document, body: Document, document: Any, _names: Names) -> Line:
    actor = line.actor.removeprefix("source:")
    kind = transition.get("kind", "something unreadable")
    if not body:
        what = f'{actor} said "{kind}"; its content has been erased'
    else:
        attributes = body.get("attributes")
        stated = ", ".join(_stated(attributes)) if isinstance(attributes, dict) else ""
        what = f'{actor} said "{kind}"' + (f": {stated}" if stated else "")
        line = replace(line, effective_at=_text(body.get("effectiveAt")), id=str(body.get("changeId") or line.id))
    origins = frozenset((document.get("personal") or {}).get("origins") or ())
    return replace(line, kind="hr", what=what, origins=origins)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_PERSON = {
    "PersonJoined": "joined",
    "PersonSuspended": "was suspended by {source}",
    "PersonReturned": "returned: {source} lifted its hold",
    "PersonLeft": "left",
    "PersonUnjoined": "has not joined after all",
    "IdentityLinked": "is person {personId}: a human linked them",
    "IdentityKeptApart": "is a person of their own: a human said so",
    "GuestDeleted": "was deleted as a guest whom a review had denied",
}
_HOLDS = {"PersonSuspended": True, "PersonReturned": False}
DENIED_GUEST = frozenset({"GuestBlocked", "GuestDeleted", "GuestKept", "GuestRefused"})
"""What becomes of a guest whom a review has denied: told whatever they hold, for it is about all of it."""


def _person(line: Line, transition: Document, whole: Document, _b: Document, _d: Any, _names: Names) -> Line | None:
    kind = transition["type"]
    if kind == "GuestBlocked" and transition.get("already"):
        return None  # only asked again
    if kind == "PersonChanged":
        changes = whole.get("changes")
        if isinstance(changes, dict):
            what = "changed: " + ", ".join(
                f"{name} from {_show(change.get('before'))} to {_show(change.get('after'))}"
                for name, change in changes.items()
            )
        else:
            what = "changed: " + ", ".join(transition.get("properties", [])) + " (values erased)"
    elif kind in DENIED_GUEST:
        what = _guest(kind, transition, whole)
    else:
        what = _PERSON.get(kind, "{type}").format_map({"source": "a source", **transition})
        if kind == "PersonJoined" and transition.get("returned"):
            what = "came back"
    properties = frozenset(transition.get("properties") or ()) if kind == "PersonChanged" else None
    hold = (str(transition.get("source")), _HOLDS[kind]) if kind in _HOLDS else None
    denied = kind in DENIED_GUEST
    return replace(line, kind="person", what=what, properties=properties, hold=hold, of_denied_guest=denied)


def _guest(kind: str, transition: Document, whole: Document) -> str:
    reason = (whole.get("reason") or {}).get("message") or (transition.get("reason") or {}).get("code")
    match kind:
        case "GuestBlocked":
            ends = str(transition.get("deletesAt"))[:10]
            detail = whole.get("detail")
            return f"was blocked from signing in, to be deleted on {ends}" + (f": {detail}" if detail else "")
        case "GuestKept":
            return f"is not deleted after a review: {reason}"
        case "GuestRefused":
            return f"was denied by a review and not blocked: {reason}"
    return _PERSON[kind]


def of_denied_guest(documents: Iterable[Mapping[str, Any]], names: Names) -> list[Line]:
    """What reviews had done to somebody as a guest, in the order in which it happened."""
    return in_order(line for one in documents for line in told(one, names) if line.of_denied_guest)


def _holding(line: Line, transition: Document, whole: Document, _b: Document, _d: Any, names: Names) -> Line | None:
    kind = transition["type"]
    if kind in ("GrantGiven", "GrantTaken"):
        role = transition["role"]
        what = f"{_role_name(role, names)} {'is due from now on' if kind == 'GrantGiven' else 'is due no longer'}"
        if transition.get("suspended"):
            what += ", while the person is suspended"
        return replace(line, kind="grant", what=what, role=_role_key(role))
    if kind == "AssignmentRefused":
        package = transition["packageId"]
        reason = transition.get("reason") or {}
        why = (whole.get("reason") or {}).get("message") or reason.get("code")
        what = f'package "{names.packages.get(package, package)}" was refused: {why}'
        return replace(line, kind="assignment", what=what, package=package)
    if kind in ("PackageExcluded", "ExclusionLifted"):
        return _exclusion(line, kind, transition, whole, names)
    assignment = transition.get("assignment") or transition.get("after") or transition
    if not isinstance(assignment, dict):
        assignment = transition
    id = assignment.get("id") or transition.get("assignmentId")
    package = assignment.get("packageId") or transition.get("packageId")
    policy = assignment.get("policyId")
    if id is None or package is None:
        return None
    what = _of_assignment(kind, transition, whole, assignment, names)
    return replace(line, kind="assignment", what=what, package=package, policy=policy, assignment=id)


def _exclusion(line: Line, kind: str, transition: Document, whole: Document, names: Names) -> Line | None:
    """What a review took and no rule gives again for a time."""
    exclusion = {**(transition.get("exclusion") or {}), **(whole.get("exclusion") or {})}
    package, assignment = exclusion.get("packageId"), exclusion.get("assignmentId")
    if package is None or assignment is None:
        return None
    named = f'package "{names.packages.get(package, package)}"'
    if kind == "PackageExcluded":
        detail = exclusion.get("detail")
        what = f"no rule gives {named} again until {exclusion.get('until')}" + (f": {detail}" if detail else "")
    else:
        how = "the exclusion was taken back" if transition.get("byHand") else "the exclusion is over"
        what = f"rules give {named} again where they match: {how}"
    return replace(line, kind="assignment", what=what, package=package, assignment=assignment)


def _of_assignment(  # noqa: PLR0911 (one a kind of transition)
    kind: str, transition: Document, whole: Document, assignment: Document, names: Names
) -> str:
    package = assignment.get("packageId") or transition.get("packageId")
    named = f'package "{names.packages.get(str(package), str(package))}"'
    policy = names.policies.get(str(assignment.get("policyId")), str(assignment.get("policyId")))
    until = f", until {assignment['endsAt']}" if assignment.get("endsAt") else ""
    if kind == "AssignmentAdded":
        if assignment.get("kind") == "automatic":
            return f'{named} was assigned: the rule of policy "{policy}" matches{until}'
        how = "on request" if assignment.get("kind") == "requested" else "directly"
        return f'{named} was assigned {how} under policy "{policy}"{until}'
    if kind == "AssignmentEnded":
        reason = transition.get("reason")
        detail = str(whole.get("detail") or "").replace(str(assignment.get("policyId")), f'"{policy}"')
        return f"{named} ended: {REASONS.get(str(reason), reason)}" + (f" ({detail})" if detail else "")
    if kind == "AssignmentMoved":
        before = transition.get("before") or {}
        if assignment.get("kind") == "automatic" and before.get("policyId") == assignment.get("policyId"):
            return f"{named} {_grace(policy, before.get('endsAt'), assignment.get('endsAt'))}"
        return f'{named} went on under policy "{policy}"{until}'
    if kind == "AssignmentBegan":
        return f"{named} began{until}"
    if kind == "AssignmentProgressed":
        return f"{named} is {transition.get('after')}"
    return f"{named} ends soon{until}"


def _grace(policy: str, before: str | None, after: str | None) -> str:
    """What became of an automatic assignment whose end was set or taken back."""
    if after:
        return f'stays until {after}, for the grace period: the rule of policy "{policy}" matches no longer'
    return f'stays: the rule of policy "{policy}" ends it no more on {before}, for it matches again or takes nothing'


def _delivery(line: Line, transition: Document, whole: Document, _b: Document, _d: Any, names: Names) -> Line | None:
    role = transition.get("role")
    if not isinstance(role, dict):
        return None
    named = _role_name(role, names)
    kind = transition["type"]
    if kind == "Delivered":
        what = f"{named} was delivered" + (": it was there before Tenure" if transition.get("found") else "")
    elif kind == "Removed":
        left = transition.get("leftInPlace")
        what = f"{named} " + ("stays: it was there before Tenure" if left else "was taken away at the resource")
    elif kind == "DeliveryFailed":
        message = (whole.get("reason") or {}).get("message") or (transition.get("reason") or {}).get("code")
        what = f"{named} could not be delivered: {message}"
    elif kind == "DriftFound":
        what = f"reconciliation found {named} not as it should be" + (
            ", and put it right" if transition.get("repaired") else ""
        )
    else:
        return None
    return replace(line, kind="delivery", what=what, role=_role_key(role))


def _membership(line: Line, transition: Document, whole: Document, _b: Document, _d: Any, names: Names) -> Line | None:
    group = str(transition.get("groupId"))
    named = f'"{names.groups.get(group, group)}"'
    kind = transition["type"]
    if kind == "MemberAdded":
        what = f"became a member of {named}"
    elif kind == "MemberRemoved":
        what = f"is no longer a member of {named}"
    elif kind == "MembershipRefused":
        why = (whole.get("reason") or {}).get("message") or (transition.get("reason") or {}).get("code")
        # Grants count from one: what has no version is the removal of a membership that no grant gave.
        removal = transition.get("grantVersion") == 0
        refused = f"stays a member of {named}, for the removal was" if removal else f"the membership of {named} was"
        what = f"{refused} refused: {why}"
    else:
        return None
    return replace(line, kind="membership", what=what, group=group)


def _catalog(line: Line, transition: Document, whole: Document, body: Document, document: Any, names: Names) -> Line:
    topic = document["topic"]
    state = body.get("state") or {}
    subject = str(document.get("subject"))
    thing = {
        POLICY_FACTS.name: "policy",
        PACKAGE_FACTS.name: "package",
        POPULATION_FACTS.name: "population",
        GROUP_FACTS.name: "group",
    }.get(topic, "catalog")
    named = f'{thing} "{state.get("displayName", subject)}"'
    if thing == "policy" and "packageId" in state:
        package = state["packageId"]
        named += f' of package "{names.packages.get(package, package)}"'
    kind = transition["type"]
    verb = {
        "Created": "was created",
        "Changed": "was changed",
        "DeletionAsked": "is to be deleted",
        "DeletionRefused": "stays: its deletion was refused",
        "Deleted": "was deleted",
    }.get(kind, kind)
    what = f"{named} {verb}"
    if kind == "Changed" and transition.get("properties"):
        what += f" ({', '.join(transition['properties'])})"
    if kind in ("Created", "Changed"):
        what += _definition(thing, state, names)
    return replace(
        line,
        kind="catalog",
        what=what,
        policy=subject if thing == "policy" else None,
        package=state.get("packageId") if thing == "policy" else subject if thing == "package" else None,
    )


def _definition(thing: str, state: Document, names: Names) -> str:
    if state.get("rule") or state.get("populationId"):
        return f": {state.get('rule') or 'population ' + state['populationId']}{_how(state)}"
    if thing == "package" and state.get("roles"):
        return ": " + ", ".join(_role_name(role, names) for role in state["roles"])
    return ""


def _how(state: Document) -> str:
    """Where an automatic policy does not simply give and take."""
    said = [] if state.get("givesAccess", True) else ["gives nothing new"]
    if not state.get("takesAccess", True):
        said.append("takes nothing away")
    elif state.get("gracePeriod"):
        said.append(f"takes away {state['gracePeriod']} later")
    return f" ({', '.join(said)})" if said else ""


_Teller = Callable[[Line, Document, Document, Document, Any, Names], Line | None]
_TELLERS: dict[str, _Teller] = {
    HR_CHANGES.name: _hr,
    HR_URGENT.name: _hr,
    PERSON_FACTS.name: _person,
    HOLDING_FACTS.name: _holding,
    DELIVERY_FACTS.name: _delivery,
    MEMBERSHIP_FACTS.name: _membership,
    CATALOG_FACTS.name: _catalog,
    PACKAGE_FACTS.name: _catalog,
    POLICY_FACTS.name: _catalog,
    POPULATION_FACTS.name: _catalog,
    REQUEST_FACTS.name: asked.of_request,
    APPROVAL_FACTS.name: asked.of_approval,
}
