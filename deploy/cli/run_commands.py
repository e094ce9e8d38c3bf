"""`tenure run`, `tenure service`, `tenure topics`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.common import DEFAULT_DIR, Api, DataDir, complain, console, joining, read_settings, set_up_logs
from deploy.cli.endpoints import CannotStart

if TYPE_CHECKING:
    from deploy.run.process import Run


def _services() -> list[str]:
    from deploy.run.registry import NAMES  # noqa: PLC0415

    return list(NAMES)


Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without", metavar="NAME", help="Leave this service out (may be repeated).", autocompletion=_services
    ),
]


def run(data_dir: DataDir = DEFAULT_DIR, without: Without = None) -> None:
    """Kafka and MongoDB (unless TENURE_KAFKA and TENURE_MONGO name others), and all services, until Ctrl-C.

    When everything is ready, DIR/endpoints.json says where."""
    from deploy.run.process import all_in_one, until_told  # noqa: PLC0415

    settings = read_settings(data_dir)
    set_up_logs(settings)

    async def serve() -> None:
        async with all_in_one(settings, tuple(without or ()), complain) as up:
            show(up)
            await until_told()
            complain("Stopping")

    _until_interrupted(serve())


def service(
    name: Annotated[str, typer.Argument(help="The service to run.", autocompletion=_services)],
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Join the run of this folder.")] = None,
    another: Annotated[bool, typer.Option("--another", help="Even if others run it for that folder already.")] = False,
) -> None:
    """One service in this process: in the run of --data-dir, or on the servers that TENURE_KAFKA and TENURE_MONGO name.

    Without either it joins the run in .tenure/, or in the folder that TENURE_DATA_DIR names. Processes of one service
    share its work, and any of them may end."""
    from deploy.run.joined_settings import servers_named  # noqa: PLC0415
    from deploy.run.process import alone, until_told  # noqa: PLC0415

    settings = read_settings(data_dir)
    set_up_logs(settings)
    folder = data_dir if data_dir is not None or servers_named(settings) else settings.data_dir

    async def serve() -> None:
        async with alone(settings, name, folder, complain, another=another) as url:
            complain(f"{name} is ready at {url}")
            await until_told()
            complain("Stopping")

    _until_interrupted(serve())


def topics(data_dir: DataDir = DEFAULT_DIR, api: Api = None) -> None:
    """Make the topics that are missing, and the dead-letter topics; the deploy step. Changes none that is there.

    In Kafka as the run of --data-dir or --api knows it; where none runs, on the servers that TENURE_KAFKA and
    TENURE_MONGO name. How many partitions and copies a new topic has is a setting: TENURE_PARTITIONS,
    TENURE_REPLICATION."""
    from deploy.cli.common import settings_of  # noqa: PLC0415
    from deploy.run import registry  # noqa: PLC0415
    from shared.messaging.admin import create_topics  # noqa: PLC0415
    from shared.messaging.errors import MayPass  # noqa: PLC0415

    settings = settings_of(data_dir, api)
    set_up_logs(settings)

    async def make() -> list[str]:
        groups = registry.all_groups(settings)
        # The broker may still be starting, as in compose.
        for pause in (0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8):
            try:
                return await create_topics(settings, groups)
            except MayPass as problem:
                complain(f"{problem}; trying again")
                await asyncio.sleep(pause)
        return await create_topics(settings, groups)

    try:
        made = asyncio.run(make())
    except MayPass as problem:
        raise CannotStart(f"Kafka does not answer at {settings.kafka}. {problem}") from problem
    complain(f"{len(made)} topics made." if made else "All topics are there.")


def show(up: Run) -> None:
    """One screen: what is up and where."""
    from rich.table import Table  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    table.add_row("HTTP API", f"{up.endpoints.api}/v1.0")
    table.add_row("Tokens", _tokens(up))
    table.add_row("Kafka", up.endpoints.kafka)
    table.add_row("MongoDB", up.endpoints.mongo.split("@")[-1])
    if up.endpoints.mail:
        table.add_row("Mails", up.endpoints.mail)
    table.add_row("Services", ", ".join(up.host.services))
    if up.without:
        table.add_row("Left out", ", ".join(f"{name} (`{joining(name, up.settings.data_dir)}`)" for name in up.without))
    table.add_row("Data", str(up.settings.data_dir))
    out = console()
    out.print("\n[bold]Tenure is ready.[/bold] Ctrl-C stops it.\n")
    out.print(table)


def _tokens(up: Run) -> str:
    if up.settings.auth == "off":
        return "not required: whoever reaches the API may do everything"
    if up.endpoints.issuer is None:
        return f"of {up.settings.auth_issuer}"
    return "`tenure token --as UPN`, `tenure token --app`"


def _until_interrupted(work: object) -> None:
    try:
        asyncio.run(work)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
