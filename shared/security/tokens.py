"""Bearer tokens: what is believed, and whom it names. Pure: keys and the time come in.

Compact JWS with an asymmetric algorithm of a fixed list, of one issuer, for one audience, of at most a day. What the
library would let pass and we do not is refused here by name. Source: RFC 9068, RFC 8725, RFC 7519;
reference/security.md 2.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from shared.security.caller import Caller
from shared.security.permissions import NAMES_OF_ROLES

Key = RSAKey | ECKey | OKPKey
Claims = Mapping[str, Any]

ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
LONGEST_S = 24 * 3600
"""Tokens that live longer are refused, whatever the issuer says: nobody can take them back."""
MOST_BYTES = 8 * 1024

# The old name of Ed25519, which issuers still write.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

_ACCESS_TOKEN = frozenset({"at+jwt", "application/at+jwt"})
_BRINGS_A_KEY = frozenset({"jwk", "jku", "x5u", "x5c"})
_SINCE = frozenset({"nbf", "iat"})
_KINDS = (None, "user", "app")
_ID = re.compile(r"[\w.:@+-]{1,128}", re.ASCII)


class TokenRefused(Exception):
    """Why a token does not count, for whoever sent it. Says nothing that the token does not say itself."""


@dataclass(frozen=True)
class Rules:
    """What a token has to be to count here."""

    issuer: str
    audiences: frozenset[str]
    skew_s: int = 60
    """Seconds by which the issuer's clock and ours may differ."""
    person_claim: str = "oid"
    """Claim that holds the signed-in person's id in Tenure's directory."""
    believes_roles: bool = False
    """Whether directory roles (`wids`) are taken from tokens, beside those that the directory holds."""


@dataclass(frozen=True)
class Read:
    """A token taken apart and not believed yet."""

    text: str
    key_id: str
    header: Mapping[str, Any] = field(repr=False)


def read(text: str) -> Read:
    """The token's form and header. Raises TokenRefused."""
    if len(text) > MOST_BYTES:
        raise TokenRefused("The token is too long.")
    try:
        header = jws.extract_compact(text.encode()).headers()
    except (JoseError, ValueError) as problem:
        raise TokenRefused("The token cannot be read.") from problem
    key_id = header.get("kid")
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefused("The token's algorithm is not allowed.")
    if "crit" in header or not _BRINGS_A_KEY.isdisjoint(header):
        raise TokenRefused("The token's header asks for what is not supported.")
    if not isinstance(key_id, str) or not key_id:
        raise TokenRefused("The token does not say by which key it is signed.")
    return Read(text, key_id, header)


def believed(token: Read, key: Key, rules: Rules, now_s: float) -> Claims:
    """The claims, once the signature and all rules hold. Raises TokenRefused."""
    now = int(now_s)
    registry = jwt.JWTClaimsRegistry(
        now=now,
        leeway=rules.skew_s,
        iss={"essential": True, "value": rules.issuer},
        aud={"essential": True, "values": sorted(rules.audiences)},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        claims = jwt.decode(token.text, key, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError) as problem:
        raise TokenRefused("The token's signature does not hold.") from problem
    try:
        registry.validate(claims)
    except JoseError as problem:
        claim = getattr(problem, "claim", None)
        if isinstance(problem, ExpiredTokenError) or (claim in _SINCE and isinstance(claims.get(claim), int | float)):
            raise TokenRefused("Access token has expired or is not yet valid.") from None
        raise TokenRefused(f"Access token validation failure. Invalid {claim}." if claim else str(problem)) from None
    _check_further(token, claims, rules)
    return claims


def _check_further(token: Read, claims: Claims, rules: Rules) -> None:
    audience = claims["aud"]
    if not isinstance(audience, str) and not rules.audiences.issuperset(audience):
        raise TokenRefused("Access token validation failure. The token is for others, too.")
    if claims["exp"] - claims["iat"] > LONGEST_S:
        raise TokenRefused("Access token validation failure. The token lives longer than a day.")
    kind = str(token.header.get("typ", "JWT")).lower()
    if kind in _ACCESS_TOKEN:
        return
    # Some issuers call an access token JWT, like an ID token: what tells them apart is what they allow.
    if kind != "jwt" or "nonce" in claims or not {"scp", "scope", "roles"} & claims.keys():
        raise TokenRefused("Access token validation failure. This is no access token.")


def caller_named(claims: Claims, rules: Rules) -> Caller:
    """Whom believed claims name. Raises TokenRefused if nobody."""
    app = _text(claims, "appid") or _text(claims, "azp") or _text(claims, "client_id")
    roles = frozenset(NAMES_OF_ROLES[id] for id in _texts(claims, "wids") if id in NAMES_OF_ROLES)
    directory_roles = roles if rules.believes_roles else frozenset()
    scopes = _text(claims, "scp") or _text(claims, "scope")
    if (kind := claims.get("idtyp")) not in _KINDS:
        raise TokenRefused("Access token validation failure. Invalid idtyp.")
    if kind == "app" or not scopes:
        if kind == "user":
            # Its `roles` are the person's own, and no permissions of an application.
            raise TokenRefused("The token names a person, and nothing that they let the application do.")
        if not app:
            raise TokenRefused("The token names neither a person with scopes nor an application.")
        return Caller(
            f"app:{app}", app_id=app, app_roles=frozenset(_texts(claims, "roles")), directory_roles=directory_roles
        )
    person = _text(claims, rules.person_claim)
    if not person:
        raise TokenRefused(f"The token does not say who is signed in: it has no claim '{rules.person_claim}'.")
    return Caller(
        f"person:{person.lower()}",
        person_id=person.lower(),
        user_principal_name=_upn(claims),
        app_id=app,
        scopes=frozenset(scopes.split()),
        directory_roles=directory_roles,
    )


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or (name not in {"scp", "scope"} and not _ID.fullmatch(value)):
        raise TokenRefused(f"Access token validation failure. Invalid {name}.")
    return value


def _texts(claims: Claims, name: str) -> list[str]:
    value = claims.get(name) or []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TokenRefused(f"Access token validation failure. Invalid {name}.")
    return value


def _upn(claims: Claims) -> str | None:
    said = claims.get("upn") or claims.get("preferred_username")
    return said[:256] if isinstance(said, str) else None
