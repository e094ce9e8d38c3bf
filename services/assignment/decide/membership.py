"""Somebody became or ceased to be a member of a group that a rule names."""

from __future__ import annotations

from services.assignment.decide.look import Look, Memberships
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from services.assignment.rulebook import Rulebook
from shared.contracts.directory import MembershipsFact
from shared.messaging.decision import Circumstances, Decision
from shared.rules.text import fold


def memberships_changed(holding: Holding | None, fact: MembershipsFact, at: Circumstances[Look]) -> Decision[Holding]:
    """Keep what rules can see of it, and settle. What touches no group that a rule names is left to the replica."""
    if fact.subject not in at.context.concerned:
        return Decision(holding)
    before = holding if holding is not None else Holding(fact.subject)
    now = knowing(before, memberships_in(fact), at.context.rules)
    if now is before and before.epoch >= at.context.epoch:
        return Decision(holding)
    return settle(now, at, known=before)


def memberships_in(fact: MembershipsFact) -> Memberships:
    """The groups of which the person is a member now."""
    return Memberships(fact.version, frozenset(map(str.lower, fact.state.member_of)))


def knowing(holding: Holding, said: Memberships, rules: Rulebook) -> Holding:
    """`holding` with these memberships, as far as rules name the groups; itself if it knows them or later ones.

    The same version may tell more than before, for by now rules may name other groups. They are never older than those
    that the holding was decided under, so nothing is left out that a rule has come to name."""
    if said.version < holding.memberships_version:
        return holding
    groups = tuple(sorted(said.groups & rules.groups.keys()))
    if said.version == holding.memberships_version and groups == holding.groups:
        return holding
    facets = {name: value for name, value in holding.facets.items() if name != "memberOf"}
    if groups:
        facets["memberOf"] = sorted(map(fold, groups))
    return holding.having(memberships_version=said.version, groups=groups, facets=facets)
