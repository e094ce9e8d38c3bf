"""What the directory says of applications and sites, for the tests of catalog."""

import uuid
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.contracts import topics
from shared.contracts.base import Cause, Fact
from shared.contracts.resources import (
    ApplicationCreated,
    ApplicationDeleted,
    ApplicationFact,
    ApplicationState,
    AppRole,
    SiteCreated,
    SiteFact,
    SiteRole,
    SiteState,
)
from shared.contracts.topics import Topic

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="test", correlation="test", actor="system:test")


class Directory:
    """Says what the directory would."""

    def __init__(self, world: Any, producer: AIOKafkaProducer) -> None:
        self._world, self._producer = world, producer

    async def say(self, topic: Topic, fact: Fact) -> None:
        name = self._world.settings.topic(topic.name)
        await self._producer.send_and_wait(name, fact.json_bytes(), key=fact.subject.encode())

    async def application(
        self,
        *roles: AppRole,
        id: str = "",
        version: int = 1,
        there: bool = True,
        audience: str = "AzureADMyOrg",
        name: str = "Expenses",
    ) -> str:
        id = id or str(uuid.uuid4())
        state = ApplicationState(
            id=id, app_id=f"app-{id}", is_principal=there, display_name=name, app_roles=roles, created_at=NOW,
            sign_in_audience=audience,
        )  # fmt: skip
        happened = ApplicationCreated(principal=True) if there else ApplicationDeleted(principal=True)
        fact = ApplicationFact(
            id=f"application:{id}:{version}", cause=CAUSE, subject=id, version=version, at=NOW,
            transitions=(happened,), state=state,
        )  # fmt: skip
        await self.say(topics.APPLICATION_FACTS, fact)
        return id

    async def site(self, url: str) -> None:
        id = str(uuid.uuid4())
        roles = (SiteRole(id="4", display_name="Sales Visitors"), SiteRole(id="5", display_name="Sales Members"))
        state = SiteState(id=id, web_url=url, display_name="Sales", roles=roles, created_at=NOW)
        fact = SiteFact(
            id=f"site:{id}:1", cause=CAUSE, subject=id, version=1, at=NOW, transitions=(SiteCreated(),), state=state
        )
        await self.say(topics.SITE_FACTS, fact)
