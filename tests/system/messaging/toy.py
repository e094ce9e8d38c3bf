"""A toy service over the kit, as a process of its own: `python -m tests.system.messaging.toy`, settings in TENURE_….

`toy` counts the messages of each person (HR changes; ordinary and urgent), takes commands and rings timers; `mirror`
keeps a replica of what it says. Commands and questions come by a Unix socket (TOY_SOCKET), one JSON line each.
With `--nursery` it only imports, and forks a process for every line of settings that it is given: that starts at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.contracts import topics
from shared.contracts.base import Cause, Lane
from shared.contracts.directory import PersonChanged, PersonFact, PersonState, PersonStatus, ValueChange
from shared.contracts.hr import HrChange
from shared.messaging import kafka
from shared.messaging.decision import AggregateKind, Circumstances, Decision, Due, Handler, by
from shared.messaging.errors import GivenUp
from shared.messaging.host import Host
from shared.messaging.service import Platform, Service, Timer
from shared.settings import Settings
from shared.storage import MongoAggregates, Replica
from shared.telemetry.logs import configure

State = dict[str, Any]


def public(state: State) -> PersonState:
    attributes = {"count": len(state["seen"]), "padding": "x" * state.get("large", 0)}
    return PersonState.model_construct(id=state["id"], status=PersonStatus.ACTIVE, attributes=attributes)


def due_at(state: State) -> datetime | None:
    return min((ring["at"] for ring in state["rings"]), default=None)


PERSON = AggregateKind[State](
    name="person",
    owner="toy",
    dump=lambda state: state,
    load=lambda document: document,
    topic=topics.PERSON_FACTS,
    fact=PersonFact,
    public=public,
    due_at=due_at,
)


def happened(id: str) -> PersonChanged:
    """A transition that names the message it comes from: the ledger counts these."""
    return PersonChanged(changes={id: ValueChange()})


def decide(state: State | None, message: HrChange, at: Circumstances[None]) -> Decision[State]:
    """Count `message`, once. Attributes ask for trouble: bug, large, unstorable; `ring` sets a timer."""
    if state is not None and message.change_id in state["seen"]:
        return Decision(state)
    wish = message.attributes
    if wish.get("bug"):
        raise ZeroDivisionError("a bug met by this person")
    new: State = {**(state or {"rings": []}), "id": message.employee_id}
    new["seen"] = [*(state["seen"] if state else ()), message.change_id]
    if "ring" in wish:
        moment = at.now + timedelta(seconds=wish["ring"])
        ring = {
            "id": f"ring-{message.change_id}",
            "at": moment.replace(microsecond=0),
            "bad": bool(wish.get("badRing")),
        }
        new["rings"] = [*new["rings"], ring]
    if "large" in wish:
        new["large"] = wish["large"]
    if wish.get("unstorable"):
        new["number"] = 2**70
    return Decision(new, (happened(message.change_id),))


def ring(state: State | None, message: Due, at: Circumstances[None]) -> Decision[State]:
    """What is due rings, once."""
    rings = [one for one in state["rings"] if one["at"] <= at.now] if state else []
    if state is None or not rings:
        return Decision(state)
    if any(one["bad"] for one in rings):
        raise ZeroDivisionError("a timer that fails")
    new = {
        **state,
        "rings": [one for one in state["rings"] if one not in rings],
        "seen": [*state["seen"], *(one["id"] for one in rings)],
    }
    return Decision(new, tuple(happened(one["id"]) for one in rings))


def assemble_toy(platform: Platform) -> Service:
    store = MongoAggregates(platform.database, "people")
    loop = platform.loop(PERSON, store)
    handler = Handler(decide, by(lambda message: message.employee_id))

    def cause_of(message: HrChange, record: Any) -> Cause:
        lane = Lane.URGENT if record.position.topic == topics.HR_URGENT.name else Lane.ORDINARY
        return Cause(id=message.change_id, correlation=message.change_id, actor="source:hr", lane=lane)

    subscriptions = [
        platform.hears(topic, loop, handler, cause_of=cause_of) for topic in (topics.HR_URGENT, topics.HR_CHANGES)
    ]
    return Service("toy", [store], subscriptions, [Timer(loop, Handler(ring, by(lambda due: due.id)))], [loop])


def assemble_mirror(platform: Platform) -> Service:
    kept: Replica[PersonFact] = Replica(platform.database, "people", lambda fact: {"count": fact.state.attributes})

    async def keep(facts: Sequence[PersonFact]) -> None:
        await kept.apply(facts)

    return Service("mirror", [kept], [platform.takes([topics.PERSON_FACTS], keep)])


ASSEMBLIES = {"toy": assemble_toy, "mirror": assemble_mirror}


async def serve() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    configure("json", "warning")
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    # Else every test that kills would wait ten seconds for the place of the dead.
    kafka.SESSION_MS = int(os.environ.get("TOY_SESSION_MS", "2000"))
    kafka.REBALANCE_MS = max(kafka.REBALANCE_MS, kafka.SESSION_MS)
    host = Host(settings, ASSEMBLIES)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(await asked(host, json.loads(line)), default=str).encode() + b"\n")
        writer.close()

    server = await asyncio.start_unix_server(answer, os.environ["TOY_SOCKET"])
    async with host:
        await over.wait()
    server.close()


async def asked(host: Host, question: dict[str, Any]) -> Any:
    """`{"do": "command", "id", "person"}` counts like a message; `health` tells readiness, `wellbeing` all."""
    if question["do"] == "wellbeing":
        return await host.wellbeing()
    if question["do"] == "health":
        return {"ready": host.ready, "troubles": host.troubles()}
    change = HrChange.model_validate(
        {"changeId": question["id"], "employeeId": question["person"], "kind": "changed", "effectiveAt": "2020-01-01",
         "attributes": question.get("attributes", {})}
    )  # fmt: skip
    loop = host.services["toy"].loops[0]
    cause = Cause(id=change.change_id, correlation=change.change_id, actor="person:admin")
    try:
        handler = Handler(decide, by(lambda message: message.employee_id))
        outcome = await host.platforms["toy"].run_one(loop, handler, change, cause)
    except GivenUp as problem:
        return {"unknown": str(problem)}
    return {"version": outcome.version}


def nursery() -> None:
    """For each line `{"environment", "out"}` a child; says `{"started": pid}` and, at its end, `{"ended", "code"}`."""

    def say(**what: Any) -> None:
        os.write(1, json.dumps(what).encode() + b"\n")

    def reap(*_: Any) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            say(ended=pid, code=code)

    signal.signal(signal.SIGCHLD, reap)
    while line := sys.stdin.readline():
        order = json.loads(line)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        if pid := os.fork():
            say(started=pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0), os.dup2(out, 1), os.dup2(out, 2)
        os.environ.update(order["environment"])
        code = 1
        try:
            asyncio.run(serve())
            code = 0
        except BaseException:
            logging.exception("the toy ends")
        finally:
            os._exit(code)


if __name__ == "__main__":
    if "--nursery" in sys.argv:
        nursery()
    else:
        asyncio.run(serve())
