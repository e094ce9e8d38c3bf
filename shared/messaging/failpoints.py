"""Named points at which a test can kill the process: `TENURE_FAILPOINT=after-write`.

The spec is `[service:]name[:n]`: at the n-th pass (the first by default) of that point in that service (any by
default) the process ends at once with exit code 137, as by `kill -9`. They cost one comparison when off.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum


class Point(StrEnum):
    """The windows between two of the five steps."""

    BEFORE_WRITE = "before-write"
    AFTER_WRITE = "after-write"
    AFTER_PUBLISH = "after-publish"
    BEFORE_COMMIT = "before-commit"


class Failpoints:
    """Reads its spec once. Raises ValueError for one that names no point."""

    def __init__(self, spec: str | None) -> None:
        self._service: str | None = None
        self._point: Point | None = None
        self._left = 0
        if not spec:
            return
        parts = spec.split(":")
        points = {point.value: point for point in Point}
        if parts[0] not in points:
            self._service = parts.pop(0)
        if not parts or parts[0] not in points:
            raise ValueError(
                f"TENURE_FAILPOINT={spec!r} names no failpoint: [service:]name[:n] with one of {', '.join(points)}."
            )
        self._point = points[parts[0]]
        self._left = int(parts[1]) if len(parts) > 1 else 1

    def reach(self, point: Point, service: str) -> None:
        """Called by the kit at `point`; does not return if this is where the process has to die."""
        if self._point is not point or (self._service is not None and self._service != service):
            return
        self._left -= 1
        if self._left <= 0:
            sys.stderr.write(f"failpoint {point} in {service}: the process ends here\n")
            sys.stderr.flush()
            os._exit(137)
