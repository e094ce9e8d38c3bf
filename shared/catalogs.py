"""Catalogs as packages are shown in them (Graph's accessPackageCatalog), for services that keep what catalog says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from shared.contracts import topics
from shared.contracts.catalog import CatalogFact, CatalogState
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.storage import Database, Replica
from shared.web.graph_model import graph_time
from shared.web.odata import BOOLEAN, DATETIME, GUID, EntitySet, Enumeration, Field

Document = dict[str, Any]

_SHOWN = frozenset(
    {"display_name", "description", "state", "is_externally_visible", "is_built_in", "created_at", "modified_at"}
)


def shown_of(state: CatalogState) -> Document:
    """What is kept of it to be shown."""
    return state.model_dump(by_alias=False, include=set(_SHOWN))


def catalog_said(id: str, shown: Mapping[str, Any]) -> Document:
    """Graph's accessPackageCatalog, of what was kept."""
    return {
        "id": id,
        "displayName": shown["display_name"],
        "description": shown["description"],
        "createdDateTime": graph_time(shown["created_at"]),
        "modifiedDateTime": graph_time(shown["modified_at"]),
        "catalogType": "serviceDefault" if shown["is_built_in"] else "userManaged",
        "state": shown["state"],
        "isExternallyVisible": shown["is_externally_visible"],
    }


def asked_of(at: str = "") -> EntitySet:
    """What may be asked of it where `shown_of` was kept; `at`: the place in the document, with a dot behind it."""
    kept_as = {"userManaged": False, "serviceDefault": True}
    return EntitySet(
        "accessPackageCatalog",
        {
            "id": Field("_id", GUID),
            "displayName": Field(f"{at}display_name"),
            "description": Field(f"{at}description"),
            "createdDateTime": Field(f"{at}created_at", DATETIME),
            "modifiedDateTime": Field(f"{at}modified_at", DATETIME),
            "catalogType": Field(f"{at}is_built_in", Enumeration(tuple(kept_as), kept_as=kept_as)),
            "state": Field(f"{at}state", Enumeration(("published", "unpublished"))),
            "isExternallyVisible": Field(f"{at}is_externally_visible", BOOLEAN),
        },
    )


class Catalogs:
    """A copy of them, for a service that only shows them."""

    def __init__(self, database: Database) -> None:
        self.replica = Replica[CatalogFact](database, "catalogs", lambda fact: shown_of(fact.state))

    def facts(self, platform: Platform) -> Subscription:
        return platform.keeps([topics.CATALOG_FACTS], self.replica)

    async def said(self, ids: Collection[str]) -> dict[str, Document]:
        """Those that have been heard of, by id."""
        return {id: catalog_said(id, shown) for id, shown in (await self.replica.get(ids)).items()}
