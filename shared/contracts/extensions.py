"""Custom extensions: services of others that a catalog keeps, for its policies to have called at a stage of access.

Stored and said back; nothing calls them yet. What may open a door (the query of an address can carry a signature) stays
with the owner and stands in no fact.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Contract, Fact
from shared.contracts.catalog import CatalogTransition, Life
from shared.contracts.policy import Span


class ExtensionState(Contract):
    """One custom extension of a catalog."""

    id: str
    catalog_id: str
    kind: Literal["request", "assignment"] = Field(
        description="What it may be called about: a request's stages, or an assignment that ends soon."
    )
    display_name: str
    description: str = ""
    address: str | None = Field(None, description="Where it would be called, without the query.")
    callback_within: Span | None = Field(None, description="A request would wait that long for it to answer.")
    life: Life = Life.ACTIVE
    created_at: datetime
    modified_at: datetime


class ExtensionFact(Fact):
    """Key: the extension's id."""

    ce_type: ClassVar[str] = "tenure.catalog.extension.v1"
    transitions: tuple[CatalogTransition, ...]
    state: ExtensionState
