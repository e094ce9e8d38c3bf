"""`tenure token`: a bearer token of the embedded run's own issuer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from deploy.cli.common import DEFAULT_DIR, DataDir, asked
from deploy.cli.endpoints import CommandFailed, endpoints

if TYPE_CHECKING:
    from shared.security.development import DevelopmentIssuer


class NoToken(CommandFailed):
    """There is nobody to give a token to, or nobody who may give one."""

    exit_code = 2


def token(
    data_dir: DataDir = DEFAULT_DIR,
    upn: Annotated[
        str | None,
        typer.Option("--as", metavar="UPN", help="The person to be: an ordinary one, unless --role says more."),
    ] = None,
    app: Annotated[bool, typer.Option("--app", help="An application, with every application permission.")] = False,
    role: Annotated[
        list[str] | None, typer.Option("--role", help="A directory role to hold, such as 'Global Administrator'.")
    ] = None,
) -> None:
    """Print a bearer token for the embedded run of --data-dir. It lives for twelve hours.

    The key that signs it lies in that folder, so the address of an API is not enough. For development only: a run on
    servers of others takes the tokens of TENURE_AUTH_ISSUER."""
    from shared.security.development import DevelopmentIssuer, NoIssuer  # noqa: PLC0415
    from shared.security.permissions import DIRECTORY_ROLES, directory_role  # noqa: PLC0415

    if (upn is None) is not app:
        raise NoToken("Say either --as UPN or --app.")
    roles = [(text, directory_role(text)) for text in role or ()]
    if unknown := [text for text, known in roles if known is None]:
        raise NoToken(f"There is no directory role {unknown[0]!r}. There are: {', '.join(sorted(DIRECTORY_ROLES))}.")
    run = endpoints(data_dir, by_api=False)
    try:
        if run.issuer is None:
            raise NoIssuer
        issuer = DevelopmentIssuer.of(data_dir)
    except NoIssuer:
        raise NoToken(
            f"The run in {data_dir} has no issuer of its own. Only a run with embedded servers has one, and none if "
            "TENURE_AUTH_ISSUER names another: ask that one for a token."
        ) from None
    held = [known for _, known in roles if known]
    audience = run.audience or "tenure"
    if upn is None:
        sys.stdout.write(issuer.for_app(audience, held) + "\n")
        return
    id, name = _person(run.api, issuer, audience, upn)
    sys.stdout.write(issuer.for_person(audience, id, name, held) + "\n")


def _person(api: str, issuer: DevelopmentIssuer, audience: str, upn: str) -> tuple[str, str]:
    import httpx  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {issuer.for_app(audience, ['Global Reader'])}"}
    with httpx.Client(base_url=api, timeout=30.0, trust_env=False, headers=headers) as http:
        found = asked(http, "GET", f"/v1.0/users/{quote(upn, safe='@')}?$select=id,userPrincipalName")
    return found["id"], found["userPrincipalName"]
