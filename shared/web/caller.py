"""Who asks, from a request: the one place from which routes learn it.

    @router.post("/assignmentRequests", status_code=201)
    async def create(body: RequestIn, caller: Asking) -> RequestOut: ...

`Asking` is a `Caller` (see there): whom the bearer token names. Where tokens are not required (`TENURE_AUTH=off`) and
none is sent, it is the local operator, who may do everything, unless a header says otherwise. These headers are
believed from this machine only, and never beside a token:

- `Tenure-Actor: person:<id>`: that person, an ordinary one, with all delegated scopes and no directory role. For trying
  things and for tests. `file:<name>`, `source:<name>`, `system:<name>`: still the operator, named so in the trail.
  Percent-encoded beyond ASCII.
- `Tenure-Roles: Global Administrator, …`: directory roles that this person holds.

One thing an application may say beside its token: `Tenure-Actor: file:<name>`, the file that it follows. It gives no
right, and stands in the trail behind the application's name.
"""

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Scope

from shared.contracts.base import Cause
from shared.security.caller import Caller, operator, ordinary_person
from shared.security.permissions import directory_role
from shared.web.errors import BadRequest, Forbidden, RequestIds

ACTOR_HEADER = "Tenure-Actor"
ROLES_HEADER = "Tenure-Roles"
NOBODY_NAMED = "system:api"
"""The actor of a request that names none."""

_FILE = re.compile(r"file:[^\x00-\x1f\x7f]{1,200}")
_ACTOR = re.compile(r"(?:file|source|system):[^\x00-\x1f\x7f]{1,200}|person:[^\x00-\x1f\x7f/]{1,200}")
_IN_SCOPE = "tenure.caller"


def caller_of(request: Request) -> Caller:
    """Who asks. Raises BadRequest for a header that names nobody."""
    known: Caller | None = request.scope.get(_IN_SCOPE)
    if known is None:
        known = request.scope[_IN_SCOPE] = _without_token(request)
    return known


def known_to_be(scope: Scope, caller: Caller) -> None:
    """Whoever has checked it says so here, before any route asks."""
    scope[_IN_SCOPE] = caller


Asking = Annotated[Caller, Depends(caller_of)]
"""A route's parameter `caller: Asking`."""


def actor_of(request: Request) -> str:
    """'file:<name>', 'person:<id>', … as it stands in the trail."""
    caller = caller_of(request)
    if caller.is_operator or caller.app_id is None or caller.is_person:
        return caller.actor
    said = unquote(request.headers.get(ACTOR_HEADER, ""))
    return f"{caller.actor} {said}" if _FILE.fullmatch(said) else caller.actor


def signed_in(caller: Caller) -> str:
    """The person who asks. Raises Forbidden for applications and the operator, who are nobody in the directory."""
    if caller.person_id is None:
        raise Forbidden("Only a person who is signed in can ask this.")
    return caller.person_id


def cause_of(request: Request) -> Cause:
    """The first cause of all that follows from `request`."""
    id = f"http:{RequestIds.of(request).request_id}"
    return Cause(id=id, correlation=id, actor=actor_of(request))


def _without_token(request: Request) -> Caller:
    said = unquote(request.headers.get(ACTOR_HEADER, ""))
    if not said or not _from_here(request):
        return operator(NOBODY_NAMED)
    if not _ACTOR.fullmatch(said):
        raise BadRequest("Tenure-Actor is like 'file:company.yaml' or 'person:<id>'.", target=ACTOR_HEADER)
    kind, _, id = said.partition(":")
    return ordinary_person(id, roles=_roles(request)) if kind == "person" else operator(said)


def _roles(request: Request) -> frozenset[str]:
    roles = set()
    for text in filter(str.strip, request.headers.get(ROLES_HEADER, "").split(",")):
        if (role := directory_role(text)) is None:
            raise BadRequest(f"There is no directory role '{text.strip()[:64]}'.", target=ROLES_HEADER)
        roles.add(role)
    return frozenset(roles)


def _from_here(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return request.client.host in {"testclient", "localhost"}
