"""Which settings let callers be asked who they are, and how far the API may then reach."""

from pathlib import Path

import pytest

from deploy.cli.endpoints import CannotStart
from deploy.run.identity import authenticator, check_callers, issuer_joined, own_issuer, unasked
from shared.settings import Settings

ISSUER = "https://issuer.example"


@pytest.mark.parametrize(
    ("settings", "embedded"),
    [
        (Settings(), True),
        (Settings(auth="off"), True),
        (Settings(auth="off"), False),
        (Settings(auth_issuer=ISSUER), False),
        (Settings(auth="off", auth_issuer=ISSUER), False),
        (Settings(auth_issuer=ISSUER, http_host="0.0.0.0"), False),
        (Settings(auth_issuer=ISSUER, http_host="0.0.0.0"), True),
    ],
)
def test_settings_that_can_be_followed(settings: Settings, embedded: bool) -> None:
    check_callers(settings, embedded=embedded)


@pytest.mark.parametrize(
    ("settings", "embedded", "named"),
    [
        (Settings(), False, "TENURE_AUTH_ISSUER"),
        (Settings(auth_issuer="http://issuer.example"), False, "over https"),
        (Settings(auth_issuer=ISSUER, auth_jwks_url="http://issuer.example/keys"), False, "over https"),
        (Settings(http_host="0.0.0.0", auth="off"), False, "TENURE_HTTP_HOST"),
        (Settings(http_host="0.0.0.0", auth="off", auth_issuer=ISSUER), False, "TENURE_HTTP_HOST"),
        (Settings(http_host="0.0.0.0"), True, "TENURE_HTTP_HOST"),
    ],
)
def test_settings_that_cannot_are_refused_before_anything_starts(
    settings: Settings, embedded: bool, named: str
) -> None:
    with pytest.raises(CannotStart, match=named):
        check_callers(settings, embedded=embedded)


def test_a_run_has_an_issuer_of_its_own_unless_another_is_named(tmp_path: Path) -> None:
    own = own_issuer(Settings(), tmp_path)
    assert own is not None
    assert own_issuer(Settings(auth_issuer=ISSUER), tmp_path) is None
    joined = issuer_joined(tmp_path, own.name)
    assert joined is not None
    assert joined.jwks() == own.jwks()
    assert issuer_joined(tmp_path, None) is None
    with pytest.raises(CannotStart, match="cannot be read"):
        issuer_joined(tmp_path / "elsewhere", own.name)
    with pytest.raises(ValueError, match="no issuer"):
        authenticator(Settings(), None)


def test_that_nobody_is_asked_is_said() -> None:
    assert unasked(Settings()) is None
    assert "TENURE_AUTH=off" in (unasked(Settings(auth="off")) or "")
