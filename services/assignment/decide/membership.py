"""Somebody became or ceased to be a member of a group that a rule names."""

from __future__ import annotations

from collections.abc import Iterable

from services.assignment.decide.look import Look
from services.assignment.decide.person import member_of
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from shared.contracts.directory import MembershipFact
from shared.messaging.decision import Circumstances, Decision
from shared.rules.text import fold


def membership_changed(holding: Holding | None, fact: MembershipFact, at: Circumstances[Look]) -> Decision[Holding]:
    """Keep it for rules to see, and settle. A group that no rule names is left to the replica of memberships."""
    group = fact.state.group_id.lower()
    if group not in at.context.rules.groups:
        return Decision(holding)
    before = holding if holding is not None else Holding(fact.state.person_id)
    now = knowing(before, [(group, fact.version, fact.state.member)])
    if now is before and before.epoch >= at.context.epoch:
        return Decision(holding)
    return settle(now, at, known=before)


def knowing(holding: Holding, memberships: Iterable[tuple[str, int, bool]]) -> Holding:
    """`holding` with what is newer of these; itself if nothing is."""
    newer = {g: (v, m) for g, v, m in memberships if v > holding.memberships.get(g, (0, False))[0]}
    if not newer:
        return holding
    every = {**holding.memberships, **newer}
    facets = {name: value for name, value in holding.facets.items() if name != "memberOf"}
    if groups := sorted(fold(group) for group in member_of(every)):
        facets["memberOf"] = groups
    return holding.having(memberships=every, facets=facets)
