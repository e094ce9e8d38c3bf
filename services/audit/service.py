"""The wiring of audit."""

from __future__ import annotations

from services.audit.answers import Answers
from services.audit.api import router_of
from services.audit.evidence import Evidence
from services.audit.messages import subscriptions
from services.audit.sealing import Sealer
from services.audit.store.checkpoints import Checkpoints
from services.audit.store.names import Directory
from services.audit.store.trail import Spans, Trail
from shared.messaging.callers import Callers
from shared.messaging.service import Platform, Service
from shared.web.guard import Guard


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing; the signing key is read, or made, when the first head is signed."""
    database, settings = platform.database, platform.settings
    trail, directory = Trail(database), Directory(database)
    checkpoints = Checkpoints(database, settings.data_dir)
    sealer = Sealer(trail, checkpoints, platform.bus, platform.clock, settings, platform.failpoints)
    answers = Answers(
        trail,
        checkpoints,
        Spans(trail),
        directory,
        sealer,
        platform.clock,
        platform.right_of_way.turn,
        platform.hearing,
    )
    evidence = Evidence(
        trail, checkpoints, directory, sealer, platform.clock, platform.right_of_way.turn, platform.hearing
    )
    callers = Callers(database, platform.hearing)
    guard = Guard(callers)
    return Service(
        name="audit",
        stores=[trail, checkpoints, directory, *callers.stores],
        subscriptions=[*subscriptions(platform, trail, directory), *callers.subscriptions(platform)],
        routers=[router_of(answers, evidence, sealer, guard)],
        guard=guard,
        background=[sealer.run],
    )
