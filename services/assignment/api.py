"""What assignment answers over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from services.assignment.model import Holding
from services.assignment.store import Looks
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.storage import MongoAggregates


def routes(
    platform: Platform, loop: Loop[Holding], holdings: MongoAggregates, jobs: MongoAggregates, looks: Looks
) -> APIRouter:
    """All of them."""
    return APIRouter()
