"""`tenure reviews …`: what auditors take along of reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, asked, client, console, print_json

reviews = typer.Typer(help="Reviews for auditors: exceptions, and the evidence of a run.", no_args_is_help=True)
COLUMNS = (
    "kinds", "displayName", "userPrincipalName", "personId", "resourceType", "resource", "resourceId", "role", "reason",
    "recommendation", "recommendationReason", "owner", "ownerUserPrincipalName", "ownerId", "decidedAt", "review",
    "reviewEndedAt", "definitionId", "instanceId",
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
        out.write_text(as_table(rows, COLUMNS), encoding="utf-8")
        typer.echo(f"{len(rows)} exceptions written to {out}.")
    elif as_csv:
        typer.echo(as_table(rows, COLUMNS), nl=False)
    else:
        for row in rows:
            said = f"{row['displayName'] or row['personId']} keeps {row['resource'] or row['resourceId']}"
            why = f"{row['owner'] or 'the default decision'}: {row['reason'] or 'no reason given'}"
            console().print(f"{said} ({row['kinds']}; {row['review']}). {why}", markup=False)
        console().print(f"{len(rows)} exceptions.")
