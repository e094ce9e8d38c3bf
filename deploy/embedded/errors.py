"""What can go wrong before the servers stand. Each message says what is the matter and what to do."""

from pathlib import Path

_WAYS_OUT = (
    "Or let Tenure use servers that run elsewhere: start them with `docker compose up`, "
    "or name them in TENURE_KAFKA and TENURE_MONGO."
)


class EmbeddedError(Exception):
    """The embedded servers are not there, and the message says why."""


class CannotRunHere(EmbeddedError):
    """This machine lacks something that the embedded servers need; trying again will not help."""

    def __init__(self, missing: str, remedy: str = "") -> None:
        super().__init__(" ".join(part for part in (missing, remedy, _WAYS_OUT) if part))


class FolderInUse(EmbeddedError):
    """Another run lives in this data folder. `pid` is its process."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{folder} is in use by {holder}: stop that run, or choose another folder with --data-dir.")
        self.folder = folder
        self.pid = pid


class StartFailed(EmbeddedError):
    """A server ended or did not answer in time. The message quotes the end of its log."""

    def __init__(self, server: str, what: str, log: Path) -> None:
        super().__init__(f"{server} {what}. Its log, {log}, ends with:\n{_tail(log)}")


class BadDownload(EmbeddedError):
    """A file that came from the index is not the one whose checksum is pinned, or did not come at all."""


def _tail(log: Path, lines: int = 30) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "  (there is no log)"
    return "\n".join("  " + line[:400] for line in text.splitlines()[-lines:]) or "  (the log is empty)"
