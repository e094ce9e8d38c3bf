"""Which partition a key belongs to: what Kafka's own clients answer, at a fraction of the Python client's price.

Every record needs it, and a person's id is asked about again and again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from struct import unpack_from

_MIX = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
MOST_REMEMBERED = 1 << 14
"""Keys; some two megabytes."""


@lru_cache(maxsize=MOST_REMEMBERED)
def murmur2(key: bytes) -> int:
    """Kafka's hash of a key (org.apache.kafka.common.utils.Utils.murmur2), 32 bits without a sign."""
    length = len(key)
    hashed = _SEED ^ length
    for block in unpack_from(f"<{length >> 2}I", key):
        mixed = block * _MIX & _MASK
        mixed = (mixed ^ mixed >> 24) * _MIX & _MASK
        hashed = hashed * _MIX & _MASK ^ mixed
    if tail := length & 3:
        hashed = (hashed ^ int.from_bytes(key[-tail:], "little")) * _MIX & _MASK
    hashed = (hashed ^ hashed >> 13) * _MIX & _MASK
    return hashed ^ hashed >> 15


def partition_of(key: bytes | None, every: Sequence[int], available: Sequence[int]) -> int:
    """One of `every` by the key; any that is available without one. As aiokafka asks its partitioner."""
    if key is None:
        return random.choice(available or every)  # noqa: S311
    return every[(murmur2(key) & 0x7FFFFFFF) % len(every)]
