"""A client whose broker is away tries less and less often, and at once again when it is there."""

from shared.messaging.reconnecting import LONGEST_S, Reconnecting


class Broker:
    """Is there or not, at a time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.there = True
        self.time = 0.0
        self.asked: list[float] = []

    async def connect(self, node: int, *, group: int = 0) -> str | None:
        self.asked.append(self.time)
        return f"{node}/{group}" if self.there else None

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


async def test_the_pause_grows_with_the_outage_and_ends_with_it() -> None:
    broker = Broker()
    client = Reconnecting(broker.connect, lambda: broker.time, broker.sleep)
    assert [await client(1), await client(1, group=2)] == ["1/0", "1/2"]
    assert broker.time == 0.0, "nobody waits for a broker that answers"

    broker.there = False
    while broker.time < 3600:
        assert await client(1) is None
        broker.time += 0.1  # what the library's own loops wait
    assert len([at for at in broker.asked if at < 1]) > 5
    assert len([at for at in broker.asked if 3000 <= at < 3600]) <= 600 / LONGEST_S

    broker.there = True
    assert await client(1) == "1/0"
    before = broker.time
    assert await client(1) == "1/0"
    assert broker.time == before
