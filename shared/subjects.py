"""People as assignments and requests name them (Graph's accessPackageSubject), for services that show them; and the
connected organisation that a guest is of, as the directory says.

An organisation is found by its domains alone. Whether somebody signed in to a tenant is not known here, and the same
mail domain without that does not make them one of its people (ORG-2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from shared.contracts import topics
from shared.contracts.organizations import OrganizationFact, Side
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.storage import Database, Index, Replica
from shared.web.graph_model import ODATA_TYPE, graph_time
from shared.web.odata import Expand

Document = dict[str, Any]


class Subjects:
    """How they are said. Keeps `organizations`, by id."""

    def __init__(self, database: Database) -> None:
        self.organizations = Replica[OrganizationFact](database, "organizations", _kept, [Index("domains")])

    def facts(self, platform: Platform) -> Subscription:
        return platform.keeps([topics.ORGANIZATION_FACTS], self.organizations)

    async def said(self, people: Mapping[str, Mapping[str, Any]], expand: Sequence[Expand] = ()) -> dict[str, Document]:
        """By id. `people`: what is known of them, in the names of Graph's user; nothing, if they are not known."""
        said = {id: _subject(id, about) for id, about in people.items()}
        for one in expand:
            if one.name == "connectedOrganization":
                sides = [side for side in Side if side.value in {inner.name for inner in one.expand}]
                organizations = await self._of(people)
                for id, subject in said.items():
                    found = organizations.get(id)
                    subject[one.name] = _organization(found, sides) if found else None
        return said

    async def _of(self, people: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
        """Those of the guests among them: the first by id, should several name a domain."""
        domains = {id: _domain(about) for id, about in people.items() if _is_guest(about)}
        wanted = sorted({domain for domain in domains.values() if domain})
        found = await self.organizations.find({"domains": {"$in": wanted}}) if wanted else []
        of_domain: dict[str, Document] = {}
        for one in sorted(found, key=lambda one: str(one["_id"])):
            for domain in one["domains"]:
                of_domain.setdefault(domain, one)
        return {id: of_domain[domain] for id, domain in domains.items() if domain in of_domain}


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


def _domain(about: Mapping[str, Any]) -> str:
    return str(about.get("mail") or "").rpartition("@")[2].casefold()


def _is_guest(about: Mapping[str, Any]) -> bool:
    return str(about.get("userType")).casefold() == "guest"


def _subject(id: str, about: Mapping[str, Any]) -> Document:
    return {
        "id": id,
        "objectId": id,
        "displayName": about.get("displayName"),
        "email": about.get("mail"),
        "principalName": about.get("userPrincipalName"),
        "onPremisesSecurityIdentifier": about.get("onPremisesSecurityIdentifier"),
        "subjectType": "user",
        "subjectLifecycle": about.get("subjectLifecycle") or "notDefined",
    }


def _organization(found: Mapping[str, Any], sides: Collection[Side]) -> Document:
    """Graph's connectedOrganization, without identity sources: whoever wants those asks the directory. Sponsors are
    people and groups by id: which they are the directory knows."""
    return {
        "id": found["_id"],
        "displayName": found["display_name"],
        "description": found["description"],
        "state": found["state"],
        "createdDateTime": graph_time(found["created_at"]),
        "modifiedDateTime": graph_time(found["modified_at"]),
        **{
            side.value: [{ODATA_TYPE: "#microsoft.graph.directoryObject", "id": id} for id in found[side.value]]
            for side in sides
        },
    }
