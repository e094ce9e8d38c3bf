"""Commands learn from a run's API where Kafka is, and which sources of people it has."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import audit_commands
from deploy.cli.common import settings_of
from deploy.cli.endpoints import LOCK, CommandFailed, Endpoints, NothingRunning, write
from deploy.cli.hr_commands import sources
from deploy.run.joined_settings import half_named
from deploy.run.lock import hold
from shared.settings import Settings

ANSWERS = {
    "/v1.0/tenure/status": {"kafka": "broker.test:9093", "namespace": "spring", "services": {}},
    "/v1.0/tenure/audit/key": {"keyId": "k", "publicKey": "p", "pem": "PEM"},
    "/v1.0/tenure/audit/export": {"kind": "key"},
    "/v1.0/tenure/sources": {"value": [{"name": "agency", "employeeIds": False}], "correlate": [], "authority": {}},
}


@pytest.mark.parametrize(
    ("named", "said"), [({}, None), ({"kafka": "k:1"}, "KAFKA"), ({"mongo": "mongodb://m/"}, "MONGO")]
)
def test_one_server_named_alone_is_told_to_be_passed_over(named: dict[str, Any], said: str | None) -> None:
    told = half_named(Settings(**named))
    assert (told and told.partition(" ")[0]) == (said and f"TENURE_{said}")
    assert half_named(Settings(kafka="k:1", mongo="mongodb://m/")) is None  # type: ignore[arg-type]


class Answering(BaseHTTPRequestHandler):
    """What is asked for here, and nothing else."""

    def do_GET(self) -> None:
        known = ANSWERS.get(self.path)
        body = json.dumps(known or {"error": {"message": "unknown"}}).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_address_of_the_api_is_enough(api: str, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, f"{api}/")
    assert (settings.kafka, settings.namespace) == ("broker.test:9093", "spring")
    assert settings.topic("hr.urgent") == "spring.hr.urgent"


def test_a_proxy_that_the_environment_names_is_for_elsewhere(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    audit_commands.show_key(tmp_path, api, as_json=True)
    audit_commands.export(tmp_path, api, tmp_path / "trail")
    settings_of(tmp_path, api)
    assert json.loads(capsys.readouterr().out) == ANSWERS["/v1.0/tenure/audit/key"]


def test_what_the_environment_says_of_kafka_itself_stays(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_KAFKA", "elsewhere:9092")
    monkeypatch.setenv("TENURE_KAFKA_PROTOCOL", "SSL")
    settings = settings_of(tmp_path, api)
    assert (settings.kafka, settings.kafka_protocol) == ("broker.test:9093", "SSL")


def test_without_an_api_the_run_of_the_folder_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NothingRunning):
        settings_of(tmp_path)
    with pytest.raises(CommandFailed, match="Nothing answers"):
        settings_of(tmp_path, "http://127.0.0.1:9")


def test_the_sources_are_those_of_the_run_unless_a_file_is_named_here(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def named(asked: str | None) -> list[str]:
        sources(tmp_path, asked, as_json=True)
        return [one["name"] for one in json.loads(capsys.readouterr().out)["sources"]]

    assert named(None) == ["hr"], "nothing runs there"
    with hold(tmp_path / LOCK):
        write(tmp_path, Endpoints(api=api, kafka="broker.test:9093", mongo="", auth="off"))
        assert named(None) == ["agency"]
        (tmp_path / "sources.yaml").write_text("sources: {sap: {}}")
        monkeypatch.setenv("TENURE_SOURCES_FILE", str(tmp_path / "sources.yaml"))
        assert named(None) == ["sap"]
        assert named(api) == ["agency"]
