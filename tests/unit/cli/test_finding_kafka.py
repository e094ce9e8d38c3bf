"""Commands that talk to Kafka learn from a run's API where it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.common import settings_of
from deploy.cli.endpoints import CommandFailed, NothingRunning

STATUS = {"kafka": "broker.test:9093", "namespace": "spring", "services": {}}


class Answering(BaseHTTPRequestHandler):
    """The status, and nothing else."""

    def do_GET(self) -> None:
        known = self.path == "/v1.0/tenure/status"
        body = json.dumps(STATUS if known else {"error": {"message": "unknown"}}).encode()
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
