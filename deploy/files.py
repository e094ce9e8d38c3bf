"""Files that others read while they are written."""

from __future__ import annotations

from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """As UTF-8, whole or not at all: whoever sees it sees all of it, whenever this process is killed."""
    written = file.with_name(f"{file.name}.new")
    written.write_text(text, encoding="utf-8")
    written.replace(file)
