"""Why a service is not ready, if it is not: one line a cause, gone when the cause is."""

from __future__ import annotations

from shared.telemetry.metrics import READY


class Health:
    """Readiness of one service. Liveness needs none: a process that answers at all is alive."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._troubles: dict[str, str] = {"start": "starting"}
        self._degraded: dict[str, str] = {}
        self._show()

    @property
    def ready(self) -> bool:
        return not self._troubles

    @property
    def troubles(self) -> dict[str, str]:
        """What is wrong, by where."""
        return dict(self._troubles)

    @property
    def degraded(self) -> dict[str, str]:
        """What works less well than it should, by where, though the service is ready: a mail server that is away."""
        return dict(self._degraded)

    def degrade(self, where: str, what: str) -> None:
        """Say what is wrong without turning readiness red: nothing that is consumed has to wait for it."""
        self._degraded[where] = what

    def recovered(self, where: str) -> None:
        self._degraded.pop(where, None)

    def trouble(self, where: str, what: str) -> None:
        self._troubles[where] = what
        self._show()

    def well(self, where: str) -> None:
        if self._troubles.pop(where, None) is not None:
            self._show()

    def _show(self) -> None:
        READY.set(1 if self.ready else 0, service=self.service)
