"""What only keeps up with facts shares a consumer group; what decides never does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from shared.contracts import topics
from shared.messaging.envelope import Incoming, Position
from shared.messaging.pace import Pace
from shared.messaging.subscription import Subscription, together

PEOPLE, GROUPS = topics.PERSON_FACTS, topics.GROUP_FACTS


def record(topic: str, offset: int) -> Incoming:
    return Incoming(Position(topic, 0, offset), b"key", b"value")


def noting(into: list[tuple[str, int]]) -> Callable[[Sequence[Incoming]], Awaitable[None]]:
    async def take(records: Sequence[Incoming]) -> None:
        into.extend((one.position.topic, one.position.offset) for one in records)

    return take


async def test_each_gets_the_records_of_its_own_topics_in_order() -> None:
    people: list[tuple[str, int]] = []
    groups: list[tuple[str, int]] = []
    both: list[tuple[str, int]] = []
    (one,) = together(
        [
            Subscription((PEOPLE,), noting(people), "toy.facts", decides=False),
            Subscription((GROUPS,), noting(groups), "toy.facts", decides=False),
            Subscription((PEOPLE, GROUPS), noting(both), "toy.facts", decides=False),
        ]
    )
    assert one.topics == (PEOPLE, GROUPS)
    assert (one.group, one.decides) == ("toy.facts", False)
    await one.take([record(GROUPS.name, 7), record(PEOPLE.name, 1), record(PEOPLE.name, 2)])
    assert people == [(PEOPLE.name, 1), (PEOPLE.name, 2)]
    assert groups == [(GROUPS.name, 7)]
    assert both == [(GROUPS.name, 7), (PEOPLE.name, 1), (PEOPLE.name, 2)]


async def test_whoever_hears_nothing_of_a_batch_is_not_called() -> None:
    async def fails(_records: Sequence[Incoming]) -> None:
        raise AssertionError("called without records")

    people: list[tuple[str, int]] = []
    (one,) = together(
        [
            Subscription((GROUPS,), fails, "toy.facts", decides=False),
            Subscription((PEOPLE,), noting(people), "toy.facts", decides=False),
        ]
    )
    await one.take([record(PEOPLE.name, 1)])
    assert people == [(PEOPLE.name, 1)]


def test_others_stay_as_they_are() -> None:
    alone = [Subscription((PEOPLE,), noting([]), "toy.a"), Subscription((GROUPS,), noting([]), "toy.b")]
    assert together(alone) == alone


@pytest.mark.parametrize(
    "other",
    [
        Subscription((GROUPS,), noting([]), "toy.a"),
        Subscription((GROUPS,), noting([]), "toy.a", decides=False, pace=Pace.PATIENT),
    ],
)
def test_two_of_one_group_that_do_not_go_together_are_refused(other: Subscription) -> None:
    with pytest.raises(LookupError, match=r"toy\.a has two subscriptions"):
        together([Subscription((PEOPLE,), noting([]), "toy.a", decides=False), other])
