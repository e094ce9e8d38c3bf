"""Which custom extensions a policy may name, and at which stages."""

from __future__ import annotations

from services.catalog import extensions
from services.catalog.model import Policy
from services.catalog.store import Shelves
from shared.web.errors import BadRequest


async def may_name_extensions(shelves: Shelves, policy: Policy) -> None:
    """Raises BadRequest unless the extensions that it names are of its package's catalog (EXT-1), and of the type that
    is called at their stages (EXT-2)."""
    if not policy.extensions:
        return
    catalog = await shelves.catalog_of_package(policy.package_id)
    there = await shelves.names_of(policy.named, shelves.extensions)
    for number, one in enumerate(policy.extensions):
        at = f"customExtensionStageSettings/{number}"
        found = there.get(one.extension_id)
        if found is None or found.item.catalog_id != catalog:
            text = "The custom extension is not in the package's catalog."
            raise BadRequest(text, target=f"{at}/customExtension/id")
        if found.item.kind != extensions.kind_for(one.stage):
            text = f"{one.stage.value} takes a {extensions.TYPES[extensions.kind_for(one.stage)]}."
            raise BadRequest(text, target=f"{at}/stage")
