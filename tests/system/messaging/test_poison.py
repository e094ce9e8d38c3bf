"""What can never be handled lands in the dead letters, whole, with its reason, and delays nothing else."""

from __future__ import annotations

import time
from typing import Any

import orjson

from shared.contracts import topics
from shared.messaging import deadletters
from tests.system.messaging.world import HR_GROUP, World, figure, until

LETTERS = deadletters.topic_of(HR_GROUP)


async def put(
    around: World, value: bytes | None, key: bytes | None, headers: list[tuple[str, Any]] | None = None
) -> str:
    """Publish raw bytes; returns where they lie."""
    topic = around.settings.topic(topics.HR_CHANGES.name)
    source = await around.source()
    found = await source.send_and_wait(topic, value, key=key, headers=headers or [])
    return f"{topics.HR_CHANGES.name}/{found.partition}/{found.offset}"


def text(record: Any, name: str) -> str:
    return dict(record.headers)[name].decode()


async def letters(around: World) -> dict[str, Any]:
    return {text(record, deadletters.ORIGIN): record for record in await around.records(LETTERS)}


async def test_each_kind_of_poison_is_set_aside_and_the_rest_goes_on(around: World) -> None:
    await around.ready_toy()
    good = orjson.dumps({"changeId": "h1", "employeeId": "p1", "kind": "changed", "effectiveAt": "2020-01-01"})
    around.sent["h1"] += 1
    around.people["h1"] = "p1"
    for number in range(10):
        await around.send(f"p{number}")
    places = {
        "not JSON": await put(around, b"\xff\xfe{", b"p2"),
        "empty": await put(around, b"", b"p3"),
        "none": await put(around, None, b"p4"),
        "wrong type": await put(around, b"[1, 2]", b"p5"),
        "bad headers": await put(around, b"no", b"p6", [("who", b"\xff\xfe"), ("nothing", None), ("plain", b"text")]),
    }
    # Bad headers around a good body: handled like any other.
    await put(around, good, b"p1", [("who", b"\xff\xfe"), ("nothing", None)])
    for wish in ("bug", "unstorable"):
        around.set_aside.add(await around.send("p7", wish, **{wish: True}))
    around.set_aside.add(await around.send("p8", "large", large=950_000))
    for number in range(10):
        await around.send(f"p{number}")

    async def all_there() -> bool:
        return len(await letters(around)) == 8

    await until(all_there, "eight dead letters")
    found = await letters(around)
    for what, place in places.items():
        record = found[place]
        assert text(record, deadletters.CODE) in {"invalid", "empty"}, what
        assert text(record, deadletters.REASON)
    assert found[places["not JSON"]].value == b"\xff\xfe{"
    assert found[places["not JSON"]].key == b"p2"
    assert found[places["none"]].value is None
    odd = dict(found[places["bad headers"]].headers)
    assert (odd["who"], odd["plain"], odd[deadletters.BINARY]) == (b"//4=", b"text", b"who")
    codes = sorted(text(record, deadletters.CODE) for place, record in found.items() if place not in places.values())
    assert codes == ["bug", "bug", "tooLarge"]
    await around.holds()
    documents = await around.documents()
    assert len(documents["p7"]["dead_letters"]) == 2
    assert len(documents["p8"]["dead_letters"]) == 1
    assert "dead_letters" not in documents["p9"]

    # Settled: one is replayed (mended meanwhile), the others are given up.
    control = around.settings.topic(topics.HR_CHANGES.name)
    source = await around.source()
    for place, record in found.items():
        settle = (deadletters.DISCARD_OF, place.encode())
        body = record.value
        if record.key == b"p8":
            settle = (deadletters.REPLAY_OF, place.encode())
            body = orjson.dumps(
                {"changeId": "large", "employeeId": "p8", "kind": "changed", "effectiveAt": "2020-01-01"}
            )
            around.set_aside.discard("large")
        headers = [(deadletters.REPLAY_FOR, HR_GROUP.encode()), settle]
        await source.send_and_wait(control, body, key=record.key, headers=headers)

    async def unmarked() -> bool:
        return not any("dead_letters" in document for document in (await around.documents()).values())

    await until(unmarked, "nobody is marked any more")
    await around.holds()
    assert len(await around.records(LETTERS)) == 8


async def test_a_letter_may_be_larger_than_what_came(around: World) -> None:
    await around.ready_toy()
    place = await put(around, b"x" * 1_047_000, b"p1", [("odd", b"\xff" * 200)])
    await around.send("p1")

    async def there() -> bool:
        return place in await letters(around)

    await until(there, "it is set aside")
    assert len((await letters(around))[place].value) == 1_047_000
    await around.holds()


async def test_a_storm_of_poison(around: World) -> None:
    for number in range(100):
        await around.send(f"p{number % 10}")
    for number in range(500):
        await (await around.source()).send(
            around.settings.topic(topics.HR_CHANGES.name), b"poison", key=b"p%d" % (number % 10)
        )
    for number in range(100):
        await around.send(f"p{number % 10}")
    await around.flush()
    await around.ready_toy()
    start = time.monotonic()
    await around.holds()
    figure(f"500 poisoned among 200 good: settled after {time.monotonic() - start:.1f} s")
    assert len(await letters(around)) == 500


async def test_where_nearly_everything_is_poison_the_rest_waits_and_readiness_says_why(around: World) -> None:
    toy = await around.ready_toy(dead_letter_limit="50", batch_size="20")
    for _ in range(10):
        await around.send("p1")
    await around.flush()
    source = await around.source()
    for _ in range(120):
        await source.send_and_wait(around.settings.topic(topics.HR_CHANGES.name), b"poison", key=b"p1")

    async def held() -> str | None:
        return (await toy.troubles()).get("toy", {}).get(f"{HR_GROUP}.limit")

    problem = await until(held, "the limit is said")
    assert "TENURE_DEAD_LETTER_LIMIT" in problem
    assert "invalid" in problem
    before = await letters(around)
    assert 0 < len(before) <= 50
    await around.send("p1", "behind")  # not a word of it until somebody has looked
    await around.flush()
    assert "behind" not in (await around.documents())["p1"]["state"]["seen"]
    assert len(await letters(around)) == len(before)

    assert await toy.stop() == 0
    await around.ready_toy(dead_letter_limit="0")
    await around.holds()
    assert len(await letters(around)) == 120
