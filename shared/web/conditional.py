"""Conditional requests: an ETag is the version of the aggregate, so that a stale PATCH is refused."""

from shared.web.errors import PreconditionFailed


def etag(version: int) -> str:
    """Weak ETag of a version: two renderings of one version may differ (`$select`), what they say does not."""
    return f'W/"{version}"'


def require_match(if_match: str | None, version: int) -> None:
    """Raises PreconditionFailed (412) unless If-Match is absent, `*`, or names `version` among its ETags."""
    if if_match is None:
        return
    named = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if named.isdisjoint({"*", str(version)}):
        raise PreconditionFailed("The object has changed since it was read; read it again.", target="If-Match")
