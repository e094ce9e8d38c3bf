"""The wiring of audit."""

from __future__ import annotations

from services.audit.answers import Answers
from services.audit.api import router_of
from services.audit.messages import subscriptions
from services.audit.sealing import Sealer
from services.audit.store import Checkpoints, Directory, Spans, Trail
from shared.messaging.service import Platform, Service


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing; the signing key is read, or made, when the first head is signed."""
    database, settings = platform.database, platform.settings
    trail, spans, directory = Trail(database), Spans(database), Directory(database)
    checkpoints = Checkpoints(database, settings.data_dir)
    sealer = Sealer(trail, checkpoints, platform.bus, platform.clock, settings, platform.failpoints)
    answers = Answers(
        trail,
        checkpoints,
        spans,
        directory,
        sealer,
        platform.clock,
        platform.right_of_way.turn,
        settings.read_wait_s,
    )
    return Service(
        name="audit",
        stores=[trail, checkpoints, spans, directory],
        subscriptions=subscriptions(platform, trail, spans, directory),
        routers=[router_of(answers, sealer)],
        background=[sealer.run],
    )
