"""The places that the directory's sites lie in: Graph's resource environments.

None of it is kept: it is made of what the directory told of sites. Source: reference/graph-api-operations.md 2.7.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from services.catalog.origins import Origins
from shared.ids import derived_id


def host_of(url: str) -> str:
    """Scheme and host of a site: what its environment is named by; empty for what is no address."""
    at = urlsplit(url)
    return f"{at.scheme}://{at.netloc}" if at.netloc else ""


async def environments_of(origins: Origins) -> list[dict[str, Any]]:
    """Every place, as Graph's accessPackageResourceEnvironment. The first by name is the default one."""
    sites = await origins.sites.find({"deleted": False})
    return [
        _said(url, is_default=number == 0)
        for number, url in enumerate(sorted({host_of(one["url"]) for one in sites} - {""}))
    ]


def _said(url: str, *, is_default: bool) -> dict[str, Any]:
    return {
        "id": derived_id("environment", url),
        "displayName": urlsplit(url).netloc,
        "description": f"Sites of {urlsplit(url).netloc}.",
        "originSystem": "SharePointOnline",
        "originId": url,
        "isDefaultEnvironment": is_default,
        "connectionInfo": {"url": url},
        # It is made of sites as they are now: since when it is there nobody has noted.
        "createdDateTime": None,
        "modifiedDateTime": None,
    }
