"""A slice of the demo, played to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.system.commands import tenure

PEOPLE = "150"
ASKING = 16
PLAYED = ("--people", PEOPLE, "--asking", str(ASKING), "--rough", "3")


def demo(data_dir: Path, report: Path, *more: str) -> dict[str, Any]:
    """Play it to its end; the report."""
    done = tenure("demo", "--once", "--data-dir", str(data_dir), "--report", str(report), *more, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(report.read_text())
    return found
