"""The issuer of an embedded run: for development and the demo, with keys of its own in the data folder.

Whoever can read that folder can be anyone; so it is no issuer for anything else, and a run on real servers has none.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from shared.security.permissions import BY_ITSELF, DELEGATED, DIRECTORY_ROLES
from shared.security.tokens import Rules

FOLDER = "issuer"
FILE = "keys.json"
LIVES_S = 12 * 3600
APP_ID = "tenure-development"
"""The application that its tokens are for."""


class NoIssuer(Exception):
    """The folder holds none: its run is none that was started here with servers of its own."""


class DevelopmentIssuer:
    """Signs tokens, and says by which keys they are checked."""

    def __init__(self, name: str, key: ECKey) -> None:
        self.name = name
        self._key = key

    @classmethod
    def of(cls, data_dir: Path) -> DevelopmentIssuer:
        """The issuer of that folder. Raises NoIssuer."""
        try:
            said = json.loads((data_dir / FOLDER / FILE).read_text())
            return cls(said["issuer"], ECKey.import_key(said["key"]))
        except FileNotFoundError:
            raise NoIssuer(str(data_dir)) from None

    @classmethod
    def made(cls, data_dir: Path) -> DevelopmentIssuer:
        """The issuer of that folder, with keys made at the first start. One process at a time may call it."""
        try:
            return cls.of(data_dir)
        except NoIssuer:
            pass
        folder = data_dir / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ECKey.generate_key("P-256", {"kid": uuid.uuid4().hex, "use": "sig", "alg": "ES256"}, private=True)
        issuer = cls(f"urn:tenure:development:{uuid.uuid4()}", key)
        written = folder / f"{FILE}.new"
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"issuer": issuer.name, "key": key.as_dict(private=True)}, file)
        written.replace(folder / FILE)
        return issuer

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [self._key.as_dict(private=False)]}

    async def fetch(self) -> Mapping[str, Any]:
        return self.jwks()

    def rules(self, audience: str, skew_s: int) -> Rules:
        return Rules(self.name, frozenset({audience}), skew_s, believes_roles=True)

    def for_person(self, audience: str, id: str, upn: str, roles: Iterable[str] = ()) -> str:
        """A token of a person who lets the application do all that they may do."""
        return self._signed(audience, id, roles, oid=id, upn=upn, scp=" ".join(sorted(DELEGATED)), idtyp="user")

    def for_app(self, audience: str, roles: Iterable[str] = ()) -> str:
        """A token of the application itself, with all permissions that an application can have."""
        return self._signed(audience, APP_ID, roles, roles=sorted(BY_ITSELF), idtyp="app")

    def _signed(self, audience: str, subject: str, directory_roles: Iterable[str], **claims: Any) -> str:
        now = int(time.time())
        wids = [DIRECTORY_ROLES[name] for name in directory_roles]
        every = {
            "iss": self.name, "aud": audience, "sub": subject, "iat": now, "nbf": now, "exp": now + LIVES_S,
            "jti": uuid.uuid4().hex, "appid": APP_ID, "wids": wids, **claims,
        }  # fmt: skip
        return jwt.encode({"alg": "ES256", "kid": self._key.kid, "typ": "at+jwt"}, every, self._key)
