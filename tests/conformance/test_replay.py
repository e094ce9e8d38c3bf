"""Our own examples pass on the real servers, so that what `make conformance` counts elsewhere means something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.embedded import Servers
from tests.conformance.examples import OURS, Example, read_examples
from tests.conformance.ground import running
from tests.conformance.replay import replay, write_json


@pytest.mark.timeout(300)
async def test_our_own_examples_pass_and_a_wrong_one_does_not(servers: Servers, tmp_path: Path) -> None:
    wrong = Example("wrong", "GET", "/v1.0/groups/{id}", 200, answer={"id": "", "displayNome": ""})
    async with running(servers.endpoints) as client:
        outcomes = await replay(client, [*read_examples(OURS), wrong])
    assert {one.example.id: one.why for one in outcomes if not one.passed} == {"wrong": "displayNome is missing"}

    write_json(outcomes, tmp_path / "said.json")
    said = json.loads((tmp_path / "said.json").read_text())
    assert (said["passed"], said["of"], [one["id"] for one in said["failed"]]) == (
        len(outcomes) - 1,
        len(outcomes),
        ["wrong"],
    )
