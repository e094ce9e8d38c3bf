"""Tokens of a run's own issuer for whoever is spoken as: people, and the operator."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from deploy.cli.endpoints import Endpoints
from shared.security.development import DevelopmentIssuer
from shared.security.permissions import GLOBAL_ADMINISTRATOR

Headers = dict[str, str]


class Callers:
    """Headers that say who asks."""

    def __init__(self, issuer: DevelopmentIssuer, audience: str) -> None:
        self.operator = _bearer(issuer.for_app(audience, [GLOBAL_ADMINISTRATOR]))

        @cache
        def person(id: str, *roles: str) -> Headers:
            return _bearer(issuer.for_person(audience, id, id, roles))

        self.person = person
        """Of a person, by their id; an ordinary one but for the directory roles named."""

    @classmethod
    def of(cls, run: Endpoints, data_dir: Path) -> Callers:
        """Of an embedded run. Raises NoIssuer for a run that has no issuer of its own."""
        return cls(DevelopmentIssuer.of(data_dir), run.audience or "tenure")


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}
