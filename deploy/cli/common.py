"""What all commands share: their options, how they print, how they fail."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.endpoints import CommandFailed, NothingAnswers, api_url, endpoints

if TYPE_CHECKING:
    import httpx
    from rich.console import Console

    from shared.settings import Settings

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="TENURE_DATA_DIR", help="Folder of the run.", show_envvar=False)
]
Api = Annotated[str | None, typer.Option("--api", help="Base address of a run's HTTP API, instead of --data-dir.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
DEFAULT_DIR = Path(".tenure")


def console() -> Console:
    """Where people read: standard output."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False)


def plain(text: object) -> str:
    """What others wrote, as a cell of a table: without what rich would read as markup, and without control characters
    that a terminal would obey. None is an empty cell."""
    from rich.markup import escape  # noqa: PLC0415

    return "" if text is None else escape("".join(c if c.isprintable() else "�" for c in str(text)))


def print_json(value: Any) -> None:
    """One JSON document on standard output, nothing else."""
    import orjson  # noqa: PLC0415

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def client(data_dir: Path, api: str | None, timeout_s: float = 30.0) -> httpx.Client:
    """An HTTP client on that run's API that says who asks. Raises NothingRunning."""
    import httpx  # noqa: PLC0415

    return httpx.Client(
        base_url=api_url(data_dir, api), timeout=timeout_s, trust_env=False, headers=credentials(data_dir, api)
    )


def credentials(data_dir: Path, api: str | None = None) -> dict[str, str]:
    """Headers that say who asks: the token that was given, else one of the run's own issuer if the run wants one.

    Raises NothingRunning, where a run has to be found."""
    if given := _token.get():
        return {"Authorization": f"Bearer {given}"}
    run = None if api else endpoints(data_dir)
    if run is None or run.auth != "on" or run.issuer is None:
        return {}
    from shared.security.development import DevelopmentIssuer  # noqa: PLC0415
    from shared.security.permissions import GLOBAL_ADMINISTRATOR  # noqa: PLC0415

    made = DevelopmentIssuer.of(data_dir).for_app(run.audience or "tenure", [GLOBAL_ADMINISTRATOR])
    return {"Authorization": f"Bearer {made}"}


_token: ContextVar[str | None] = ContextVar("token", default=None)


def _remember(said: str | None) -> None:
    if said:
        _token.set(said)


def _carries_token(
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="TENURE_TOKEN",
            callback=_remember,
            help="Bearer token to ask with. An embedded run that wants one is asked with one of its own.",
        ),
    ] = None,
) -> None:
    """Never called: its option is what others take."""


def take_token(command: Any) -> None:
    """Give `--token` to a command, and to those within it, that have `--api`."""
    for inner in getattr(command, "commands", {}).values():
        take_token(inner)
    if any(one.name == "api" for one in command.params):
        carrier = typer.Typer(add_completion=False)
        carrier.command()(_carries_token)
        option = next(one for one in typer.main.get_command(carrier).params if one.name == "token")
        option.expose_value = False
        command.params.append(option)


def asked(http: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """The JSON that the API answers. Raises CommandFailed with the API's own words, or if nobody answers (exit 3)."""
    with telling(http):
        answer = http.request(method, path, **options)
    require_answer(answer, method, path)
    return answer.json() if answer.content else None


@contextmanager
def telling(http: httpx.Client) -> Iterator[None]:
    """Raises NothingAnswers if what is asked within is not answered."""
    import httpx  # noqa: PLC0415

    try:
        yield
    except httpx.HTTPError as problem:
        told = f"Nothing answers at {http.base_url} ({type(problem).__name__}). Is it running?"
        raise NothingAnswers(told) from problem


def require_answer(answer: httpx.Response, method: str, path: str) -> None:
    """Raises CommandFailed with the API's own words if it refused."""
    check_token(answer)
    if answer.is_error:
        try:
            told = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            told = answer.text[:300]
        raise CommandFailed(f"{method} {path}: {answer.status_code}. {told}")


class TokenWanted(CommandFailed):
    """The API asks who calls, and the command has nothing to show."""

    exit_code = 2


def check_token(answer: httpx.Response) -> None:
    """Raises TokenWanted if no token was sent, and one was asked for."""
    if answer.status_code == 401 and "authorization" not in answer.request.headers:
        url = answer.request.url
        raise TokenWanted(
            f"{url.scheme}://{url.netloc.decode()} wants to know who asks: give a bearer token with --token or "
            "TENURE_TOKEN. For an embedded run `tenure token` prints one; with --data-dir the commands make their own."
        )


def settings_of(data_dir: Path, api: str | None = None) -> Settings:
    """Settings of a command that talks to Kafka itself: as the API says, else the run's, else the environment's.

    Raises NothingRunning if there is none of them."""
    from deploy.cli.endpoints import NothingRunning, endpoints  # noqa: PLC0415
    from deploy.run.joined_settings import joined, servers_named, with_values  # noqa: PLC0415

    settings = read_settings(data_dir)
    if api:
        with client(data_dir, api) as http:
            said = asked(http, "GET", "/v1.0/tenure/status")
        return with_values(settings, kafka=said["kafka"], namespace=said["namespace"])
    try:
        return joined(settings, endpoints(data_dir))
    except NothingRunning:
        if servers_named(settings):
            return settings
        raise


def joining(name: str, data_dir: Path) -> str:
    """The command that starts this service for the run of that folder."""
    return f"tenure service {name}" + ("" if data_dir == DEFAULT_DIR else f" --data-dir {data_dir}")


def read_settings(data_dir: Path | None) -> Settings:
    """The process's settings with this data folder; None: the one that they name themselves.

    Raises CommandFailed (exit 2) that names the bad variable."""
    from pydantic import ValidationError  # noqa: PLC0415

    from shared.settings import Settings, unknown_variables, variable  # noqa: PLC0415

    try:
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as problem:
        said = "; ".join(
            f"{variable(str(one['loc'][0])) if one['loc'] else 'settings'}: {one['msg'].removeprefix('Value error, ')}"
            for one in problem.errors(include_input=False, include_url=False)
        )
        failed = CommandFailed(said)
        failed.exit_code = 2
        raise failed from None
    for name in unknown_variables():
        complain(f"{name} is no setting of Tenure and is ignored.")
    return settings


def complain(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(line + "\n")


def set_up_logs(settings: Settings) -> None:
    """Logs to standard error, as the settings want them."""
    from shared.telemetry.logs import configure  # noqa: PLC0415

    configure(settings.log_format, settings.log_level)
    broker = logging.getLogger("faststream")
    broker.handlers.clear()  # the library's own, beside ours
    broker.addFilter(_worth_saying)


def _worth_saying(record: logging.LogRecord) -> bool:
    """The broker library resets its logger's level when it starts, and says of each subscriber that topics are not
    created by themselves, which is on purpose."""
    return record.levelno >= logging.WARNING and not str(record.msg).startswith("Auto create topics is disabled")
