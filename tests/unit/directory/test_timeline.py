"""Whatever arrives, however late, often, corrected or taken back: a person ends as a plain reading says."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.directory import decide
from services.directory.timeline import FOLD_ABOVE
from shared.messaging.decision import Due
from tests.unit.directory.people import NOW, Ana, codes, heard

DAYS = st.integers(-40, 20).map(lambda days: (NOW + timedelta(days=days)).date().isoformat())
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["department", "jobTitle", "city"]), st.sampled_from(["a", "b", None]), max_size=3
) | st.dictionaries(
    st.just("employeeOrgData"),
    st.none() | st.dictionaries(st.sampled_from(["costCenter", "division"]), st.sampled_from(["x", None])),
)
IDS = st.sampled_from([f"c{n}" for n in range(7)])
KINDS = st.sampled_from(["joined", "joined", "changed", "changed", "left", "suspended", "returned"])


def plainly(records: list[dict[str, Any]], now: datetime) -> tuple[str, dict[str, Any]]:
    """Status and attributes, read as plainly as can be: sort all that counts, then go through it."""
    known: dict[str, tuple[int, dict[str, Any]]] = {}
    for arrival, said in enumerate(records):
        if said["changeId"] not in known or known[said["changeId"]][1] != said:
            known[said["changeId"]] = arrival, said

    def counts(id: str, asking: tuple[str, ...] = ()) -> bool:
        against = [other for other, (_, said) in known.items() if said.get("rescinds") == id]
        return id in asking or not any(counts(other, (*asking, id)) for other in against)

    told = [(said["effectiveAt"], said.get("sequence") or 0, arrival, said) for arrival, said in known.values()]
    status, held, attributes, since_left = "expected", False, dict[str, Any](), dict[str, Any]()
    for day, _, _, said in sorted(told, key=lambda one: one[:3]):
        if said["kind"] == "rescinded" or not counts(said["changeId"]):
            continue
        if datetime.fromisoformat(day).replace(tzinfo=UTC) > now:
            break
        match said["kind"]:
            case "joined" if status != "employed":
                if status == "left":
                    attributes, held = since_left, False
                status = "employed"
            case "left" if status == "employed":
                status, since_left = "left", {}
            case "suspended":
                held = True
            case "returned":
                held = False
        _merge(attributes, said["attributes"])
        if status == "left" and said["kind"] != "left":
            _merge(since_left, said["attributes"])
    shown = {"employed": "suspended" if held else "active"}.get(status, status)
    return shown, attributes


def _merge(known: dict[str, Any], stated: dict[str, Any]) -> None:
    for name, value in stated.items():
        now = value
        if isinstance(value, dict):
            now = {k: v for k, v in {**known.get(name, {}), **value}.items() if v is not None} or None
        known[name] = now
        if now is None:
            del known[name]


class Disorder(RuleBasedStateMachine):
    """One person, one partition; batches may be read again after a crash, up to the last commit."""

    def __init__(self) -> None:
        super().__init__()
        self.ana = Ana()
        self.log: list[dict[str, Any]] = []
        self.committed = 0

    def _hear(self, said: dict[str, Any]) -> None:
        self.log.append(said)
        self.ana.hears(len(self.log), **said)

    @rule(id=IDS, kind=KINDS, day=DAYS, sequence=st.none() | st.integers(0, 2), attributes=ATTRIBUTES)
    def hr_states(self, id: str, kind: str, day: str, sequence: int | None, attributes: dict[str, Any]) -> None:
        said = {"changeId": id, "kind": kind, "effectiveAt": day, "attributes": attributes}
        self._hear(said | ({} if sequence is None else {"sequence": sequence}))

    @rule(id=st.sampled_from(["r0", "r1"]), rescinds=IDS | st.sampled_from(["r0", "r1"]), day=DAYS)
    def hr_takes_back(self, id: str, rescinds: str, day: str) -> None:
        if id != rescinds:
            self._hear(
                {"changeId": id, "kind": "rescinded", "rescinds": rescinds, "effectiveAt": day, "attributes": {}}
            )

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def hr_sends_something_again(self, data: st.DataObject) -> None:
        self._hear(data.draw(st.sampled_from(self.log)))

    @rule()
    def commits(self) -> None:
        self.committed = len(self.log)

    @rule()
    def crashes_and_reads_again(self) -> None:
        for offset, said in enumerate(self.log[self.committed :], start=self.committed + 1):
            self.ana.hears(offset, **said)

    @rule(hours=st.integers(1, 24 * 9))
    def time_passes(self, hours: int) -> None:
        until = self.ana.now + timedelta(hours=hours)
        while self.ana.state is not None and (due := self.ana.state.due_at) is not None and due <= until:
            self.ana.now = max(due, self.ana.now)
            self.ana._keep(decide.people.due(self.ana.state, Due("ana", due), self.ana.at()))
        self.ana.now = until

    @invariant()
    def ends_as_a_plain_reading_says(self) -> None:
        if self.log:
            status, attributes = plainly(self.log, self.ana.now)
            assert self.ana.status == status
            assert self.ana.attributes == attributes


Disorder.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
TestDisorder = Disorder.TestCase


def test_old_statements_are_folded_and_say_the_same() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2000-01-01", attributes={"department": "Sales"})
    for n in range(400):
        day = (datetime(2001, 1, 1, tzinfo=UTC) + timedelta(days=n)).date().isoformat()
        ana.hears(changeId=f"n{n}", effectiveAt=day, attributes={"jobTitle": str(n)})
    assert ana.state is not None
    assert len(ana.state.timeline.statements) <= FOLD_ABOVE
    assert ana.attributes == {"department": "Sales", "jobTitle": "399"}
    version = ana.state
    assert ana.hears(changeId="n3", effectiveAt="2001-01-04", attributes={"jobTitle": "3"}).messages == ()
    assert ana.state is version, "a repeat of what was folded is known as one"


def test_what_can_no_longer_be_placed_is_refused_and_not_dropped() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2000-01-01")
    for n in range(200):
        ana.hears(changeId=f"n{n}", effectiveAt="2001-01-01", sequence=n, attributes={"jobTitle": str(n)})
    assert codes(ana.hears(changeId="late", effectiveAt="2000-06-01")) == ["tooOld"]
    assert codes(ana.hears(changeId="j", kind="joined", effectiveAt="2000-02-01")) == ["tooOld"]
    assert codes(ana.hears(changeId="r", kind="rescinded", rescinds="n3", effectiveAt="2001-01-01")) == ["tooOld"]
    assert ana.attributes == {"jobTitle": "199"}


def test_a_joining_that_comes_after_many_changes_still_counts() -> None:
    ana = Ana()
    for n in range(150):
        ana.hears(changeId=f"n{n}", effectiveAt="2001-01-01", sequence=n, attributes={"jobTitle": str(n)})
    assert ana.status == "expected"
    ana.hears(changeId="j", kind="joined", effectiveAt="2000-01-01", attributes={"department": "Sales"})
    assert ana.status == "active"
    assert ana.attributes == {"department": "Sales", "jobTitle": "149"}


def test_offsets_that_begin_anew_hide_no_correction() -> None:
    ana = Ana()
    ana.hears(500, changeId="j", kind="joined", effectiveAt="2020-01-01", attributes={"department": "Sales"})
    message, position = heard(3, changeId="j", kind="joined", effectiveAt="2020-01-01", attributes={"department": "IT"})
    message.timestamp_ms = 501  # sent later, read from a topic that was made anew
    ana._keep(decide.people.change(ana.state, message, ana.at(position)))
    assert ana.attributes == {"department": "IT"}


def test_a_corrected_statement_that_is_read_again_does_not_win_again() -> None:
    ana = Ana()
    first, second = {"attributes": {"department": "Sales"}}, {"attributes": {"department": "IT"}}
    records = [first, first, second]
    for said in records:
        ana.hears(changeId="j", kind="joined", **said)
    state = ana.state
    for offset, said in enumerate(records[1:], start=2):
        assert ana.hears(offset, changeId="j", kind="joined", **said).state is state
    assert ana.attributes == {"department": "IT"}
    ana.hears(changeId="j", kind="joined", **first)
    assert ana.attributes == {"department": "Sales"}, "said anew, it is a correction"
