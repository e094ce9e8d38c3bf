"""Many rules, one person: the candidates by index, then each evaluated. The way every person change takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Generic

from shared.rules.ast import Rule
from shared.rules.candidates import CandidateIndex, Id
from shared.rules.clock import next_change
from shared.rules.errors import PatternTooSlow
from shared.rules.evaluate import Verdict, compile
from shared.rules.facets import Facets


class RuleSet(Generic[Id]):
    """Compiled rules by id. `put` and `remove` cost as much as the one rule is long, however many there are."""

    def __init__(self, rules: Iterable[tuple[Id, Rule]] = ()) -> None:
        self._rules: dict[Id, Rule] = {}
        self._verdicts: dict[Id, Verdict] = {}
        self._clocked: dict[Id, Rule] = {}
        self._index: CandidateIndex[Id] = CandidateIndex()
        for rule_id, rule in rules:
            self.put(rule_id, rule)

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Id]:
        return iter(self._rules)

    def __getitem__(self, rule_id: Id) -> Rule:
        return self._rules[rule_id]

    @property
    def index(self) -> CandidateIndex[Id]:
        return self._index

    def put(self, rule_id: Id, rule: Rule) -> None:
        """Add `rule`, or put it in the place of the one with this id."""
        verdict = compile(rule)
        self.remove(rule_id)
        self._rules[rule_id] = rule
        self._verdicts[rule_id] = verdict
        if rule.references.uses_clock:
            self._clocked[rule_id] = rule
        self._index.put(rule_id, rule, verdict)

    def remove(self, rule_id: Id) -> None:
        """Forget a rule; an unknown id is harmless."""
        self._index.remove(rule_id)
        self._clocked.pop(rule_id, None)
        self._verdicts.pop(rule_id, None)
        self._rules.pop(rule_id, None)

    def matches(self, facets: Facets, now: datetime, undecided: set[Id] | None = None) -> set[Id]:
        """Ids of the rules that the person matches at `now`.

        Rules whose pattern takes too long on this person are added to `undecided`: neither give nor take by them.
        Without that set PatternTooSlow is raised.
        """
        found = self._index.with_verdicts(facets)
        try:
            return {rule_id for rule_id, verdict in found.items() if verdict is None or verdict(facets, now)}
        except PatternTooSlow:
            if undecided is None:
                raise
        matching = set()
        for rule_id, verdict in found.items():
            try:
                if verdict is None or verdict(facets, now):
                    matching.add(rule_id)
            except PatternTooSlow:
                undecided.add(rule_id)
        return matching

    def next_change(self, facets: Facets, now: datetime) -> datetime | None:
        """The first moment after `now` at which time alone changes what the person matches; None if it never will."""
        moments = (next_change(rule, facets, now, self._verdicts[rule_id]) for rule_id, rule in self._clocked.items())
        return min((moment for moment in moments if moment is not None), default=None)
