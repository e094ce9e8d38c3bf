"""Conditional requests: an ETag is the version of the aggregate, so that a stale change is refused.

    @router.patch("/catalogs/{id}", status_code=204)
    async def patch(id: str, body: CatalogPatch, if_match: IfMatch = None) -> None: ...

Two callers who read the same version must not both win, so the version goes into the decision (`version_named`), which
is taken under the same version as the write. `require_match` is for what has been read and is answered at once.
"""

from typing import Annotated

from fastapi import Header

from shared.web.errors import BadRequest, PreconditionFailed

IfMatch = Annotated[str | None, Header(alias="If-Match", max_length=1024, description="ETag of what was read, or `*`.")]
"""A route's parameter `if_match: IfMatch = None`."""


def etag(version: int) -> str:
    """Weak ETag of a version: two renderings of one version may differ (`$select`), what they say does not."""
    return f'W/"{version}"'


def require_match(if_match: str | None, version: int) -> None:
    """Raises PreconditionFailed (412) unless If-Match is absent, `*`, or names `version` among its ETags."""
    named = _named(if_match)
    if named is not None and str(version) not in named:
        raise _stale()


def version_named(if_match: str | None) -> int | None:
    """The version that If-Match names; None if it is absent or `*`.

    Raises PreconditionFailed for what was never an ETag of ours, BadRequest for several."""
    named = _named(if_match)
    if named is None:
        return None
    if len(named) > 1:
        raise BadRequest("If-Match names one ETag here.", target="If-Match")
    (text,) = named
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _stale()
    return int(text)


def _named(if_match: str | None) -> frozenset[str] | None:
    if if_match is None:
        return None
    named = frozenset(tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(","))
    return None if "*" in named else named


def _stale() -> PreconditionFailed:
    return PreconditionFailed("The object has changed since it was read; read it again.", target="If-Match")
