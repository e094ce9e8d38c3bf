"""What people answered when they asked for access becomes properties of theirs, and goes when that access ends (CAT-6).

It is one more source in the timeline, the last in authority: it fills what nobody else sets and overrules nobody. What
it fills is marked (`Person.answered`), for what somebody says of themself never feeds a rule.
"""

from __future__ import annotations

from dataclasses import replace

from services.directory import properties
from services.directory.decide.people import Around, appeared
from services.directory.model import Person
from services.directory.sources import ANSWERS
from services.directory.timeline import Statement, Timeline, TooMany, TooOld, compacted, stated, to_ms
from shared.contracts.answers import AnswersCommand
from shared.messaging.decision import Circumstances, Decision


def obey(state: Person | None, command: AnswersCommand, at: Circumstances[Around]) -> Decision[Person]:
    """Say each, or take it back: then counts again what was said before for other access. Repeats change nothing."""
    if state is None or not state.joined or state.linked_to is not None:
        return Decision(state)  # whoever asked has joined: a human has linked them to somebody else since
    timeline = state.timeline
    for name, value in command.values.items():
        if value is None or _may_be_said(name, value):
            timeline = _said(timeline, command, name, value, at)
    if timeline is state.timeline:
        return Decision(state)
    released = replace(state, timeline=compacted(timeline, to_ms(at.now), joined=True))
    after, happened = appeared(state, released, at)
    return Decision(after, happened)


def _may_be_said(name: str, value: str) -> bool:
    if name not in properties.ANSWERABLE and properties.extension(name) is not properties.Type.EXTENSION:
        return False
    _, problems = properties.cleaned({name: value})
    return not problems


def _said(
    timeline: Timeline, command: AnswersCommand, name: str, value: str | None, at: Circumstances[Around]
) -> Timeline:
    id = f"{command.assignment_id}:{name}"
    if value is not None:
        statement = _statement(command, "changed", id, {name: value}, None, at)
    elif timeline.find(ANSWERS, id) is not None:
        statement = _statement(command, "rescinded", f"{id}:ended", {}, id, at)
    elif timeline.base is not None:  # merged with what was said before: it can only be cleared
        statement = _statement(command, "changed", f"{id}:ended", {name: None}, None, at)
    else:
        return timeline
    try:
        return stated(timeline, statement)
    except (TooOld, TooMany):
        return timeline


def _statement(
    command: AnswersCommand,
    kind: str,
    id: str,
    attributes: dict[str, str | None],
    rescinds: str | None,
    at: Circumstances[Around],
) -> Statement:
    when = to_ms(command.said_at)
    position = at.position
    seen = ((f"{position.topic}/{position.partition}", position.offset, when),) if position else ()
    return Statement(when, 0, 0, ANSWERS, kind, id, attributes, rescinds, seen)
