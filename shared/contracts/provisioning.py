"""What provisioning says: how far each grant has come at its resource."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Contract, Fact, Refusal, Transition
from shared.contracts.catalog import ResourceRole


class DeliveryStatus(StrEnum):
    """How far one grant has come."""

    DELIVERING = "delivering"
    DELIVERED = "delivered"
    REMOVING = "removing"
    REMOVED = "removed"
    FAILED = "failed"


class DeliveryState(Contract):
    """One resource role for one person, as wanted and as it is."""

    role: ResourceRole
    wanted: bool
    version: int = Field(description="The grant version being obeyed; older ones are ignored.")
    status: DeliveryStatus
    found: bool = Field(False, description="It was there before Tenure gave it, so Tenure never takes it away.")
    attempts: int = 0
    problem: Refusal | None = None
    changed_at: datetime
    said_in: int = Field(
        ge=1,
        description="Version of the first fact with this status. Of two facts about one delivery the higher is right, "
        "in whatever order they come.",
    )


class DeliveriesState(Contract):
    """Everything delivered to one person."""

    person_id: str
    deliveries: tuple[DeliveryState, ...] = ()


class DeliveryStarted(Transition):
    """What had failed for good is tried once more. A first try is not told: the grant and its command say all of it."""

    type: Literal["DeliveryStarted"] = "DeliveryStarted"
    role: ResourceRole
    version: int
    wanted: bool


class Delivered(Transition):
    type: Literal["Delivered"] = "Delivered"
    role: ResourceRole
    version: int
    found: bool = False


class Removed(Transition):
    type: Literal["Removed"] = "Removed"
    role: ResourceRole
    version: int
    left_in_place: bool = Field(False, description="It was there before Tenure, and stays.")


class DeliveryFailed(Transition):
    type: Literal["DeliveryFailed"] = "DeliveryFailed"
    role: ResourceRole
    version: int
    reason: Refusal
    final: bool = False


class DriftFound(Transition):
    """Reconciliation found a delivery that is not as it should be."""

    type: Literal["DriftFound"] = "DriftFound"
    role: ResourceRole
    expected: bool
    repaired: bool


DeliveryTransition = Annotated[
    DeliveryStarted | Delivered | Removed | DeliveryFailed | DriftFound, Field(discriminator="type")
]


class DeliveriesFact(Fact):
    """One person's deliveries got on. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.provisioning.deliveries.v1"
    transitions: tuple[DeliveryTransition, ...]
    state: DeliveriesState
