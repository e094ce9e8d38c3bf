"""A run requires tokens, with one service in a process of its own: nobody gets past either without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from deploy.run.registry import NAMES
from tests.system.commands import TENURE, answers, endpoints, started, tenure, wait_for

APART = "notification"
SUMMARY = "/v1.0/tenure/notifications/summary"
HIRE = {
    "changeId": "hire-1",
    "employeeId": "1",
    "kind": "joined",
    "effectiveAt": "2026-01-01",
    "attributes": {"displayName": "Ana", "userPrincipalName": "ana@example.com"},
}


def get(url: str, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=30, trust_env=False)


def test_a_run_that_requires_tokens(tmp_path: Path) -> None:
    data_dir, log = tmp_path / "data", tmp_path / "log"
    left_out = [name for name in NAMES if name != "directory"]
    command = (*TENURE, "run", "--data-dir", str(data_dir), *(f"--without={name}" for name in left_out))
    with started(command, log) as process:
        found = wait_for(lambda: endpoints(data_dir), process, log)
        api = found["api"]
        assert answers(f"{api}/health/live")
        refused = get(f"{api}/v1.0/users")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")

        application = token(data_dir, "--app")
        assert get(f"{api}/v1.0/users", application).json()["value"] == []
        hires = tmp_path / "hires"
        hires.write_text(json.dumps(HIRE) + "\n")
        assert tenure("hr", "send", str(hires), "--data-dir", str(data_dir)).returncode == 0
        wait_for(lambda: get(f"{api}/v1.0/users", application).json()["value"], process, log)
        ana = token(data_dir, "--as", "Ana@Example.com")
        assert get(f"{api}/v1.0/me", ana).json()["displayName"] == "Ana"
        assert tenure("token", "--as", "nobody", "--data-dir", str(data_dir)).returncode == 1

        apart_log = tmp_path / "apart"
        with started((*TENURE, "service", APART, "--data-dir", str(data_dir)), apart_log) as apart:
            wait_for(lambda: get(f"{api}{SUMMARY}", application).status_code == 200, apart, apart_log)
            own = json.loads((data_dir / "services" / f"{APART}.json").read_text())["url"]
            assert get(f"{own}{SUMMARY}").status_code == 401
            assert get(f"{own}{SUMMARY}", ana).status_code == 403
            reader = token(data_dir, "--as", "ana@example.com", "--role", "Global Reader")
            assert get(f"{own}{SUMMARY}", reader).status_code == 200
            # The commands bring a token of their own, and the front passes it on.
            status = json.loads(tenure("status", "--json", "--data-dir", str(data_dir)).stdout)
            assert status["services"][APART]["running"]


def token(data_dir: Path, *arguments: str) -> str:
    done = tenure("token", *arguments, "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tokens_cannot_be_required_where_nobody_gives_them(tmp_path: Path) -> None:
    servers = {"TENURE_KAFKA": "127.0.0.1:1", "TENURE_MONGO": "mongodb://127.0.0.1:1/"}
    done = tenure("service", "directory", "--data-dir", str(tmp_path), **servers)
    assert done.returncode == 3  # there is no run to join
    alone = tenure("service", "directory", **servers)
    assert (alone.returncode, "TENURE_AUTH_ISSUER" in alone.stderr) == (2, True)
