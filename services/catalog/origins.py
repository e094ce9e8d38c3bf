"""What resources are in the directory: groups, applications and sites, with the roles that packages can bring."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.catalog.model import OriginSystem
from services.catalog.store import Groups
from shared.contracts import topics
from shared.contracts.catalog import ResourceRole
from shared.contracts.resources import NO_ROLE, ApplicationFact, SiteFact
from shared.hearing import About, Hearing
from shared.storage import Database, Index, Replica

Place = tuple[OriginSystem, str]
"""(system, id there): the group's or service principal's id, the site's address."""

GROUP_ROLES = {"Member": "Member", "Owner": "Owner"}
NOUNS: Mapping[OriginSystem, str] = {"AadGroup": "group", "AadApplication": "application", "SharePointOnline": "site"}


@dataclass(frozen=True, slots=True)
class Origin:
    """A resource as the directory last told of it."""

    id: str
    """As the directory spells it."""
    name: str
    roles: Mapping[str, str]
    """Role -> its name, of those that people can be given."""
    unfit: str = ""
    """Why no catalog takes it, if so (RES-2)."""


class Origins:
    """The directory's groups, applications and sites, as far as its facts have been heard."""

    def __init__(self, database: Database, groups: Groups) -> None:
        self._groups = groups
        self.applications = Replica[ApplicationFact](database, "applications", _kept_of_application)
        self.sites = Replica[SiteFact](database, "sites", _kept_of_site, (Index("folded"),))

    @property
    def replicas(self) -> tuple[Replica[Any], ...]:
        return (self.applications, self.sites)

    async def of(self, places: Collection[Place]) -> dict[Place, Origin]:
        """Those that are there, under the very places that were asked for."""
        asked: dict[str, set[str]] = {}
        for system, id in places:
            asked.setdefault(system, set()).add(id)
        found: dict[Place, Origin] = {}
        for id, group in (await self._groups.there(asked.get("AadGroup", ()))).items():
            found["AadGroup", id] = _group(id, group)
        for id, one in (await self._found(self.applications, asked.get("AadApplication"))).items():
            found["AadApplication", id] = _origin(id, one)
        if urls := {folded(url): url for url in asked.get("SharePointOnline", ())}:
            for one in await self.sites.find({"folded": {"$in": list(urls)}}):
                if not one["deleted"]:
                    found["SharePointOnline", urls[one["folded"]]] = _origin(one["url"], one)
        return found

    async def once_heard(self, places: Collection[Place], hearing: Hearing) -> dict[Place, Origin]:
        """The same as they are now, waiting for what was just made, changed or deleted and not heard of yet."""
        return await hearing.once(
            lambda: self.of(places), enough=lambda found: len(found) == len(set(places)), about=_said_of(places)
        )

    async def role_names(self, roles: Iterable[ResourceRole]) -> dict[str, str]:
        """Key of a role -> its name, of those whose role is an id; a group's roles are names already."""
        foreign = [role for role in roles if role.origin_system != "AadGroup"]
        if not foreign:
            return {}
        found = await self.of({(role.origin_system, role.origin_id) for role in foreign})
        names: dict[str, str] = {}
        for role in foreign:
            origin = found.get((role.origin_system, role.origin_id))
            if origin and (name := origin.roles.get(role.role)):
                names[role.key] = name
        return names

    async def _found(self, replica: Replica[Any], ids: Collection[str] | None) -> dict[str, dict[str, Any]]:
        found = await replica.get(ids) if ids else {}
        return {id: one for id, one in found.items() if not one["deleted"]}


def _said_of(places: Collection[Place]) -> About:
    """What says how things are with these. A site is asked for by its address, which is no key."""
    groups, applications = ([id for of, id in places if of == system] for system in ("AadGroup", "AadApplication"))
    said = {topics.GROUP_FACTS: groups, topics.APPLICATION_FACTS: applications}
    about: dict[topics.Topic, Collection[str] | None] = {topic: ids for topic, ids in said.items() if ids}
    return {**about, topics.SITE_FACTS: None} if any(of == "SharePointOnline" for of, _ in places) else about


def _group(id: str, one: Mapping[str, Any]) -> Origin:
    # A rule alone says who is a member of such a group, so that only its ownership can be handed out (RES-3).
    roles = {"Owner": "Owner"} if one.get("by_rule") else GROUP_ROLES
    return Origin(id, one["name"], roles, "is a distribution list" if one.get("only_mail") else "")


def folded(url: str) -> str:
    """A site's address for comparing: its case and a slash at its end do not count."""
    return url.rstrip("/").casefold()


def _origin(id: str, one: Mapping[str, Any]) -> Origin:
    unfit = "takes personal accounts only" if one.get("personal") else ""
    return Origin(id, one["name"], dict(one["roles"]), unfit)


def _kept_of_application(fact: ApplicationFact) -> dict[str, Any]:
    state = fact.state
    # Pairs, and not a document: role ids are the application's own words.
    roles = [[role.id, role.display_name] for role in state.app_roles if role.is_enabled and role.is_for_people]
    return {
        "name": state.display_name,
        "deleted": state.deleted_at is not None or not state.is_principal,
        "roles": roles or [[NO_ROLE, "Default Access"]],
        "personal": state.sign_in_audience == "PersonalMicrosoftAccount",
    }


def _kept_of_site(fact: SiteFact) -> dict[str, Any]:
    state = fact.state
    return {
        "name": state.display_name,
        "url": state.web_url,
        "folded": folded(state.web_url),
        "deleted": state.deleted_at is not None,
        "roles": [[role.id, role.display_name] for role in state.roles],
    }
