"""Provisioning says how far the grants have come: assignments get on with them."""

from __future__ import annotations

from dataclasses import replace

from services.assignment.decide.look import Look
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from shared.contracts.provisioning import DeliveriesFact
from shared.messaging.decision import Circumstances, Decision


def deliveries_told(holding: Holding | None, fact: DeliveriesFact, at: Circumstances[Look]) -> Decision[Holding]:
    """Take over what is said of the present versions of the grants. Older facts, and older versions, say nothing."""
    if holding is None or fact.version <= holding.delivery_version:
        return Decision(holding)
    grants = holding.grants
    concerned = False
    for delivery in fact.state.deliveries:
        grant = grants.get(delivery.role.key)
        if grant is None or grant.version != delivery.version or not grant.deliver or not delivery.wanted:
            continue
        concerned = True
        if grant.delivery is not delivery.status:
            grants = {**grants, grant.key: replace(grant, delivery=delivery.status)}
    if not concerned:
        return Decision(holding)
    # Written even if nothing is new, so that an older fact in the other lane cannot undo it.
    return settle(holding.having(grants=grants, delivery_version=fact.version), at, known=holding)
