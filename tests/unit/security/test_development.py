"""The issuer of an embedded run."""

import stat
import time
from pathlib import Path

import pytest

from shared.security.development import FILE, FOLDER, LIVES_S, DevelopmentIssuer, NoIssuer
from shared.security.keys import KeySet
from shared.security.permissions import BY_ITSELF, DELEGATED
from shared.security.tokens import LONGEST_S, believed, caller_named, read


async def test_its_tokens_count_for_its_own_folder_only(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer.made(tmp_path / "a")
    again, other = DevelopmentIssuer.made(tmp_path / "a"), DevelopmentIssuer.made(tmp_path / "b")
    assert (again.name, again.jwks()) == (issuer.name, issuer.jwks())
    assert other.name != issuer.name
    assert LIVES_S < LONGEST_S

    rules = again.rules("tenure", 60)
    keys = KeySet(DevelopmentIssuer.of(tmp_path / "a").fetch)
    token = read(issuer.for_person("tenure", "8a1f", "ana@example.com", ["Global Reader"]))
    person = caller_named(believed(token, await keys.key(token.key_id), rules, time.time()), rules)
    assert (person.person_id, person.user_principal_name, person.scopes) == ("8a1f", "ana@example.com", DELEGATED)
    assert person.directory_roles == {"Global Reader"}

    token = read(issuer.for_app("tenure"))
    app = caller_named(believed(token, await keys.key(token.key_id), rules, time.time()), rules)
    assert (app.person_id, app.app_roles, app.directory_roles) == (None, BY_ITSELF, frozenset())
    assert read(other.for_app("tenure")).key_id != token.key_id


def test_its_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer.made(tmp_path)
    assert stat.S_IMODE((tmp_path / FOLDER / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    assert set(issuer.jwks()["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_where_none_was_made_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoIssuer):
        DevelopmentIssuer.of(tmp_path)
