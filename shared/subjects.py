"""The connected organisation of whoever an assignment is for: the directory's word, kept here and looked up by mail.

An organisation is found by its domains alone. Whether somebody signed in to a tenant is not known here, and the same
mail domain without that does not make them one of its people (ORG-2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts import topics
from shared.contracts.organizations import OrganizationFact, Side
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.storage import Database, Index, Replica
from shared.web.graph_model import ODATA_TYPE, graph_time

Document = dict[str, Any]


def _kept(fact: OrganizationFact) -> Document:
    state = fact.state
    return {
        # None of one that is gone: it is found no more.
        "domains": sorted(state.domains) if state.deleted_at is None else [],
        "display_name": state.display_name,
        "description": state.description,
        "state": state.state.value,
        "created_at": state.created_at,
        "modified_at": state.modified_at,
        **{side.value: list(state.sponsors(side)) for side in Side},
    }


class OrganizationStore:
    """`organizations`, by id."""

    def __init__(self, database: Database) -> None:
        self.replica = Replica[OrganizationFact](database, "organizations", _kept, [Index("domains")])

    async def of_mail(self, mail: str | None) -> Document | None:
        """The organisation of a mail address: the first by id, should several name its domain."""
        domain = (mail or "").rpartition("@")[2].casefold()
        found = await self.replica.find({"domains": domain}, limit=1) if domain else []
        return found[0] if found else None

    async def of_guest(self, holding: Mapping[str, Any]) -> Document | None:
        """That of whom a holding is of, if they are a guest."""
        if holding.get("facets", {}).get("userType") != "guest":
            return None
        return await self.of_mail(holding.get("about", {}).get("mail"))


def organization_facts(platform: Platform, store: OrganizationStore) -> Subscription:
    return platform.keeps([topics.ORGANIZATION_FACTS], store.replica)


def organization_said(found: Mapping[str, Any]) -> Document:
    """Graph's connectedOrganization, without identity sources: whoever wants those asks the directory."""
    return {
        "id": found["_id"],
        "displayName": found["display_name"],
        "description": found["description"],
        "state": found["state"],
        "createdDateTime": graph_time(found["created_at"]),
        "modifiedDateTime": graph_time(found["modified_at"]),
    }


def sponsors_said(found: Mapping[str, Any], side: Side) -> list[Document]:
    """People and groups by id: which they are the directory knows."""
    return [{ODATA_TYPE: "#microsoft.graph.directoryObject", "id": id} for id in found[side.value]]
