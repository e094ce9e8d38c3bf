"""Provisioning says how far the grants have come: assignments get on with them."""

from __future__ import annotations

from dataclasses import replace

from services.assignment.decide.look import Look
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from shared.contracts.provisioning import Delivered, DeliveriesFact, DeliveryFailed, DeliveryStarted, DriftFound
from shared.messaging.decision import Circumstances, Decision

TELLING = (Delivered, DeliveryStarted, DeliveryFailed, DriftFound)
"""What of deliveries an assignment gets on by; what only tells of removals is no news to whoever holds it."""


def deliveries_told(holding: Holding | None, fact: DeliveriesFact, at: Circumstances[Look]) -> Decision[Holding]:
    """Take over what is new of the present versions of the grants; nothing is written if nothing is.

    The two lanes may bring facts in any order, so of each grant it is kept by which fact its status was said."""
    if holding is None:
        return Decision(holding)
    grants = holding.grants
    for delivery in fact.state.deliveries:
        grant = grants.get(delivery.role.key)
        if grant is None or grant.version != delivery.version or not grant.deliver or not delivery.wanted:
            continue
        if delivery.said_in > grant.said_in:
            grants = {**grants, grant.key: replace(grant, delivery=delivery.status, said_in=delivery.said_in)}
    if grants is holding.grants:
        return Decision(holding)
    return settle(holding.having(grants=grants), at, known=holding)
