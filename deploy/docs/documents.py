"""Both documents and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.docs import asyncapi as topics_document

FOLDER = Path(__file__).parent


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3, all topics."""
    return topics_document.document()


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1, all paths of all services, as one process serves them."""
    from deploy.run import registry  # noqa: PLC0415 - it imports every service
    from deploy.run.front import application  # noqa: PLC0415
    from shared.messaging.host import Host  # noqa: PLC0415
    from shared.settings import Settings  # noqa: PLC0415

    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    settings = Settings.model_construct(**{**defaults, "auth": "off"})  # nobody calls it, so it needs no issuer
    host = Host(settings, registry.assemblies())
    return application(settings, host, {}, None).openapi()


def files() -> dict[Path, str]:
    """What each file has to hold."""
    return {FOLDER / "asyncapi.json": _text(asyncapi()), FOLDER / "openapi.json": _text(openapi())}


def stale() -> list[Path]:
    """The files that hold something else."""
    return [file for file, text in files().items() if not file.exists() or file.read_text(encoding="utf-8") != text]


def write() -> None:
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
