"""The public topic `tenure.notifications`, for whoever passes it on: chat, portals, ticket systems."""

from __future__ import annotations

from collections.abc import Sequence

from services.notification.channels import Away, Letter, Results
from services.notification.decide import Sent
from shared.clock import Clock
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.notification import Notification, Recipient
from shared.messaging.envelope import Outgoing, enveloped
from shared.messaging.errors import MayPass
from shared.messaging.failpoints import Failpoints, Point
from shared.messaging.ports import Publisher


class TopicOutlet:
    """Publishes; a crash before it is noted publishes again, under the same id."""

    def __init__(self, publisher: Publisher, clock: Clock, failpoints: Failpoints) -> None:
        self._publisher = publisher
        self._clock = clock
        self._failpoints = failpoints

    async def deliver(self, letters: Sequence[Letter], results: Results) -> None:
        results.update((letter.message.id, None) for letter in letters)
        try:
            await self._publisher.publish([self._record(letter) for letter in letters])
        except MayPass as problem:
            for letter in letters:
                results.pop(letter.message.id)
            raise Away(str(problem)) from problem
        self._failpoints.reach(Point.AFTER_PUBLISH, "notification")
        results.update((letter.message.id, Sent()) for letter in letters)

    async def close(self) -> None:
        """The connection is the process's."""

    def _record(self, letter: Letter) -> Outgoing:
        message, to, text = letter.message, letter.to, letter.text
        body = Notification.model_construct(
            id=message.id,
            event=message.event.value,
            recipient=Recipient.model_construct(
                id=to.id, user_principal_name=to.user_principal_name or None, mail=to.mail or None
            ),
            subject=text.subject,
            text=text.text,
            link=text.link,
            about=text.about,
            due_at=text.due_at,
        )
        return enveloped(
            topics.NOTIFICATIONS,
            to.id,
            body.json_bytes(),
            ce_id=message.id,
            ce_type=Notification.ce_type,
            source="notification",
            at=message.created_at,
            subject=to.id,
            cause=Cause.model_construct(id=message.fact, correlation=message.why.correlation, actor=message.why.actor),
        )
