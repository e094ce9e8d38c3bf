"""The difference between a file and what is: pure, so that it can be shown before anything happens.

What the file made and says no more is removed. What it never made is left alone, and said to be. Groups are made where
they are missing and never removed, for their members are not the file's; resources stay while packages bring them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from deploy.cli.applying import asking, contained
from deploy.cli.applying.document import (
    CatalogSpec,
    DelegateSpec,
    Document,
    GroupSpec,
    OnSpec,
    PackageSpec,
    Place,
    PolicySpec,
    Problem,
)
from deploy.cli.applying.naming import Naming, Unnamed
from deploy.cli.applying.present import Present, Thing, resource_key, role_key

Op = Literal["create", "update", "delete"]
ORDER = {"population": 0, "catalog": 1, "resource": 2, "extension": 3, "role": 4, "package": 5, "policy": 6}
NOUN = {
    "population": "population",
    "catalog": "catalog",
    "resource": "resource",
    "extension": "custom extension",
    "role": "role",
    "package": "access package",
    "policy": "policy",
}


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
    steps = [*comparing.populations(), *comparing.catalogs(), *comparing.roles(document.contents.roles, None, "", ())]
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
        self._brought: set[tuple[str, str]] = set()
        """Catalog and key of the resources that the file's packages bring."""

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
            yield from self._contained(spec, id, place)
            for p, package in enumerate(spec.packages):
                yield from self._package(package, id, spec.name, (*place, "packages", p))

    def _contained(self, spec: CatalogSpec, catalog: str, place: Place) -> Iterator[Step]:
        """What lies in it beside its packages."""
        for number, one in enumerate(spec.resources):
            here = (*place, "resources", number)
            body = contained.resource_body(one, self._origin(one, here), catalog)
            key = resource_key(body)
            _, step = self._compared("resource", catalog, key, f"{spec.name} / {one.name}", body, here)
            if step:
                yield step
        for number, extension in enumerate(spec.extensions):
            here = (*place, "extensions", number)
            body = contained.extension_body(extension, catalog)
            title = f"{spec.name} / {extension.name}"
            _, step = self._compared("extension", catalog, extension.name, title, body, here)
            if step:
                yield step
        yield from self.roles(spec.roles, catalog, f"{spec.name} / ", place)

    def roles(self, specs: Sequence[DelegateSpec], catalog: str | None, above: str, place: Place) -> Iterator[Step]:
        """Who is to have which role. Roles are made and ended, never changed: whose hand made one is no matter."""
        for number, one in enumerate(specs):
            here = (*place, "roles", number)
            principal = one.service_principal or ""
            if one.user is not None:
                principal = self._tried(partial(self.naming.id_of, "user", one.user), (*here, "user"))
            elif one.group is not None:
                principal = self._tried(partial(self.naming.group_id, one.group), (*here, "group"))
            body = contained.role_body(one, principal, catalog)
            key = role_key(body)
            if (there := self.naming.there("role", catalog, key)) is not None:
                self._kept.add(there.id)
            else:
                yield Step("create", "role", self.naming.id("role", catalog, key), f"{above}{one.name}", body)

    def _package(self, spec: PackageSpec, catalog: str, above: str, place: Place) -> Iterator[Step]:
        title = f"{above} / {spec.name}"
        roles = []
        naming = self.naming
        for number, role in enumerate(spec.roles):
            on = {"originSystem": role.system, "originId": self._origin(role, (*place, "roles", number))}
            self._brought.add((catalog, resource_key(on).casefold()))
            said = on if role.group is None else {"group": role.group}
            roles.append({**said, "role": role.role})
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
            body = {**self._policy(policy, id, here), **self._stages(policy, catalog, here)}
            _, step = self._compared("policy", id, policy.name, f"{title} / {policy.name}", body, here)
            if step:
                yield step

    def _stages(self, spec: PolicySpec, catalog: str, place: Place) -> dict[str, Any]:
        """The extensions that a policy names, if it says which."""
        if spec.extensions is None:
            return {}
        named = []
        for number, one in enumerate(spec.extensions):
            here = (*place, "extensions", number, "extension")
            id = self._tried(partial(self.naming.extension_id, one.extension, catalog), here)
            named.append({"stage": one.stage, "customExtension": {"id": id}})
        return {"customExtensionStageSettings": named}

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
        try:
            reviews = asking.reviews_written(spec.review_settings, self.naming)
        except Unnamed as problem:
            self.problems.append(self.document.problem(str(problem), *place, "reviewSettings"))
            reviews = None
        kept = {"reviewSettings": reviews, "notificationSettings": spec.notification_settings}
        return {**body, **kept, "specificAllowedTargets": [target], "automaticRequestSettings": automatic}

    def _origin(self, on: OnSpec, place: Place) -> str:
        """Its id where it comes from; for a group what stands for that until it is made."""
        if on.group is None:
            return on.name
        return self._tried(partial(self.naming.group_id, on.group), (*place, "group"))

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
        said = dict(thing.body)
        if kind == "policy" and "customExtensionStageSettings" not in body:
            said["customExtensionStageSettings"] = []  # whose file says nothing of them keeps what it has
        before = self._plain(kind, said)
        differences = self._told(before, self._plain(kind, body))
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
            self._titles[one.id] = f"{above} / {self._called(one)}" if above else self._called(one)
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
        for one in [thing for thing in mine.values() if thing.body.get("catalogType") == "serviceDefault"]:
            del mine[one.id]
            self.notes.append(f"catalog {one.name!r} stays, although the file says it no more: it is built in")
        brought = self._brought | {
            (package.parent, resource_key(role["resource"]).casefold())
            for package in self.present.packages
            if package.id not in mine
            for role in (one["role"] for one in package.body["resourceRoleScopes"])
            if "resource" in role
        }
        self._note_what_people_made(brought)
        return [step for one in mine.values() if (step := self._removal(one, brought))]

    def _removal(self, one: Thing, brought: Collection[tuple[str | None, str]]) -> Step | None:
        """A resource stays in its catalog while packages bring it: then it asks nothing any more."""
        title = self._titles[one.id]
        if one.kind != "resource" or (one.parent, one.name.casefold()) not in brought:
            return Step("delete", one.kind, one.id, title, version=one.version)
        body = {**one.body, "catalog": {"id": one.parent}, "attributes": [], "description": ""}
        differences = self._told(self._plain("resource", one.body), self._plain("resource", body))
        kept = {name: body[name] for name in ("catalog", "originSystem", "originId", "attributes", "description")}
        return Step("update", one.kind, one.id, title, kept, None, differences) if differences else None

    def _called(self, one: Thing) -> str:
        """Its name, for people."""
        if one.kind == "resource":
            return contained.resource_spec(one.body, self.naming).name
        return contained.role_spec(one.body, self.naming).name if one.kind == "role" else one.name

    def _note_what_people_made(self, brought: Collection[tuple[str | None, str]]) -> None:
        for one in self.present.things():
            if one.kind == "resource" and (one.parent, one.name.casefold()) in brought:
                continue  # made for a package, and not by a hand
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
            case "resource":
                said.update(contained.plain(contained.resource_spec(body, self.naming)))
            case "extension":
                said.update(contained.plain(contained.extension_spec(body)))
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
        for one in body.get("customExtensionStageSettings") or ():
            said[f"extension {self.naming.extension_name(one['customExtension']['id'])!r} at {one['stage']}"] = "given"
        return said

    def _told(self, before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
        return tuple(
            Difference(what, before.get(what), after.get(what))
            for what in dict.fromkeys([*before, *after])
            if (before.get(what) or None) != (after.get(what) or None)
        )


def _yes(value: Any) -> str:
    return "yes" if value else "no"
