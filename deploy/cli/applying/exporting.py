"""The present state as a file: what `tenure export` writes, and `tenure plan` then finds nothing to do about, once the
file keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import yaml

from deploy.cli.applying import asking, contained
from deploy.cli.applying.document import (
    CatalogSpec,
    Contents,
    DelegateSpec,
    ExtensionSpec,
    GroupSpec,
    PackageSpec,
    PolicySpec,
    PopulationSpec,
    ResourceSpec,
    RoleSpec,
    StageExtensionSpec,
)
from deploy.cli.applying.naming import Naming
from deploy.cli.applying.present import Present, Thing

S = TypeVar("S", ResourceSpec, ExtensionSpec, DelegateSpec)
UNNAMED = "export"
"""Name of the file, if what is there is kept by none or by several."""


def exported(present: Present, name: str | None = None) -> Contents:
    """All that is there and is not being deleted. `name`: of the file; None: of the one that keeps things so far.

    People and groups stand by name; what is not known any more stands by its id."""
    return _Exporting(present).contents(name)


def as_yaml(contents: Contents) -> str:
    """As `tenure plan` reads it, without what need not be said."""
    said = contents.model_dump(by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120)


class _Exporting:
    def __init__(self, present: Present) -> None:
        self._present = present
        self._names = Naming(Contents(), present, lambda: "")
        self._groups: set[str] = set()
        self._catalogs = {one.id: one.name for one in present.catalogs}
        self._packages = {one.id: one for one in present.packages}

    def contents(self, name: str | None) -> Contents:
        keepers = {one.managed_by for one in self._present.things() if one.managed_by}
        catalogs = [
            CatalogSpec(
                name=one.name,
                description=one.body.get("description") or "",
                published=one.body["state"] == "published",
                externally_visible=bool(one.body["isExternallyVisible"]),
                roles=self._roles(one.id),
                resources=_by_name(contained.resource_spec(it.body, self) for it in self._worth_saying(one)),
                extensions=_by_name(contained.extension_spec(it.body) for it in _inside(one, self._present.extensions)),
                packages=[self._package(package) for package in _inside(one, self._present.packages)],
            )
            for one in _staying(self._present.catalogs)
            if one.body.get("catalogType") != "serviceDefault" or self._holds_something(one)
        ]
        populations = [
            PopulationSpec(name=p.name, rule=p.body["membershipRule"], description=p.body.get("description") or "")
            for p in _staying(self._present.populations)
        ]
        roles = self._roles(None)
        return Contents(
            name=name or (keepers.pop() if len(keepers) == 1 else UNNAMED),
            groups=[GroupSpec(name=group) for group in sorted(self._groups)],  # once all is said that names some
            populations=populations,
            roles=roles,
            catalogs=catalogs,
        )

    def _holds_something(self, catalog: Thing) -> bool:
        present = self._present
        return any(
            any(_inside(catalog, some))
            for some in (present.packages, present.resources, present.extensions, present.roles)
        )

    def _roles(self, catalog: str | None) -> list[DelegateSpec]:
        return _by_name(contained.role_spec(one.body, self) for one in self._present.roles if one.parent == catalog)

    def _worth_saying(self, catalog: Thing) -> Iterator[Thing]:
        """Its resources that are not there anyway, because packages bring them."""
        brought = {
            (scope["role"]["resource"]["originSystem"], scope["role"]["resource"]["originId"])
            for package in _inside(catalog, self._present.packages)
            for scope in package.body["resourceRoleScopes"]
            if "resource" in scope["role"]
        }
        for one in _inside(catalog, self._present.resources):
            says_more = one.body.get("attributes") or one.body.get("description")
            if says_more or (one.body["originSystem"], one.body["originId"]) not in brought:
                yield one

    def name_of(self, kind: asking.Kind, id: str) -> str:
        """As `asking.Names`; groups that are named are noted, so that the file makes them where they are not."""
        name = self._names.name_of(kind, id)
        if kind == "group" and name != id:
            self._groups.add(name)
        return name

    def id_of(self, kind: asking.Kind, name: str) -> str:
        return self._names.id_of(kind, name)

    def _package(self, one: Thing) -> PackageSpec:
        body = one.body
        return PackageSpec(
            name=one.name,
            description=body.get("description") or "",
            hidden=bool(body["isHidden"]),
            roles=[self._role(role["role"]) for role in body["resourceRoleScopes"]],
            incompatible=[self._title(other["id"], one) for other in body.get("incompatibleAccessPackages") or ()],
            incompatible_groups=[self.name_of("group", it["id"]) for it in body.get("incompatibleGroups") or ()],
            policies=[self._policy(policy) for policy in _inside(one, self._present.policies)],
        )

    def _role(self, role: Mapping[str, Any]) -> RoleSpec:
        system = role.get("originSystem", "AadGroup")
        if system != "AadGroup":
            place = contained.PLACES[system]
            return RoleSpec.model_validate({place: role["resource"]["originId"], "role": role["originId"]})
        name, _, group = str(role["originId"]).partition("_")
        return RoleSpec(group=self.name_of("group", group), role=name)

    def _title(self, package: str, beside: Thing) -> str:
        other = self._packages[package]
        if other.parent == beside.parent:
            return other.name
        return f"{self._catalogs[other.parent or '']} / {other.name}"

    def _policy(self, one: Thing) -> PolicySpec:
        body = one.body
        said: dict[str, Any] = {
            "name": one.name,
            "description": body.get("description") or "",
            **_said(asking.read(body, self)),
        }
        if stages := body.get("customExtensionStageSettings"):
            said["extensions"] = [
                StageExtensionSpec(
                    stage=one["stage"], extension=self._names.extension_name(one["customExtension"]["id"])
                )
                for one in stages
            ]
        if (automatic := body.get("automaticRequestSettings")) is None:
            expiration = body.get("expiration") or {}
            said["direct"] = not said.get("scope")
            said["expires_after"], said["expires_at"] = expiration.get("duration"), expiration.get("endDateTime")
            return PolicySpec.model_validate(said)
        (target,) = body["specificAllowedTargets"]
        if "membershipRule" in target:
            said["automatic"] = target["membershipRule"]
        else:
            said["population"] = self.name_of("population", target["populationId"])
        said["gives"] = automatic.get("requestAccessForAllowedTargets") is not False
        said["takes"] = automatic.get("removeAccessWhenTargetLeavesAllowedTargets") is not False
        grace = automatic.get("gracePeriodBeforeAccessRemoval")
        said["grace_period"] = None if grace in {None, "PT0S"} else grace
        return PolicySpec.model_validate(said)


def _by_name(specs: Iterable[S]) -> list[S]:
    """In an order that says nothing of when they were made."""
    return sorted(specs, key=lambda one: one.name.casefold())


def _said(spec: asking.Asking) -> dict[str, Any]:
    return {name: value for name, value in spec if name in spec.model_fields_set}


def _staying(things: tuple[Thing, ...]) -> Iterator[Thing]:
    return (one for one in things if not one.is_going)


def _inside(whole: Thing, things: tuple[Thing, ...]) -> Iterator[Thing]:
    return (one for one in _staying(things) if one.parent == whole.id)
