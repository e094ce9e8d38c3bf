"""`tenure`, as a child of the bench: SIGUSR1 starts a profiler on its main thread, SIGUSR2 writes what it found.

    python -m tests.bench.child run --data-dir DIR

The file is named by BENCH_PROFILE, as `pstats` reads it. If the bench is killed, so is the child.
"""

from __future__ import annotations

import cProfile
import ctypes
import os
import signal
import sys
import time

from deploy.cli import main

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

if path := os.environ.get("BENCH_PROFILE"):
    profiler = cProfile.Profile(time.thread_time)  # its own turns only: others wait for the machine, too

    def begin(*_: object) -> None:
        profiler.enable()

    def end(*_: object) -> None:
        profiler.disable()
        profiler.dump_stats(f"{path}.new")
        os.replace(f"{path}.new", str(path))

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)

main()
