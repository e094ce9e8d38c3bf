"""Records lie where Kafka's own clients would put them: else one person's messages were in two partitions."""

from __future__ import annotations

from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as the_clients_own
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.partitioner import murmur2, partition_of


@given(key=st.binary(max_size=80))
def test_a_key_has_the_hash_that_kafka_gives_it(key: bytes) -> None:
    assert murmur2(key) == the_clients_own(key)


@given(key=st.binary(max_size=80), count=st.integers(1, 50))
def test_a_key_has_the_partition_that_kafka_gives_it(key: bytes, count: int) -> None:
    every = list(range(count))
    assert partition_of(key, every, every) == DefaultPartitioner()(key, every, every)


def test_without_a_key_an_available_partition_is_taken() -> None:
    assert partition_of(None, [0, 1, 2], [1]) == 1
    assert partition_of(None, [0], []) == 0
