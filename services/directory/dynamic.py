"""Groups that a rule fills: which there are, and what has to be looked at when people, rules or memberships change.

Everything is read here, in the directory's own documents; facts only say that something changed. With no such group
nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from services.directory.decide.dynamic import FollowRules, Rules, Seen, follow
from services.directory.model import Memberships
from services.directory.store import GroupStore, People
from shared.contracts import topics
from shared.contracts.base import Cause, Fact
from shared.contracts.directory import MOVES, GroupFact, PersonStatus, without
from shared.messaging.decision import Handler, by
from shared.messaging.decoding import caused_by, of_its_topic, unreadable
from shared.messaging.envelope import Incoming
from shared.messaging.errors import WillNotPass
from shared.messaging.loop import Loop, Work
from shared.messaging.pace import Pace
from shared.messaging.service import Isolating, Platform, Unhandled
from shared.messaging.subscription import Subscription
from shared.rules import RuleError, RuleSet, parse
from shared.telemetry.logs import get_logger

STEP = 500
"""People looked at with one read and one write."""

log = get_logger(__name__)


class GroupRules:
    """The rules of all groups that are filled by one, compiled."""

    def __init__(self, groups: GroupStore, people: People) -> None:
        self._groups = groups
        self._people = people
        self._texts: dict[str, str] = {}
        self._compiled: RuleSet[str] = RuleSet()

    async def present(self) -> RuleSet[str]:
        """As the groups are now."""
        texts = dict(await self._groups.filled())
        if texts != self._texts:
            for group in self._texts.keys() - texts.keys():
                self._compiled.remove(group)
            for group, text in texts.items():
                if self._texts.get(group) != text:
                    self._put(group, text)
            self._texts = texts
        return self._compiled

    def _put(self, group: str, text: str) -> None:
        try:
            self._compiled.put(group, parse(text))
        except RuleError:
            # It could be read when it was taken. The group keeps whom it has.
            self._compiled.remove(group)
            log.error("the rule of a group cannot be read here; it neither gives nor takes", group=group)

    async def look(self, messages: Sequence[FollowRules], _states: Mapping[str, Memberships | None]) -> Rules:
        ids = sorted({message.person_id for message in messages})
        found = await self._people.states({"_id": {"$in": ids}, "state.status": PersonStatus.ACTIVE.value})
        people = {
            one["_id"]: Seen(without(one["attributes"], one.get("answered", ())), one["manager_id"]) for one in found
        }
        return Rules(await self.present(), people)


def rules_followed(
    platform: Platform,
    loop: Loop[Memberships],
    groups: GroupStore,
    people: People,
    first: Callable[[Sequence[GroupFact]], Awaitable[dict[int, WillNotPass]]],
) -> list[Subscription]:
    """People in both lanes, groups, and memberships, which rules may read too.

    `first` takes facts about groups before they are followed here."""
    rules = GroupRules(groups, people)
    handler = Handler[Memberships, FollowRules, Rules](follow, by(lambda asked: asked.person_id), rules.look)
    isolating = Isolating()

    async def look_at(causes: Mapping[str, Cause]) -> dict[str, WillNotPass]:
        """By person: who cannot be looked at."""
        works = [Work(FollowRules(id), cause) for id, cause in causes.items()]
        outcomes = await isolating.run(loop, works, handler, lambda: platform.patience("dynamic-groups"))
        return {outcome.work.message.person_id: outcome.error for outcome in outcomes if outcome.error is not None}

    async def follow_facts(records: Sequence[Incoming]) -> Unhandled:
        unhandled: dict[int, WillNotPass] = {}
        about: dict[str, int] = {}
        causes: dict[str, Cause] = {}
        for place, record in enumerate(records):
            try:
                person_id, cause = _whose(record)
                about[person_id], causes[person_id] = place, cause
            except Exception as fault:
                unhandled[place] = unreadable(fault)
        failed = await look_at(causes)
        return unhandled | {about[person_id]: reason for person_id, reason in failed.items()}

    async def people_changed(records: Sequence[Incoming]) -> Unhandled:
        return await follow_facts(records) if len(await rules.present()) else {}

    async def memberships_changed(records: Sequence[Incoming]) -> Unhandled:
        present = await rules.present()
        named = any(present[group].references.groups for group in present)
        return await follow_facts(records) if named else {}

    async def groups_changed(facts: Sequence[GroupFact]) -> Unhandled:
        unhandled = await first(facts)
        changed = [place for place, fact in enumerate(facts) if _says_otherwise(fact)]
        if not changed:
            return unhandled
        last = changed[-1]
        cause = facts[last].follow_up
        failed: dict[str, WillNotPass] = {}
        after: str | None = None
        while ids := await people.ids({"state.joined": True}, after=after, limit=STEP):
            failed |= await look_at(dict.fromkeys(ids, cause))
            after = ids[-1]
        return unhandled | ({last: next(iter(failed.values()))} if failed else {})

    return [
        *(
            platform.takes([topic], people_changed, decode=_as_it_is, pace=Pace.CALM)
            for topic in topics.lanes_of(topics.PERSON_FACTS)
        ),
        *(
            platform.takes([topic], memberships_changed, decode=_as_it_is, only=MOVES, pace=Pace.CALM)
            for topic in topics.lanes_of(topics.MEMBERSHIP_FACTS)
        ),
        platform.takes([topics.GROUP_FACTS], groups_changed),
    ]


def _as_it_is(record: Incoming) -> Incoming:
    return record


def _whose(record: Incoming) -> tuple[str, Cause]:
    """Whom the fact is about, and the cause of what follows."""
    fact: Any = of_its_topic(record)
    assert isinstance(fact, Fact)
    return fact.subject, caused_by(fact, record)


def _says_otherwise(fact: GroupFact) -> bool:
    """Whether it may be filled by another rule than before. One that is filled no longer keeps whom it has."""
    rule = {"membership_rule", "membership_rule_processing_state"}
    return fact.state.filled_by is not None and any(
        one.type in {"GroupCreated", "GroupRestored"} or not rule.isdisjoint(getattr(one, "properties", ()))
        for one in fact.transitions
    )
