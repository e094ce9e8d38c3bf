"""`/docs`: the OpenAPI document as a page to read. Without scripts, and nothing of it comes from elsewhere."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, StrictUndefined, Template
from starlette.responses import HTMLResponse, Response

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def docs_router() -> APIRouter:
    """The page and its style."""
    router = APIRouter(include_in_schema=False)
    made: list[str] = []

    @router.get("/docs")
    async def page(request: Request) -> Response:
        if not made:  # the document does not change once it is asked for
            made.append(rendered(request.app.openapi()))
        return HTMLResponse(made[0], headers=_HEADERS)

    @router.get("/docs/style.css")
    async def style() -> Response:
        return Response(_file("style.css"), media_type="text/css", headers=_HEADERS)

    return router


def rendered(document: Json) -> str:
    """The document as HTML."""
    groups: dict[str, list[Json]] = {}
    for path, item in document.get("paths", {}).items():
        for method in (one for one in _METHODS if one in item):
            operation = item[method]
            name = (operation.get("tags") or ["other"])[0]
            groups.setdefault(name, []).append(_operation(document, path, method, operation))
    return _template().render(
        title=document["info"]["title"],
        operations=sum(map(len, groups.values())),
        groups=[
            {"name": name, "anchor": f"tag-{name}", "operations": operations} for name, operations in groups.items()
        ],
        schemas=[_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())],
    )


def _operation(document: Json, path: str, method: str, operation: Json) -> Json:
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "path": path,
        "method": method,
        "anchor": operation.get("operationId", f"{method}-{path}"),
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "body": next((content.get("schema", {}) for content in body.values()), None),
        "parameters": [_parameter(_resolved(document, one)) for one in operation.get("parameters", [])],
        "responses": [_response(status, _resolved(document, one)) for status, one in operation["responses"].items()],
    }


def _parameter(parameter: Json) -> Json:
    schema = parameter.get("schema", {})
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "required": parameter.get("required", False),
        "type": schema,
        "meaning": parameter.get("description") or schema.get("description", ""),
    }


def _response(status: str, response: Json) -> Json:
    content = response.get("content", {})
    return {
        "status": status,
        "meaning": response.get("description", ""),
        "body": next((one.get("schema", {}) for one in content.values()), None),
    }


def _schema(name: str, schema: Json) -> Json:
    required = schema.get("required", [])
    return {
        "name": name,
        "description": schema.get("description", ""),
        "properties": [
            {"name": one, "type": of, "required": one in required, "meaning": of.get("description", "")}
            for one, of in schema.get("properties", {}).items()
        ],
    }


def _resolved(document: Json, part: Json) -> Json:
    found: Any = document
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _file(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_file("page.html"))
