"""Who asks, proven: the bearer token of a request, before anything else looks at it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from shared.security.caller import NOBODY, Caller
from shared.security.keys import KeysAway, KeySet, UnknownKey
from shared.security.operations import RULES
from shared.security.tokens import Rules, TokenRefused, believed, caller_named, read
from shared.web.caller import known_to_be
from shared.web.errors import Unauthenticated, Unavailable

REALM = 'Bearer realm="tenure"'
_BY_LINK = tuple(operation.partition(" ")[2].partition("{")[0] for operation, rule in RULES.items() if rule.by_link)
_OPEN = ("/health/", "/.well-known/", "/docs/", *_BY_LINK)
_OPEN_PATHS = frozenset({"/metrics", "/openapi.json", "/docs"})
"""What may be read without a token: whether it runs, how it is asked, by which keys tokens are checked; and what a
link opens that brings a secret of its own (Graph's `downloadUri` is opened in a browser)."""


@dataclass(frozen=True)
class Trusted:
    """An issuer whose tokens count."""

    rules: Rules
    keys: KeySet


class Authenticator:
    """Finds the caller of each request. `required`: whoever sends no token is refused; else they are the operator of
    this machine (see `shared.web.caller`). A token that is sent has to hold, required or not."""

    def __init__(self, trusted: Trusted | None, *, required: bool, clock: Callable[[], float] = time.time) -> None:
        if required and trusted is None:
            raise ValueError("Tokens are required, and no issuer is trusted.")
        self._trusted = trusted
        self._required = required
        self._clock = clock  # tokens live by the real clock, whatever the business clock says

    async def identify(self, scope: Scope) -> None:
        """Lets the request's scope know who asks. Raises Unauthenticated; Unavailable if that cannot be found out."""
        sent = Headers(scope=scope).getlist("authorization")
        if sent:
            known_to_be(scope, await self._caller(sent))
        elif self._required:
            path = scope["path"]
            if not (path in _OPEN_PATHS or path.startswith(_OPEN)):
                raise Unauthenticated("Access token is empty.", headers={"WWW-Authenticate": REALM})
            known_to_be(scope, NOBODY)

    async def _caller(self, sent: list[str]) -> Caller:
        scheme, _, text = sent[0].partition(" ")
        if len(sent) > 1 or scheme.lower() != "bearer" or not text.strip():
            raise refused("The Authorization header is 'Bearer' and one token.")
        if self._trusted is None:
            raise refused("This Tenure trusts no issuer, so no token counts here.")
        try:
            token = read(text.strip())
            key = await self._trusted.keys.key(token.key_id)
            return caller_named(believed(token, key, self._trusted.rules, self._clock()), self._trusted.rules)
        except TokenRefused as reason:
            raise refused(str(reason)) from reason
        except UnknownKey as reason:
            raise refused("The token is signed by a key that the issuer does not have.") from reason
        except KeysAway as reason:
            raise Unavailable("The issuer's keys cannot be read now, so no token can be checked.") from reason


def refused(why: str) -> Unauthenticated:
    """401 with what RFC 6750 has a client told."""
    said = why.replace('"', "'")
    return Unauthenticated(
        why, headers={"WWW-Authenticate": f'{REALM}, error="invalid_token", error_description="{said}"'}
    )
