"""Tokens of the run's own issuer for whoever the demo speaks as: its people, and the operator."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from deploy.cli.endpoints import Endpoints
from shared.security.development import DevelopmentIssuer
from shared.security.permissions import GLOBAL_ADMINISTRATOR

Headers = dict[str, str]


class Callers:
    """Headers that say who asks. Raises NoIssuer for a run that has no issuer of its own."""

    def __init__(self, run: Endpoints, data_dir: Path) -> None:
        issuer, audience = DevelopmentIssuer.of(data_dir), run.audience or "tenure"
        self.operator = _bearer(issuer.for_app(audience, [GLOBAL_ADMINISTRATOR]))
        self.person = cache(lambda id: _bearer(issuer.for_person(audience, id, id)))
        """Of an ordinary person, by their id."""


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}
