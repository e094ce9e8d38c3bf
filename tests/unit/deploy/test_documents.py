"""The generated documents: current, in form, and every example is a message that its contract takes."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import jsonschema
import orjson
import pytest

from deploy.docs import documents
from deploy.docs.examples import example
from shared import contracts
from shared.contracts import topics
from shared.contracts.base import Contract
from shared.contracts.topics import Topic

REF = {
    "type": "object",
    "required": ["$ref"],
    "properties": {"$ref": {"type": "string"}},
    "additionalProperties": False,
}
MESSAGE = {
    "type": "object",
    "required": ["name", "payload", "headers", "examples", "bindings"],
    "properties": {
        "payload": REF,
        "headers": {"type": "object", "required": ["type", "properties"]},
        "contentType": {"const": "application/json"},
        "examples": {"type": "array", "minItems": 1, "items": {"required": ["headers", "payload"]}},
        "bindings": {"properties": {"kafka": {"required": ["key"]}}, "required": ["kafka"]},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["asyncapi", "info", "channels", "operations", "components"],
    "properties": {
        "asyncapi": {"type": "string", "pattern": r"^3\.\d+\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"]},
        "servers": {"additionalProperties": {"type": "object", "required": ["host", "protocol"]}},
        "channels": {
            "additionalProperties": {
                "type": "object",
                "required": ["address", "messages"],
                "properties": {
                    "address": {"type": "string"},
                    "messages": {"type": "object", "minProperties": 1, "additionalProperties": REF},
                    "servers": {"type": "array", "items": REF},
                },
            }
        },
        "operations": {
            "additionalProperties": {
                "type": "object",
                "required": ["action", "channel"],
                "properties": {
                    "action": {"enum": ["send", "receive"]},
                    "channel": REF,
                    "messages": {"type": "array", "items": REF},
                },
            }
        },
        "components": {
            "type": "object",
            "patternProperties": {"^[a-zA-Z]+$": {"propertyNames": {"pattern": r"^[\w.-]+$"}}},
            "properties": {"messages": {"additionalProperties": MESSAGE}},
        },
    },
}
"""What we ask of our document beyond the published schema: that nothing is said inline, and an example of each."""
PUBLISHED = Path(__file__).parent / "published" / "asyncapi-3.0.0.json"
"""AsyncAPI's own schema, as published (see NOTICE beside it): no package on the index brings it."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return documents.asyncapi()


def test_the_asyncapi_document_is_one_by_the_published_schema(document: dict[str, Any]) -> None:
    published = orjson.loads(PUBLISHED.read_bytes())
    jsonschema.Draft7Validator(published).validate(document)
    assert document["asyncapi"] == "3.0.0", "the schema kept here is that version's"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(published).validate(document | {"channels": {"x": {"address": 1}}})


def test_the_asyncapi_document_has_the_form_of_one(document: dict[str, Any]) -> None:
    jsonschema.validate(document, SCHEMA)
    for place in references(document):
        found: Any = document
        for step in place.removeprefix("#/").split("/"):
            assert step in found, place
            found = found[step]
    assert set(document["channels"]) == set(topics.BY_NAME)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [place for one in value.values() for place in references(one)]
    return [place for one in value for place in references(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("topic", topics.TABLE, ids=lambda topic: topic.name)
def test_every_example_is_taken_by_its_contract_and_fits_its_schema(topic: Topic, document: dict[str, Any]) -> None:
    shown = example(topic)

    taken = topic.contract.model_validate_json(orjson.dumps(shown.body))

    assert shown.headers["ce_type"] == taken.ce_type  # type: ignore[attr-defined]
    assert shown.key
    (name,) = document["channels"][topic.name]["messages"].values()
    message = document["components"]["messages"][name["$ref"].rsplit("/", 1)[1]]
    assert message["examples"][0]["payload"] == shown.body
    whole = {"components": document["components"], **message["payload"]}
    jsonschema.validate(shown.body, whole)
    jsonschema.validate(shown.headers, message["headers"])


def test_the_committed_documents_are_current() -> None:
    assert [file.name for file in documents.stale()] == [], "run `tenure docs` and commit what it writes"


def test_no_two_contracts_have_one_name() -> None:
    """A schema goes by its class's name, and the trail says it: of two, one would stand for the other."""
    modules = [import_module(f"shared.contracts.{one.name}") for one in iter_modules(contracts.__path__)]
    named = Counter(
        one.__name__
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Contract) and one.__module__ == module.__name__
    )
    assert [name for name, times in named.items() if times > 1] == []
