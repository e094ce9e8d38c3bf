"""`tenure asyncapi`, `tenure openapi`, `tenure docs`: the documents that are made from the code."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from deploy.cli.common import complain, print_json

Yaml = Annotated[bool, typer.Option("--yaml", help="YAML instead of JSON.")]
Json = Annotated[bool, typer.Option("--json", help="JSON; the default.")]


def asyncapi(as_json: Json = False, as_yaml: Yaml = False) -> None:
    """Print the AsyncAPI 3 document: every topic with its key, headers, body and an example."""
    from deploy.docs import documents  # noqa: PLC0415

    _print(documents.asyncapi(), as_yaml and not as_json)


def openapi(as_json: Json = False, as_yaml: Yaml = False) -> None:
    """Print the OpenAPI document: every path of every service."""
    from deploy.docs import documents  # noqa: PLC0415

    _print(documents.openapi(), as_yaml and not as_json)


def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the files are current; exit 1 if not.")
    ] = False,
) -> None:
    """Write deploy/docs/asyncapi.json and openapi.json anew."""
    from deploy.docs import documents  # noqa: PLC0415

    stale = documents.stale()
    if check:
        for file in stale:
            complain(f"{file.name} is not current: run `tenure docs` and commit it.")
        if stale:
            raise typer.Exit(1)
        return
    documents.write()
    complain(f"Written: {', '.join(file.name for file in stale)}." if stale else "Both are current.")


def _print(document: dict[str, Any], as_yaml: bool) -> None:
    if as_yaml:
        import yaml  # noqa: PLC0415

        sys.stdout.write(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120))
    else:
        print_json(document)
