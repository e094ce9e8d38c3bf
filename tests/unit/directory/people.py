"""Given, when, then for people: what the tests of this folder share."""

from datetime import UTC, datetime
from typing import Any

import orjson

from services.directory import decide
from services.directory.decide.people import Around, Heard
from services.directory.model import Person, dump_person, load_person
from services.directory.sources import DEFAULT, Sources
from shared.contracts.base import Cause
from shared.contracts.hr import HrChange
from shared.contracts.topics import HR_REJECTED
from shared.messaging.decision import Circumstances, Decision
from shared.messaging.envelope import Position

CAUSE = Cause(id="c", correlation="c", actor="source:hr")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def heard(offset: int = 0, topic: str = "hr.attribute-changes", **said: Any) -> tuple[Heard, Position]:
    """A change that was read at this offset."""
    body = {"changeId": "c1", "employeeId": "E1", "kind": "changed", "effectiveAt": "2026-01-01", **said}
    raw = orjson.dumps(body)
    message = Heard(HrChange.model_validate_json(raw), raw, "E1", offset, person_id="ana")
    return message, Position(topic, 0, offset)


class Ana:
    """A person under test: says changes to her, keeps what follows."""

    def __init__(self, sources: Sources = DEFAULT) -> None:
        self.sources = sources
        self.state: Person | None = None
        self.now = NOW
        self.offset = 0
        self.managers: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.clashes: frozenset[str] = frozenset()

    def at(self, position: Position | None = None) -> Circumstances[Around]:
        around = Around(self.sources, self.managers, self.names)
        return Circumstances(self.now, 1, CAUSE, around, position, clashes=self.clashes)

    def hears(self, offset: int | None = None, **said: Any) -> Decision[Person]:
        """The next record, or the one at `offset` again."""
        if offset is None:
            self.offset += 1
        message, position = heard(self.offset if offset is None else offset, **said)
        decision = decide.people.change(self.state, message, self.at(position))
        return self._keep(decision)

    def _keep(self, decision: Decision[Person]) -> Decision[Person]:
        if decision.state is not None and decision.state is not self.state:
            # As it comes back from the database.
            self.state = load_person(dump_person(decision.state))
        return decision

    @property
    def status(self) -> str:
        return self.state.status.value if self.state else "unknown"

    @property
    def attributes(self) -> dict[str, Any]:
        """Without those that everybody has."""
        assert self.state is not None
        return {k: v for k, v in self.state.attributes.items() if k not in {"userType", "employeeId"}}


def types(decision: Decision[Any]) -> list[str]:
    return [one.type for one in decision.transitions]


def codes(decision: Decision[Any]) -> list[str]:
    assert all(record.topic == HR_REJECTED.name for record in decision.messages)
    return [orjson.loads(record.value or b"")["reason"]["code"] for record in decision.messages]
