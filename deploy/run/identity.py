"""Whose tokens a process believes: the issuer that the settings name, or the embedded run's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter

from deploy.cli.endpoints import CannotStart
from shared.security.development import DevelopmentIssuer, NoIssuer
from shared.security.discovery import keys_of
from shared.security.keys import KeySet
from shared.security.tokens import Rules
from shared.settings import NotLocalError, Settings, require_local
from shared.web.authentication import Authenticator, Trusted


def own_issuer(settings: Settings, data_dir: Path) -> DevelopmentIssuer | None:
    """The issuer of a run with servers of its own, made at its first start; None if the settings name another one."""
    return None if settings.auth_issuer else DevelopmentIssuer.made(data_dir)


def issuer_joined(data_dir: Path, name: str | None) -> DevelopmentIssuer | None:
    """The issuer of the run that a process joins, if that run has one. Raises CannotStart if its keys are gone."""
    if name is None:
        return None
    try:
        return DevelopmentIssuer.of(data_dir)
    except NoIssuer:
        raise CannotStart(f"The run in {data_dir} has an issuer of its own, and its keys cannot be read.") from None


def check_callers(settings: Settings, *, embedded: bool) -> None:
    """Whether callers can be asked who they are, as far as the settings want it; before anything starts.

    `embedded`: the run has an issuer of its own unless they name one. Whom nobody has to prove anything, or only by the
    development issuer, is not served beyond this machine. Raises CannotStart."""
    required = settings.auth == "on"
    if settings.auth_issuer:
        _keys(settings, settings.auth_issuer)
    elif required and not embedded:
        raise CannotStart(
            "Every request needs a token, and only a run with servers of its own has an issuer of its own: name yours "
            "with TENURE_AUTH_ISSUER. TENURE_AUTH=off asks nobody who they are, on 127.0.0.1 only."
        )
    if required and settings.auth_issuer:
        return
    try:
        require_local(settings.http_host)
    except NotLocalError as problem:
        raise CannotStart(str(problem)) from None


def unasked(settings: Settings) -> str | None:
    """What whoever starts a process should know if callers are not asked who they are; None if they are."""
    if settings.auth == "on":
        return None
    return (
        f"Tokens are not required (TENURE_AUTH=off): whoever reaches {settings.http_host} on this machine "
        "may do everything."
    )


def authenticator(settings: Settings, own: DevelopmentIssuer | None) -> Authenticator:
    """Who believes whom, for settings that `check_callers` let pass."""
    trusted: Trusted | None = None
    if settings.auth_issuer:
        rules = Rules(
            settings.auth_issuer,
            frozenset({settings.auth_audience}),
            settings.auth_skew_s,
            settings.auth_person_claim,
            settings.auth_token_roles,
        )
        trusted = Trusted(rules, _keys(settings, settings.auth_issuer))
    elif own is not None:
        trusted = Trusted(own.rules(settings.auth_audience, settings.auth_skew_s), KeySet(own.fetch))
    return Authenticator(trusted, required=settings.auth == "on")


def _keys(settings: Settings, issuer: str) -> KeySet:
    try:
        return KeySet(keys_of(issuer, settings.auth_jwks_url))
    except ValueError as problem:
        raise CannotStart(f"TENURE_AUTH_ISSUER or TENURE_AUTH_JWKS_URL: {problem}") from None


def keys_router(own: DevelopmentIssuer) -> APIRouter:
    """The development issuer's public keys, for whoever checks its tokens besides us."""
    router = APIRouter(include_in_schema=False)

    @router.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, Any]:
        return own.jwks()

    return router
