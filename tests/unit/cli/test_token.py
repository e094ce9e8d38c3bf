"""`tenure token` gives tokens for an embedded run only, and for one caller at a time."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.cli.common import TokenWanted, asked, client
from deploy.cli.endpoints import LOCK, CommandFailed, Endpoints, NothingRunning, write
from deploy.cli.token_command import NoToken, token
from deploy.run.lock import hold
from shared.security.development import DevelopmentIssuer
from shared.security.tokens import read

HERE = {"api": "http://127.0.0.1:1", "kafka": "127.0.0.1:2", "mongo": "mongodb://127.0.0.1:3"}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Path]:
    """The folder of a run whose process lives: this one."""
    with hold(tmp_path / LOCK):
        issuer = DevelopmentIssuer.made(tmp_path)
        write(tmp_path, Endpoints(**HERE, issuer=issuer.name, audience="here", auth="on"))
        yield tmp_path


def test_it_prints_the_token_and_nothing_else(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token(run, None, True, ["global reader"])
    said = capsys.readouterr()
    assert (said.out.count("\n"), said.err) == (1, "")
    assert read(said.out.strip()).key_id == DevelopmentIssuer.of(run).jwks()["keys"][0]["kid"]


@pytest.mark.parametrize(
    ("upn", "app", "roles", "named"),
    [
        (None, False, None, "--as UPN or --app"),
        ("ana@example.com", True, None, "--as UPN or --app"),
        (None, True, ["King"], "'King'.*Global Administrator"),
    ],
)
def test_what_it_cannot_make_it_says(
    run: Path, upn: str | None, app: bool, roles: list[str] | None, named: str
) -> None:
    with pytest.raises(NoToken, match=named) as refused:
        token(run, upn, app, roles)
    assert refused.value.exit_code == 2


def test_outside_an_embedded_run_it_refuses(run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(NothingRunning):
        token(tmp_path_factory.mktemp("empty"), None, True, None)
    write(run, Endpoints(**HERE, auth="on"))  # on servers of others; the keys of an earlier run lie there still
    with pytest.raises(NoToken, match="no issuer of its own"):
        token(run, None, True, None)


def test_commands_bring_a_token_where_one_is_wanted(run: Path) -> None:
    assert client(run, None).headers["authorization"].startswith("Bearer ey")
    assert "authorization" not in client(run, "http://127.0.0.1:1").headers
    write(run, Endpoints(**HERE, issuer="urn:x", auth="off"))
    assert "authorization" not in client(run, None).headers


def test_what_lacks_a_token_says_where_it_comes_from() -> None:
    refusing = httpx.MockTransport(lambda _: httpx.Response(401, json={"error": {"message": "It has expired."}}))
    with httpx.Client(transport=refusing, base_url="http://there:1") as http:
        with pytest.raises(TokenWanted, match=r"http://there:1 wants .*--token or TENURE_TOKEN") as lacking:
            asked(http, "GET", "/v1.0/users")
        assert lacking.value.exit_code == 2
        with pytest.raises(CommandFailed, match="It has expired") as expired:
            asked(http, "GET", "/v1.0/users", headers={"Authorization": "Bearer old"})
        assert not isinstance(expired.value, TokenWanted)
