"""The AsyncAPI 3 document of all topics, made from their table by FastStream; keys, headers and examples added by us.

The broker it is made from is never started: the running one's batch handlers would be shown as arrays.
"""

from __future__ import annotations

import json
import re
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification.asyncapi import AsyncAPI

from deploy.docs.examples import example
from shared.contracts import topics
from shared.contracts.topics import Topic

_NOT_IN_REFS = re.compile(r"[^A-Za-z0-9._-]")
_HEADERS: dict[str, tuple[str, bool]] = {
    "ce_specversion": ("CloudEvents version: 1.0.", True),
    "ce_id": ("Id of the message; the same again when it is published again: dedupe by it.", True),
    "ce_type": ("What it is, with its version.", True),
    "ce_source": ("The service that says it.", True),
    "ce_time": ("When it was decided, UTC.", True),
    "ce_subject": ("The aggregate it is about.", False),
    "content-type": ("application/json", True),
    "traceparent": ("W3C trace context.", False),
    "correlation": ("The first cause: one HR change, one request, one rule change.", False),
    "causation": ("The message, request or timer before.", False),
    "lane": ("'urgent' if it travels in the urgent lane.", False),
    "transitions": ("Of a fact: what it tells of, separated by commas; the types in the body.", False),
}


def document() -> dict[str, Any]:
    """The whole document, as JSON values; the same for the same code."""
    spec = _bare()
    spec["info"] |= {
        "description": "Everything that Tenure's services say to one another and to others, on Kafka. Topics marked "
        "public are for those who are not Tenure. CloudEvents 1.0, binary mode: attributes are headers, the body is "
        "JSON. On inbound topics bare JSON without any header, and structured mode, are taken as well.",
        "license": {"name": "Apache-2.0"},
    }
    spec["servers"] = {
        "kafka": {"host": "localhost:9092", "protocol": "kafka", "description": "What TENURE_KAFKA names."}
    }
    schemas = spec["components"]["schemas"]
    _dates_without_time(schemas)
    messages: dict[str, Any] = {}
    for topic in topics.TABLE:
        (old,) = spec["channels"][topic.name]["messages"]
        before = spec["components"]["messages"][f"{topic.name}:{old}"]
        name = topic.contract.__name__
        place = _NOT_IN_REFS.sub("_", topic.name)
        messages[place] = _message(topic, before["payload"])
        spec["channels"][topic.name] |= {
            "servers": [{"$ref": "#/servers/kafka"}],
            "description": _description(topic),
            "tags": [{"name": topic.owner}, *([{"name": "public"}] if topic.public else [])],
            "messages": {name: {"$ref": f"#/components/messages/{place}"}},
            "bindings": {"kafka": _channel_binding(topic)},
        }
        spec["operations"][topic.name]["messages"] = [{"$ref": f"#/channels/{topic.name}/messages/{name}"}]
        spec["operations"][topic.name]["summary"] = topic.about
    spec["components"]["messages"] = messages
    # The library goes through sets, so its order is another one each time.
    for part in ("channels", "operations"):
        spec[part] = {topic.name: spec[part][topic.name] for topic in topics.TABLE}
    spec["components"]["schemas"] = dict(sorted(schemas.items()))
    return spec


def _bare() -> dict[str, Any]:
    broker = KafkaBroker("localhost:9092")
    for topic in topics.TABLE:
        if topic.inbound:

            async def receive(body: Any) -> None:
                """Never called."""

            receive.__annotations__ = {"body": topic.contract}
            broker.subscriber(topic.name, title=topic.name, description=topic.about)(receive)
        else:
            broker.publisher(topic.name, schema=topic.contract, title=topic.name, description=topic.about)
    made = AsyncAPI(broker, title="Tenure", version="1", identifier="urn:tenure", schema_version="3.0.0")
    spec: dict[str, Any] = json.loads(made.to_specification().to_json())
    return spec


def _message(topic: Topic, payload: Any) -> dict[str, Any]:
    shown = example(topic)
    required = [] if topic.inbound else [name for name, (_, always) in _HEADERS.items() if always]
    return {
        "name": topic.contract.__name__,
        "title": topic.contract.__name__,
        "summary": topic.about,
        "contentType": "application/json",
        "payload": payload,
        "headers": {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, (text, _) in _HEADERS.items()},
            **({"required": required} if required else {}),
        },
        "correlationId": {"location": "$message.header#/correlation"},
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
        "examples": [
            {"name": "example", "summary": f"Key: {shown.key}", "headers": shown.headers, "payload": shown.body}
        ],
    }


def _description(topic: Topic) -> str:
    who = "Written by those who are not Tenure" if topic.inbound else f"Written by {topic.owner}"
    return f"{topic.about} {who}. Key: {topic.key}. Kept for {topic.retention.days} days."


def _channel_binding(topic: Topic) -> dict[str, Any]:
    kept = int(topic.retention.total_seconds() * 1000)
    return {
        "topic": topic.name,
        "partitions": topic.partitions or topics.PER_PERSON,
        "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": kept},
        "bindingVersion": "0.5.0",
    }


def _dates_without_time(schemas: dict[str, Any]) -> None:
    """The HR contract takes dates without time, too, which pydantic's schema does not know."""
    at = schemas["HrChange"]["properties"]["effectiveAt"]
    at.pop("format")
    at["anyOf"] = [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
    at.pop("type")
