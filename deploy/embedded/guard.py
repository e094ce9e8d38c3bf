"""A small process that stands between us and one server, so that no server outlives us.

It runs as a plain script (`python -I -S guard.py …`), imports the standard library alone, and sleeps in one `poll`.
It ends its server when the run ends, however that happens: its stdin is a pipe that only the run holds, and a pidfd
tells of the run's death even where a forked process still holds that pipe. If the guard itself is killed, the kernel
kills the server (PR_SET_PDEATHSIG). It hands its lock on to the server, so the lock is free once both are gone.

Arguments: run's pid, seconds between SIGTERM and SIGKILL, lock's file descriptor, log file, command…
It writes the server's pid as one line to stdout, and ends with the server's exit code.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def _die_with_me() -> Callable[[], None]:
    """To be called in the server, before it becomes the server."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here: after a fork is no time to load libraries
    guard = os.getpid()

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:  # it died before we could ask
            os._exit(1)

    return arrange


def _readable(descriptors: list[int], seconds: float | None) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)]


def _run_is_over(pipe: int) -> bool:
    """The run never writes to the pipe: what can be read is its end."""
    return os.read(pipe, 1) == b""


def main(run: int, patience: float, lock: int, log: str, command: list[str]) -> int:
    """Start the server and wait for its end, or for the run's. Returns the server's exit code."""
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the run decides; whoever wants us gone sends SIGKILL

    def before_exec() -> None:
        for restored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(restored, signal.SIG_DFL)
        die_with_guard()

    die_with_guard = _die_with_me()
    with open(log, "ab") as output:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock,),
            preexec_fn=before_exec,  # noqa: PLW1509 - there is one thread here
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()

    ended = os.pidfd_open(server.pid)
    watched = [ended, 0]
    try:
        watched.append(os.pidfd_open(run))
    except OSError:
        server.kill()  # the run is gone already
    if os.getppid() != run:
        server.kill()

    while ended not in (ready := _readable(watched, None)):
        if 0 not in ready or _run_is_over(0):
            server.terminate()
            if not _readable([ended], patience):
                server.kill()
            break
    code = server.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:]))
