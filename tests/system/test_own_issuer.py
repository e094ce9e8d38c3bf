"""A run that believes an issuer of its operator's: found by its metadata, with keys that change, imitated by nobody."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from deploy.run.registry import NAMES
from shared.security.keys import PAUSE_S
from shared.security.permissions import DIRECTORY_ROLES, GLOBAL_ADMINISTRATOR
from tests.system.commands import TENURE, answers, clean_environment, endpoints, started, tenure, wait_for

AUDIENCE = "api://ours"
SKEW_S = 5
HIRE = {
    "changeId": "hire-1",
    "employeeId": "1",
    "kind": "joined",
    "effectiveAt": "2026-01-01",
    "attributes": {"displayName": "Ana", "userPrincipalName": "ana@example.com"},
}


class Issuer:
    """Answers with its metadata and its public keys, which may change."""

    def __init__(self) -> None:
        self.keys: list[Any] = [
            RSAKey.generate_key(2048, {"kid": "rsa"}, private=True),
            ECKey.generate_key("P-256", {"kid": "ec"}, private=True),
            OKPKey.generate_key("Ed25519", {"kid": "okp"}, private=True),
        ]
        self.asked = 0
        issuer = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                metadata = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                keys = {"keys": [key.as_dict(private=False) for key in issuer.keys]}
                body = json.dumps(metadata if self.path == "/.well-known/openid-configuration" else keys).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def key(self, id: str) -> Any:
        return next(key for key in self.keys if key.kid == id)

    def token(self, alg: str = "ES256", key: Any = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        key = key or self.key({"RS256": "rsa", "PS256": "rsa", "RS512": "rsa", "Ed25519": "okp"}.get(alg, "ec"))
        head = {"alg": alg, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        return jws.serialize_compact(head, json.dumps(self.claims(**claims)), key, algorithms=[alg])

    def claims(self, **said: Any) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "s", "iat": now, "exp": now + 600, "appid": "an-app"}
        return {name: value for name, value in (usual | said).items() if value is not ...}


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer()
    serving = threading.Thread(target=issuer.server.serve_forever, daemon=True)
    serving.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        issuer.server.server_close()
        serving.join()


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hostile(issuer: Issuer) -> dict[str, str]:
    """Tokens that must not count, by what is wrong with them."""
    now, stranger = int(time.time()), ECKey.generate_key("P-256", {"kid": "ec"}, private=True)
    may = {"roles": ["User.Read.All"]}
    shared = f"{encoded({'alg': 'HS256', 'kid': 'ec', 'typ': 'at+jwt'})}.{encoded(issuer.claims(**may))}"
    secret = issuer.key("ec").as_pem(private=False)
    return {
        "no signature": f"{encoded({'alg': 'none', 'kid': 'ec', 'typ': 'at+jwt'})}.{encoded(issuer.claims(**may))}.",
        "the public key as a shared secret": f"{shared}.{encoded(hmac.digest(secret, shared.encode(), 'sha256'))}",
        "an algorithm that is not allowed": issuer.token("RS512", **may),
        "a stranger's key under a known id": issuer.token(key=stranger, **may),
        "a key of its own": issuer.token(key=stranger, header={"jwk": stranger.as_dict(private=False)}, **may),
        "an unknown key": issuer.token(key=ECKey.generate_key("P-256", {"kid": "new"}, private=True), **may),
        "another issuer": issuer.token(iss="https://elsewhere.example", **may),
        "another audience": issuer.token(aud="tenure", **may),
        "a further audience": issuer.token(aud=[AUDIENCE, "others"], **may),
        "expired": issuer.token(exp=now - SKEW_S - 2, iat=now - 60, **may),
        "not valid yet": issuer.token(nbf=now + SKEW_S + 60, **may),
        "without an end": issuer.token(exp=..., **may),
        "longer than a day": issuer.token(exp=now + 25 * 3600, **may),
        "an ID token": issuer.token(header={"typ": "JWT"}, oid="x"),
        "nobody's": issuer.token(appid=..., **may),
    }


def test_a_run_believes_the_issuer_that_its_settings_name_and_nobody_else(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "log"
    left_out = [name for name in NAMES if name != "directory"]
    command = (*TENURE, "run", "--data-dir", str(data_dir), *(f"--without={name}" for name in left_out))
    with issuing() as issuer:
        environment = {"TENURE_AUTH_ISSUER": issuer.url, "TENURE_AUTH_AUDIENCE": AUDIENCE}
        environment["TENURE_AUTH_SKEW_S"] = str(SKEW_S)
        with started(command, log, clean_environment(**environment)) as process:
            found = wait_for(lambda: endpoints(data_dir), process, log)
            assert "issuer" not in found, "it has none of its own"
            api = found["api"]
            assert not answers(f"{api}/.well-known/jwks.json")

            def get(path: str, token: str) -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}"}
                return httpx.get(f"{api}/v1.0{path}", headers=headers, timeout=30, trust_env=False)

            reading = {"roles": ["User.Read.All"]}
            for alg in ("RS256", "PS256", "ES256", "Ed25519"):
                assert get("/users", issuer.token(alg, **reading)).status_code == 200, alg
            just = issuer.token(exp=int(time.time()) - 1, iat=int(time.time()) - 60, **reading)
            assert get("/users", just).status_code == 200, "the clocks differ a little"
            for what, token in hostile(issuer).items():
                refused = get("/users", token)
                assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationToken"), (
                    what
                )
                assert 'error="invalid_token"' in refused.headers["www-authenticate"], what

            _what_tokens_allow(issuer, data_dir, get, lambda what: wait_for(what, process, log))
            _commands_need_one_of_its_tokens(issuer, data_dir)

            asked = issuer.asked
            for _ in range(20):
                made_up = ECKey.generate_key("P-256", {"kid": uuid.uuid4().hex}, private=True)
                assert get("/users", issuer.token(key=made_up, **reading)).status_code == 401
            assert issuer.asked - asked <= 2, "made-up keys do not make us ask all the time"
            old = issuer.token("RS256", **reading)
            issuer.keys = [issuer.key("ec"), ECKey.generate_key("P-256", {"kid": "next"}, private=True)]
            after = issuer.token(key=issuer.key("next"), **reading)
            began = time.monotonic()
            wait_for(lambda: get("/users", after).status_code == 200, process, log, within=PAUSE_S + 10)
            assert time.monotonic() - began < PAUSE_S + 5
            assert get("/users", old).status_code == 401, "a key that was withdrawn counts no more"
            assert get("/users", issuer.token(**reading)).status_code == 200, "one that stayed does"


def _what_tokens_allow(issuer: Issuer, data_dir: Path, get: Any, until: Any) -> None:
    """Graph's names of permissions, of a person's and of an application's own."""
    hires = data_dir / "hires"
    hires.write_text(json.dumps(HIRE) + "\n")
    assert tenure("hr", "send", str(hires), "--data-dir", str(data_dir)).returncode == 0
    own = issuer.token(roles=["User.Read.All"])
    (ana,) = until(lambda: get("/users", own).json()["value"])

    def by_ana(scopes: str, **more: Any) -> str:
        return issuer.token(scp=scopes, oid=ana["id"], upn="ana@example.com", **more)

    assert get("/me", by_ana("User.Read")).json()["displayName"] == "Ana"
    assert get("/me", own).status_code == 400, "an application is no person"
    assert get("/groups", by_ana("User.Read")).status_code == 403
    assert get("/groups", by_ana("User.Read Group.Read.All")).status_code == 200
    assert get("/groups", by_ana("Group.ReadWrite.All")).status_code == 200, "the stronger of the pair suffices"
    assert get("/groups", own).status_code == 403
    assert get("/groups", issuer.token(roles=["Group.Read.All"])).status_code == 200
    assert get("/groups", issuer.token(roles=[])).status_code == 403
    # What lets an application act for somebody gives that somebody no right of their own, and a token no role.
    everything = by_ana("EntitlementManagement.ReadWrite.All", wids=[DIRECTORY_ROLES[GLOBAL_ADMINISTRATOR]])
    assert get("/tenure/status", everything).status_code == 403


def _commands_need_one_of_its_tokens(issuer: Issuer, data_dir: Path) -> None:
    at = ("--data-dir", str(data_dir))
    lacking = tenure("status", *at)
    assert (lacking.returncode, "TENURE_TOKEN" in lacking.stderr) == (2, True), lacking.stderr
    given = issuer.token(roles=["EntitlementManagement.Read.All"])
    assert json.loads(tenure("status", "--json", *at, TENURE_TOKEN=given).stdout)["services"]["directory"]["running"]
    refused = tenure("token", "--app", *at)
    assert (refused.returncode, "has no issuer of its own" in refused.stderr) == (2, True), refused.stderr
