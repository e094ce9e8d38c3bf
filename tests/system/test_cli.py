"""The commands, one run of everything behind them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.cli.common import credentials
from deploy.run.registry import NAMES
from shared.contracts import topics
from tests import waiting
from tests.system.commands import ROOT, TENURE, answers, clean_environment, endpoints, started, tenure, wait_for

LEFT_OUT = "notification"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`tenure run` without one service."""
    folder = tmp_path_factory.mktemp("cli")
    data_dir, log = folder / "data", folder / "log"
    command = (*TENURE, "run", "--data-dir", str(data_dir), "--without", LEFT_OUT)
    with started(command, log) as process:
        wait_for(lambda: endpoints(data_dir), process, log)
        yield data_dir
    assert endpoints(data_dir) is None, "removed when the run stops"
    assert "Traceback" not in log.read_text()


def at(run: Path, *arguments: str, **options: Any) -> Any:
    return tenure(*arguments, "--data-dir", str(run), **options)


def api(run: Path) -> str:
    found = endpoints(run)
    assert found is not None
    return str(found["api"])


def test_a_run_says_where_it_answers_and_is_ready(run: Path) -> None:
    found = endpoints(run)
    assert found is not None
    assert {"api", "kafka", "mongo", "mail"} <= set(found)
    assert answers(f"{found['api']}/health/ready")
    assert answers(f"{found['api']}/health/live")
    assert answers(f"{found['mail']}/messages")
    assert "tenure_ready" in httpx.get(f"{found['api']}/metrics", trust_env=False).text
    assert "/v1.0/users" in httpx.get(f"{found['api']}/openapi.json", trust_env=False).json()["paths"]


def test_a_second_run_on_the_same_folder_names_the_first(run: Path) -> None:
    done = at(run, "run")

    assert done.returncode == 2
    assert "is in use by process" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_left_out_is_said_to_be_and_its_process_takes_its_paths_over(run: Path, tmp_path: Path) -> None:
    path = "/v1.0/tenure/notifications/summary"
    headers = credentials(run)
    refused = httpx.get(api(run) + path, headers=headers, trust_env=False)
    assert refused.status_code == 503
    assert f"tenure service {LEFT_OUT}" in refused.json()["error"]["message"]
    status = at(run, "status", "--json")
    assert status.returncode == 1
    assert f"{LEFT_OUT} is not running" in status.stdout

    log = tmp_path / "log"
    with started((*TENURE, "service", LEFT_OUT, "--data-dir", str(run)), log) as process:
        wait_for(lambda: answers(api(run) + path, headers), process, log)
        twice = at(run, "service", LEFT_OUT)
        assert twice.returncode == 2
        assert "already runs" in twice.stderr
        services = json.loads(at(run, "status", "--json").stdout)["services"]
        assert set(services) == set(NAMES)
        assert services[LEFT_OUT]["running"]

    assert httpx.get(api(run) + path, headers=headers, trust_env=False).status_code == 503


def test_a_service_told_to_listen_elsewhere_refuses_to_start(run: Path, tmp_path: Path) -> None:
    for arguments in (("service", LEFT_OUT, "--data-dir", str(run)), ("run", "--data-dir", str(tmp_path))):
        done = tenure(*arguments, TENURE_HTTP_HOST="0.0.0.0")

        assert done.returncode == 2
        assert "TENURE_HTTP_HOST=0.0.0.0 would open the API" in done.stderr
        assert "Traceback" not in done.stderr


def test_hr_changes_are_sent_and_the_rejected_ones_shown_and_sent_again(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "changes.jsonl"
    joined = {
        "changeId": "cli-1",
        "employeeId": "cli-77",
        "kind": "joined",
        "effectiveAt": "2020-01-01",
        "attributes": {"displayName": "Ana Kovač", "department": "Sales"},
    }
    file.write_text(
        f"{json.dumps(joined)}\n" + '{"changeId": "cli-2", "employeeId": "cli-77", "kind": "promoted"}\nno json\n'
    )

    sent = at(run, "hr", "send", str(file))
    assert sent.returncode == 0, sent.stderr
    assert "3 sent" in sent.stderr

    rejected = eventually(lambda: of_this_test(run), lambda found: len(found) >= 2)
    codes = {one.get("changeId"): one["reason"]["code"] for one in rejected}
    assert "cli-2" in codes
    shown = at(run, "hr", "rejected", "show", rejected[0]["id"])
    assert json.loads(shown.stdout) == rejected[0]
    again = at(run, "hr", "rejected", "resend", rejected[0]["id"])
    assert again.returncode == 0, again.stderr
    eventually(lambda: of_this_test(run), lambda found: len(found) >= 3)


def of_this_test(run: Path) -> list[dict[str, Any]]:
    done = at(run, "hr", "rejected", "list", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_dead_letter_is_listed_shown_replayed_and_discarded(run: Path) -> None:
    found = endpoints(run)
    assert found is not None
    asyncio.run(poison(found["kafka"], b"first"))

    (letter,) = eventually(lambda: letters(run), lambda all: len(all) == 1)
    assert letter["body"] == "no json at all"
    assert letter["headers"]["trace"] == "first"
    assert json.loads(at(run, "dead-letters", "show", letter["id"]).stdout)["id"] == letter["id"]
    assert at(run, "status").returncode == 1

    replayed = at(run, "dead-letters", "replay", letter["id"])
    assert replayed.returncode == 0, replayed.stderr
    # The cause was not mended, so it is set aside again: the same letter, for the second time.
    (letter,) = eventually(lambda: letters(run), lambda all: [one["times"] for one in all] == [2])

    discarded = at(run, "dead-letters", "discard", letter["id"], "--reason", "a test")
    assert discarded.returncode == 0, discarded.stderr
    assert eventually(lambda: letters(run), lambda all: not all) == []
    (kept,) = json.loads(at(run, "dead-letters", "list", "--settled", "--json").stdout)
    assert kept["settled"] == "discarded: a test"
    assert at(run, "dead-letters", "replay", "nobody/0/0").returncode == 1


async def poison(kafka: str, trace: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(
            topics.MEMBERSHIP_COMMANDS.name, b"no json at all", key=b"nobody", headers=[("trace", trace)]
        )


def letters(run: Path) -> list[dict[str, Any]]:
    done = at(run, "dead-letters", "list", "--group", f"directory.{topics.MEMBERSHIP_COMMANDS.name}", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def eventually(what: Any, is_so: Any) -> Any:
    """What `what` gives once `is_so` holds of it."""

    def find() -> tuple[Any] | None:
        found = what()
        return (found,) if is_so(found) else None

    (found,) = waiting.eventually(find, lambda: str(what()))
    return found


def test_sources_and_reconciliation_answer(run: Path) -> None:
    sources = json.loads(at(run, "sources", "--json").stdout)
    assert [one["name"] for one in sources["sources"]] == ["hr"]
    assert at(run, "reconcile").returncode == 0


@pytest.mark.parametrize(
    "command", [("status",), ("dead-letters", "list"), ("hr", "rejected", "list"), ("reconcile",), ("service", "audit")]
)
def test_where_nothing_runs_the_commands_say_so(command: tuple[str, ...], tmp_path: Path) -> None:
    done = tenure(*command, "--data-dir", str(tmp_path))

    assert done.returncode == 3
    assert f"Nothing is running in {tmp_path}. Start it with `tenure run --data-dir {tmp_path}`" in done.stderr


def test_an_address_where_nobody_answers_is_nothing_running() -> None:
    done = tenure("status", "--api", "http://127.0.0.1:9")

    assert done.returncode == 3
    assert "Nothing answers at http://127.0.0.1:9" in done.stderr


def test_a_bad_setting_and_an_unknown_service_are_said_in_a_line(tmp_path: Path) -> None:
    done = tenure("run", "--data-dir", str(tmp_path), TENURE_BATCH_SIZE="many")
    assert done.returncode == 2
    assert done.stderr.startswith("TENURE_BATCH_SIZE: ")

    unknown = tenure("run", "--data-dir", str(tmp_path), "--without", "accounting")
    assert unknown.returncode == 2
    assert "There is no service 'accounting'" in unknown.stderr


def test_the_shell_completes_commands_and_names_of_services() -> None:
    def completed(words: str, at: int) -> list[str]:
        code = "import sys; sys.argv = ['tenure']; from deploy.cli import main; main()"
        asked = {"_TENURE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=clean_environment(**asked),
            cwd=ROOT,
            check=False,
        )
        return done.stdout.split()

    assert completed("tenure dead-l", 1) == ["dead-letters"]
    assert completed("tenure service a", 2) == ["approval", "assignment", "audit"]
    assert completed("tenure run --without pro", 3) == ["provisioning"]


def test_it_says_its_version() -> None:
    assert tenure("--version").stdout == f"tenure {version('tenure')}\n"


def test_help_names_every_command_quickly_and_imports_no_service() -> None:
    code = """
import sys
sys.argv = ["tenure", "--help"]
from deploy.cli.app import app
try:
    app()
except SystemExit:
    pass
# What commands that read topics need beside that.
import deploy.run.mailroom, deploy.run.joined_settings
heavy = [name for name in sys.modules if name.split(".")[0] in {"services", "faststream", "motor", "fastapi"}]
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("demo", "run", "service", "status", "plan", "apply", "explain", "dead-letters", "asyncapi"):
        assert name in done.stdout
