"""The OpenAPI document: what FastAPI knows of the routes, and what all of them have in common.

Every operation names the refusals that it can answer with, in Graph's shape; the preferences and ids that every request
may carry; the bearer token. FastAPI's own 422 is never answered and goes.
"""

import json
import re
from collections import Counter
from typing import Any

from fastapi import FastAPI

Json = dict[str, Any]

_ERROR = "#/components/schemas/ODataError"
_REFUSALS: dict[int, str] = {
    400: "What was sent cannot be understood or is not allowed here; `target` names it.",
    401: "No token, or one that does not count; `WWW-Authenticate` says why.",
    403: "Known, and not allowed.",
    404: "No such object, or what was asked names one that is not there.",
    409: "The object's state does not allow it, a name is taken, or the Idempotency-Key was used for something else.",
    412: "The object has changed since the version that If-Match names.",
    413: "The body is too large.",
    429: "Too much at once; `Retry-After` says when to come back.",
    500: "A fault of ours; the request id finds it in the log.",
    503: "A server behind this one is away; `Retry-After` says when to come back.",
}
_ALWAYS = (400, 401, 403, 404, 429, 500, 503)
_CHANGES = frozenset({"post", "patch", "put", "delete"})
_WITH_RETRY_AFTER = frozenset({429, 503})

_SHARED_KINDS = frozenset({"query", "header"})
"""Where parameters stand that operations have alike; one in the path is read with its path."""

_PARAMETER = re.compile(r"\{[^}]*\}")

_TEXT: Json = {"text/plain": {"schema": {"type": "string"}}}
_JSON: Json = {"application/json": {"schema": {"type": "object"}}}
_PARAMETERS: dict[str, Json] = {
    "clientRequestId": {
        "name": "client-request-id",
        "in": "header",
        "description": "An id of the caller's own, echoed in the answer and in errors.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`return=minimal`: a 204 instead of what was made. `return=representation`: what was changed "
        "instead of a 204. `Preference-Applied` says that it was done.",
        "schema": {"type": "string", "enum": ["return=minimal", "return=representation"]},
    },
}
_SCHEMAS: dict[str, Json] = {
    "ODataError": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/MainError"}},
    },
    "MainError": {
        "type": "object",
        "required": ["code", "message", "innerError"],
        "properties": {
            "code": {"type": "string", "description": "For programs; stays as it is."},
            "message": {"type": "string", "description": "For people; may change."},
            "target": {"type": "string", "description": "The property, option or header that it is about."},
            "details": {"type": "array", "items": {"$ref": "#/components/schemas/ErrorDetails"}},
            "innerError": {"$ref": "#/components/schemas/InnerError"},
        },
    },
    "ErrorDetails": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {name: {"type": "string"} for name in ("code", "message", "target")},
    },
    "InnerError": {
        "type": "object",
        "required": ["date", "request-id", "client-request-id"],
        "properties": {name: {"type": "string"} for name in ("date", "request-id", "client-request-id")},
    },
}


class GraphApp(FastAPI):
    """FastAPI, whose document says what all our routes have in common."""

    def openapi(self) -> Json:
        if self.openapi_schema is None:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def completed(document: Json) -> Json:
    """`document` with the common parts put into every operation; FastAPI's own validation errors taken out."""
    components = document.setdefault("components", {})
    schemas: Json = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _SCHEMAS
    components["responses"] = {f"Refused{status}": _refusal(status) for status in _REFUSALS}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    document["security"] = [{"token": []}]
    _add_ends(document.get("paths", {}))
    for item in document.get("paths", {}).values():
        for method, operation in item.items():
            _complete(method, operation)
    components["parameters"] = {**_PARAMETERS, **_shared_parameters(document.get("paths", {}))}
    return document


def _shared_parameters(paths: dict[str, Json]) -> dict[str, Json]:
    """Takes what several operations have alike (query options, mostly) out of them, and gives it names: said once, the
    document is a third as long."""
    operations = [operation for item in paths.values() for operation in item.values()]
    everywhere = [one for operation in operations for one in operation["parameters"] if one.get("in") in _SHARED_KINDS]
    times = Counter(_text(one) for one in everywhere)
    alike = {_text(one): one for one in everywhere if times[_text(one)] > 1}
    names: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for text, one in alike.items():
        name = re.sub(r"\W", "", one["name"])
        numbers[name] += 1
        names[text] = f"{name}{numbers[name]}" if numbers[name] > 1 else name
    for operation in operations:
        operation["parameters"] = [
            {"$ref": f"#/components/parameters/{names[text]}"} if (text := _text(one)) in names else one
            for one in operation["parameters"]
        ]
    return {names[text]: one for text, one in alike.items()}


def _text(parameter: Json) -> str:
    return json.dumps(parameter, sort_keys=True)


def _add_ends(paths: dict[str, Json]) -> None:
    """What `navigation` answers behind lists, and behind one object: relations that it can be read with, and its
    reference where that can be set."""
    declared = {_PARAMETER.sub("{}", path) for path, item in paths.items() if "get" in item}
    for path, whole in [(path, item["get"]) for path, item in paths.items() if "get" in item and path.endswith("}")]:
        for relation in _relations(whole):
            behind = f"{path}/{relation}"
            if _PARAMETER.sub("{}", behind) not in declared:
                paths.setdefault(behind, {})["get"] = _relation(whole, relation)
    lists = {path: item["get"] for path, item in paths.items() if "get" in item and _is_counted(path, item["get"])}
    for path, listed in lists.items():
        counted = paths.setdefault(f"{path}/$count", {})
        counted.setdefault("get", _end(listed, "count", "Length of the list.", {"$filter", "$search"}, _TEXT))
        counted["get"]["responses"]["200"]["content"] = _TEXT
    for path, item in paths.items():
        if path.endswith("/$ref") and (whole := paths.get(path.removesuffix("/$ref"), {}).get("get")):
            kept = {"$filter", "$search", "$top", "$skip", "$skiptoken", "$count"} if _is_list(whole) else set()
            item.setdefault("get", _end(whole, "references", "Where it is found.", kept, _JSON))


def _is_counted(path: str, operation: Json) -> bool:
    """Whether it is a list that tells its length: one object may take a list's options, and has none."""
    return not path.endswith(("/$count", "}")) and _has(operation, "$count")


def _is_list(operation: Json) -> bool:
    return _has(operation, "$top")


def _relations(operation: Json) -> list[str]:
    """Those that `$expand` takes."""
    expand = (one for one in operation.get("parameters", []) if one.get("name") == "$expand")
    return [name for one in expand for name in one["schema"].get("examples", ())]


def _relation(whole: Json, name: str) -> Json:
    said = f"What `$expand={name}` shows, by itself."
    options = [
        {
            "name": option,
            "in": "query",
            "description": f"As inside `$expand={name}(...)`.",
            "schema": {"type": "string"},
        }
        for option in ("$select", "$expand")
    ]
    made = _end(whole, name, said, set(), _JSON)
    made["parameters"] += options
    made["responses"]["204"] = {"description": "It leads nowhere."}
    return made


def _has(operation: Json, parameter: str) -> bool:
    return any(one.get("name") == parameter for one in operation.get("parameters", []))


def _end(whole: Json, name: str, summary: str, options: set[str], content: Json) -> Json:
    return {
        "tags": whole.get("tags", []),
        "summary": summary,
        "operationId": f"{whole['operationId']}_{name}",
        "parameters": [one for one in whole.get("parameters", []) if one["in"] == "path" or one["name"] in options],
        "responses": {"200": {"description": "Successful Response", "content": content}},
    }


def _complete(method: str, operation: Json) -> None:
    responses: Json = operation["responses"]
    responses.pop("422", None)
    for status in sorted(_statuses(method, operation)):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Refused{status}"})
    if method in {"post", "patch", "put"}:
        # What Prefer turns them into.
        if "201" in responses or (method != "post" and "200" in responses):
            responses.setdefault("204", {"description": "With `Prefer: return=minimal`."})
        elif method != "post":
            responses.setdefault("200", {"description": "With `Prefer: return=representation`."})
    common = ["clientRequestId", *(["prefer"] if method in {"post", "patch", "put"} else [])]
    operation["parameters"] = [
        *operation.get("parameters", []),
        *({"$ref": f"#/components/parameters/{name}"} for name in common),
    ]
    operation["responses"] = dict(sorted(responses.items()))


def _statuses(method: str, operation: Json) -> set[int]:
    statuses = set(_ALWAYS)
    if method in _CHANGES:
        statuses |= {409, 412}
    if "requestBody" in operation:
        statuses.add(413)
    return statuses


def _refusal(status: int) -> Json:
    said: Json = {
        "description": _REFUSALS[status],
        "content": {"application/json": {"schema": {"$ref": _ERROR}}},
    }
    if status in _WITH_RETRY_AFTER:
        said["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    if status == 401:
        said["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return said
