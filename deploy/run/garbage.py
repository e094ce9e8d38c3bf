"""How often a serving process looks for cyclic garbage.

A batch of a thousand messages makes some 200,000 objects, nearly all of which go by reference count when it ends. With
Python's defaults the collector looks through them hundreds of times meanwhile and finds nothing: a third of the time
that a person change takes (`python -m tests.bench --only rules,pipeline`).
"""

from __future__ import annotations

import gc

LOOK_AFTER = 200_000
"""New objects, less those gone: more than a batch has in hand, some 40 MB at most in cycles nobody needs."""


def spare_the_collector() -> None:
    """Called once everything is up: what is there now stays for good and is looked through no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(LOOK_AFTER, 10, 10)
