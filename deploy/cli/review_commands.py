"""`tenure reviews …`: what auditors take along of reviews."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.common import (
    DEFAULT_DIR,
    Api,
    AsJson,
    DataDir,
    asked,
    client,
    console,
    print_json,
    require_answer,
    telling,
)
from deploy.cli.endpoints import CommandFailed

if TYPE_CHECKING:
    import httpx

LONG_S = 3600.0
"""The evidence of a long review takes a while."""
reviews = typer.Typer(help="Reviews for auditors: exceptions, and the evidence of a run.", no_args_is_help=True)
COLUMNS = (
    "kinds", "displayName", "userPrincipalName", "personId", "resourceType", "resource", "resourceId", "role",
    "roleDisplayName", "reason", "recommendation", "recommendationReason", "owner", "ownerUserPrincipalName",
    "ownerId", "decidedAt", "review", "reviewEndedAt", "definitionId", "instanceId",
)  # fmt: skip


@reviews.command()
def exceptions(
    definition: Annotated[str | None, typer.Option("--review", help="Only of this definition's id.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write CSV to.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As a table for spreadsheets.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
) -> None:
    """Who kept access although a recommendation or a rule spoke against it: why, by whom, in which review."""
    from deploy.cli.audit_commands import as_table  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    options = {"$top": "999", **({"definitionId": definition} if definition else {})}
    with client(data_dir, api) as http:
        while True:
            page = asked(http, "GET", "/v1.0/tenure/exceptions", params=options)
            rows += [{**one, "kinds": " ".join(one["kinds"])} for one in page["value"]]
            if "@tenure.next" not in page:
                break
            options["$skiptoken"] = page["@tenure.next"]
    if as_json:
        print_json({"value": rows})
    elif out is not None:
        try:
            out.write_text(as_table(rows, COLUMNS), encoding="utf-8")
        except OSError as problem:
            raise CommandFailed(f"{out}: {problem.strerror}") from None
        typer.echo(f"{len(rows)} exceptions written to {out}.")
    elif as_csv:
        typer.echo(as_table(rows, COLUMNS), nl=False)
    else:
        for row in rows:
            said = f"{row['displayName'] or row['personId']} keeps {row['resource'] or row['resourceId']}"
            why = f"{row['owner'] or 'the default decision'}: {row['reason'] or 'no reason given'}"
            console().print(f"{said} ({row['kinds']}; {row['review']}). {why}", markup=False)
        console().print(f"{len(rows)} exceptions.")


@reviews.command()
def evidence(
    instance: Annotated[str, typer.Argument(help="Id of the run: of an instance of a review.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write the bundle and the page to.")] = Path(),
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
) -> None:
    """The signed evidence of one run: a bundle to prove (`tenure audit verify --bundle`) and a page to read."""
    at = f"/v1.0/tenure/reviewEvidence/{instance}"
    with client(data_dir, api, LONG_S) as http:
        for path, name in ((at, f"review-{instance}.json"), (f"{at}/page", f"review-{instance}.html")):
            try:
                out.mkdir(parents=True, exist_ok=True)
                download(http, path, out / name)
            except OSError as problem:
                raise CommandFailed(f"{problem.filename or out}: {problem.strerror}") from None
            typer.echo(str(out / name))


def download(http: httpx.Client, path: str, to: Path) -> None:
    """Whole or not at all. Raises CommandFailed for what the API refuses, OSError for what the disk does."""
    aside = to.with_name(f"{to.name}.part")
    try:
        with telling(http), http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
            require_answer(answer, "GET", path)
            with aside.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        aside.replace(to)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
