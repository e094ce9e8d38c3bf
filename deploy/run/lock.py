"""A lock that its holder's death sets free, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Whoever looks whether it is held (`is_held`) holds it for an instant; and the dying hold it until they are gone.
PATIENCE_S = 1.5


@contextmanager
def hold(path: Path, patience_s: float = PATIENCE_S) -> Iterator[bool]:
    """Hold the lock file while inside, True; or False if another process keeps it for longer than `patience_s`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + patience_s
        held = False
        while not held:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        yield held
    finally:
        os.close(descriptor)
