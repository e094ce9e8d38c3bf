"""Who calls: the cause of what a request leads to.

Until tokens come, whoever reaches the API (this machine only, see `require_local`) may say on whose behalf they act, by
the header `Tenure-Actor` (percent-encoded beyond ASCII). It is believed from this machine only, and stands in the trail
as it was said.
"""

import re
from ipaddress import ip_address
from urllib.parse import unquote

from starlette.requests import Request

from shared.contracts.base import Cause
from shared.web.errors import BadRequest, RequestIds

ACTOR_HEADER = "Tenure-Actor"
NOBODY_NAMED = "system:api"
"""The actor of a request that names none."""

_ACTOR = re.compile(r"(file|person|source|system):[^\x00-\x1f\x7f]{1,200}")


def actor_of(request: Request) -> str:
    """'file:<name>', 'person:<id>', … as the header says. Raises BadRequest for what is no actor."""
    said = unquote(request.headers.get(ACTOR_HEADER, ""))
    if not said or not _from_here(request):
        return NOBODY_NAMED
    if not _ACTOR.fullmatch(said):
        raise BadRequest("Tenure-Actor is like 'file:company.yaml' or 'person:<id>'.", target=ACTOR_HEADER)
    return said


def cause_of(request: Request) -> Cause:
    """The first cause of all that follows from `request`."""
    id = f"http:{RequestIds.of(request).request_id}"
    return Cause(id=id, correlation=id, actor=actor_of(request))


def _from_here(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return request.client.host in {"testclient", "localhost"}
