"""The difference between a file and what is: pure, so that it can be shown before anything happens.

What the file made and says no more is removed. What it never made is left alone, and said to be. Groups are made where
they are missing and never removed, for their members are not the file's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from deploy.cli.applying import asking
from deploy.cli.applying.document import Document, GroupSpec, PackageSpec, Place, PolicySpec, Problem
from deploy.cli.applying.naming import Naming, Unnamed
from deploy.cli.applying.present import Present

Op = Literal["create", "update", "delete"]
ORDER = {"population": 0, "catalog": 1, "package": 2, "policy": 3}
NOUN = {"population": "population", "catalog": "catalog", "package": "access package", "policy": "policy"}


@dataclass(frozen=True)
class Difference:
    """One property before and after, in words."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Step:
    """One thing to be made, changed or removed. `title`: its names from the catalog down."""

    op: Op
    kind: str
    id: str
    title: str
    body: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
    differences: tuple[Difference, ...] = ()
    adopts: bool = False
    """It was made by hand and is kept by the file from now on."""

    @property
    def only_adopts(self) -> bool:
        """It is as the file says: nothing changes but who keeps it."""
        return self.adopts and not self.differences


@dataclass(frozen=True)
class Plan:
    """What has to happen for a file to be true. Making it so twice is harmless."""

    file: str
    name: str
    id: str
    """Tells this plan from any other: what it makes has ids derived from it, or given in it."""
    groups: tuple[GroupSpec, ...] = ()
    """To be made."""
    group_ids: Mapping[str, str] = field(default_factory=dict)
    """Of those that are there, by name."""
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.steps and not self.groups

    def count(self, op: Op) -> int:
        """How many change so; what is merely kept by the file from now on does not count."""
        steps = sum(step.op == op and not step.only_adopts for step in self.steps)
        return steps + (len(self.groups) if op == "create" else 0)

    def within(self, other: Plan) -> Plan:
        """What of this plan is about things that the other one, which was agreed to, is about."""
        agreed = {(step.kind, step.title) for step in other.steps}
        steps = tuple(step for step in self.steps if (step.kind, step.title) in agreed)
        return replace(self, steps=steps, groups=tuple(one for one in self.groups if one in other.groups))

    @property
    def adopted(self) -> int:
        """How many are as the file says and merely kept by it from now on."""
        return sum(step.only_adopts for step in self.steps)


def difference(document: Document, present: Present, new_id: Callable[[], str]) -> Plan:
    """What has to be done. Raises DocumentWrong for what cannot be: unknown groups, things that another file keeps."""
    comparing = _Comparing(document, present, new_id)
    steps = [*comparing.populations(), *comparing.catalogs()]
    removals = comparing.removals()
    if comparing.problems:
        raise document.wrong(comparing.problems)
    making = sorted(steps, key=lambda step: ORDER[step.kind])
    unmaking = sorted(removals, key=lambda step: -ORDER[step.kind])
    return Plan(
        file=document.file,
        name=document.name,
        id=new_id(),
        groups=tuple(group for group in document.contents.groups if group.name not in present.groups),
        group_ids={name: ids[0] for name, ids in present.groups.items() if name in comparing.naming.named_groups},
        steps=(*making, *unmaking),
        notes=tuple(comparing.notes),
    )


class _Comparing:
    """One comparison under way: collects problems, notes, and what was found in both."""

    def __init__(self, document: Document, present: Present, new_id: Callable[[], str]) -> None:
        self.document = document
        self.present = present
        self.new_id = new_id
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._kept: set[str] = set()
        self.naming = Naming(document.contents, present, new_id)
        self._titles: dict[str, str] = {}

    def populations(self) -> Iterator[Step]:
        for number, spec in enumerate(self.document.contents.populations):
            body = {"displayName": spec.name, "description": spec.description, "membershipRule": spec.rule.strip()}
            place: Place = ("populations", number)
            id, step = self._compared("population", None, spec.name, spec.name, body, place)
            self.naming.population_is(spec.name, id)
            if step:
                yield step

    def catalogs(self) -> Iterator[Step]:
        for number, spec in enumerate(self.document.contents.catalogs):
            place: Place = ("catalogs", number)
            body = {
                "displayName": spec.name,
                "description": spec.description,
                "state": "published" if spec.published else "unpublished",
                "isExternallyVisible": spec.externally_visible,
            }
            id, step = self._compared("catalog", None, spec.name, spec.name, body, place)
            if step:
                yield step
            for p, package in enumerate(spec.packages):
                yield from self._package(package, id, spec.name, (*place, "packages", p))

    def _package(self, spec: PackageSpec, catalog: str, above: str, place: Place) -> Iterator[Step]:
        title = f"{above} / {spec.name}"
        roles = []
        naming = self.naming
        for number, role in enumerate(spec.roles):
            if role.group is not None:
                self._tried(partial(naming.group_id, role.group), (*place, "roles", number, "group"))
                roles.append({"group": role.group, "role": role.role})
            else:
                system = "AadApplication" if role.application else "SharePointOnline"
                roles.append(
                    {"originSystem": system, "originId": role.application or role.site or "", "role": role.role}
                )
        others = [
            self._tried(partial(naming.package_id, name, catalog, above), (*place, "incompatible", number))
            for number, name in enumerate(spec.incompatible)
        ]
        groups = [
            self._tried(partial(naming.group_id, name), (*place, "incompatibleGroups", number))
            for number, name in enumerate(spec.incompatible_groups)
        ]
        body = {
            "displayName": spec.name,
            "description": spec.description,
            "isHidden": spec.hidden,
            "catalog": {"id": catalog},
            "roles": roles,
            "incompatiblePackages": others,
            "incompatibleGroups": groups,
        }
        id, step = self._compared("package", catalog, spec.name, title, body, place)
        if step:
            yield step
        for number, policy in enumerate(spec.policies):
            here = (*place, "policies", number)
            body = self._policy(policy, id, here)
            _, step = self._compared("policy", id, policy.name, f"{title} / {policy.name}", body, here)
            if step:
                yield step

    def _policy(self, spec: PolicySpec, package: str, place: Place) -> dict[str, Any]:
        body: dict[str, Any] = {
            "displayName": spec.name,
            "description": spec.description,
            "accessPackage": {"id": package},
            "allowedTargetScope": "specificDirectoryUsers",
        }
        if not spec.is_automatic:
            if spec.expires_after:
                body["expiration"] = {"type": "afterDuration", "duration": spec.expires_after}
            elif spec.expires_at:
                body["expiration"] = {"type": "afterDateTime", "endDateTime": spec.expires_at}
            try:
                return body | asking.written(spec, self.naming)
            except Unnamed as problem:
                self.problems.append(self.document.problem(str(problem), *place))
                return body
        if spec.automatic is not None:
            target = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": spec.automatic.strip()}
        else:
            assert spec.population is not None
            population = self._tried(partial(self.naming.id_of, "population", spec.population), (*place, "population"))
            target = {"@odata.type": "#tenure.populationMembers", "populationId": population}
        automatic = {
            "requestAccessForAllowedTargets": spec.gives,
            "removeAccessWhenTargetLeavesAllowedTargets": spec.takes,
            "gracePeriodBeforeAccessRemoval": spec.grace_period,
        }
        kept = {"reviewSettings": spec.review_settings, "notificationSettings": spec.notification_settings}
        return {**body, **kept, "specificAllowedTargets": [target], "automaticRequestSettings": automatic}

    def _tried(self, id: Callable[[], str], place: Place) -> str:
        """That id; a problem at this place if there is none."""
        try:
            return id()
        except Unnamed as problem:
            self.problems.append(self.document.problem(str(problem), *place))
            return ""

    def _compared(
        self, kind: str, parent: str | None, name: str, title: str, body: dict[str, Any], place: Place
    ) -> tuple[str, Step | None]:
        """The id of the thing, new or not, and what is to be done about it."""
        thing = self.naming.there(kind, parent, name)
        if thing is None:
            id = self.naming.id(kind, parent, name)
            return id, Step("create", kind, id, title, body, differences=self._told({}, self._plain(kind, body)))
        self._kept.add(thing.id)
        if thing.is_going:
            message = f"{NOUN[kind]} {name!r} is being deleted: plan again once it is gone"
            self.problems.append(self.document.problem(message, *place))
        if thing.managed_by not in (None, self.document.name):
            message = f"{NOUN[kind]} {name!r} is kept by the file {thing.managed_by!r}: take it out of one of the two"
            self.problems.append(self.document.problem(message, *place))
        differences = self._told(self._plain(kind, thing.body), self._plain(kind, body))
        adopts = thing.managed_by is None
        if not differences and not adopts:
            return thing.id, None
        return thing.id, Step("update", kind, thing.id, title, body, thing.version, differences, adopts)

    def removals(self) -> list[Step]:
        """What this file made and says no more; with notes on what is left alone."""
        mine = {
            one.id: one
            for one in self.present.things()
            if one.managed_by == self.document.name and one.id not in self._kept and not one.is_going
        }
        for one in self.present.things():
            above = self._titles.get(one.parent or "")
            self._titles[one.id] = f"{above} / {one.name}" if above else one.name
        # What holds something that people made stays, and so does what that lies in.
        for kind, inside in (("package", self.present.policies), ("catalog", self.present.packages)):
            for one in [thing for thing in mine.values() if thing.kind == kind]:
                others = [it for it in inside if it.parent == one.id and it.id not in mine and not it.is_going]
                if others:
                    del mine[one.id]
                    named = ", ".join(sorted(it.name for it in others)[:5])
                    self.notes.append(
                        f"{NOUN[kind]} {self._titles[one.id]!r} stays, although the file says it no more: it holds "
                        f"{len(others)} that this file does not remove ({named})"
                    )
        self._note_what_people_made()
        return [Step("delete", one.kind, one.id, self._titles[one.id], version=one.version) for one in mine.values()]

    def _note_what_people_made(self) -> None:
        for one in self.present.things():
            if one.id in self._kept or one.managed_by == self.document.name or one.parent not in self._kept:
                continue
            by = f"kept by the file {one.managed_by!r}" if one.managed_by else "made by hand"
            self.notes.append(f"{NOUN[one.kind]} {self._titles[one.id]!r} is left alone: {by}")

    # What is compared, and in which words

    def _plain(self, kind: str, body: Mapping[str, Any]) -> dict[str, str]:
        said = {"description": str(body.get("description") or "")}
        match kind:
            case "population":
                said["rule"] = str(body["membershipRule"])
            case "catalog":
                said["state"] = str(body["state"])
                said["externally visible"] = _yes(body["isExternallyVisible"])
            case "package":
                said["hidden"] = _yes(body["isHidden"])
                said.update(self._roles(body))
                said.update(self._separation(body))
            case "policy":
                said.update(self._policy_said(body))
        return said

    def _roles(self, body: Mapping[str, Any]) -> dict[str, str]:
        if "roles" in body:
            named = [(one["role"], one.get("group") or one["originId"]) for one in body["roles"]]
        else:
            named = []
            for one in body["resourceRoleScopes"]:
                if one["role"].get("originSystem", "AadGroup") != "AadGroup":
                    named.append((one["role"]["originId"], one["role"]["resource"]["originId"]))
                    continue
                role, _, origin = str(one["role"]["originId"]).partition("_")
                named.append((role, self.naming.name_of("group", origin)))
        return {f"role {role} of {group!r}": "given" for role, group in named}

    def _separation(self, body: Mapping[str, Any]) -> dict[str, str]:
        packages = body.get("incompatiblePackages", [one["id"] for one in body.get("incompatibleAccessPackages", ())])
        groups = [one if isinstance(one, str) else one["id"] for one in body.get("incompatibleGroups", ())]
        return {f"incompatible package {self.naming.title_of(id)!r}": "given" for id in packages} | {
            f"incompatible group {self.naming.name_of('group', id)!r}": "given" for id in groups
        }

    def _policy_said(self, body: Mapping[str, Any]) -> dict[str, str]:
        targets = body.get("specificAllowedTargets") or []
        expiration = body.get("expiration") or {}
        automatic = body.get("automaticRequestSettings") or {}
        said: dict[str, str] = {}
        said.update(asking.plain(asking.read(body, self.naming)))
        if not automatic and not targets and "scope" not in said:
            said["direct"] = "yes"
        for target in targets if automatic else ():
            if "membershipRule" in target:
                said["rule"] = str(target["membershipRule"])
            else:
                id = str(target.get("populationId"))
                said["population"] = self.naming.name_of("population", id)
        if expiration.get("type", "noExpiration") != "noExpiration":
            said["expires"] = str(expiration.get("duration") or expiration.get("endDateTime"))
        if automatic.get("requestAccessForAllowedTargets") is False:
            said["gives access"] = "no"
        if automatic.get("removeAccessWhenTargetLeavesAllowedTargets") is False:
            said["takes access"] = "no"
        if (grace := automatic.get("gracePeriodBeforeAccessRemoval")) not in (None, "PT0S", "P0D"):
            said["grace period"] = str(grace)
        return said

    def _told(self, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
        return tuple(
            Difference(what, before.get(what), after.get(what))
            for what in dict.fromkeys([*before, *after])
            if (before.get(what) or None) != (after.get(what) or None)
        )


def _yes(value: Any) -> str:
    return "yes" if value else "no"
