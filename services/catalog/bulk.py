"""Many changes in one request, for `tenure apply`: one read and one write a kind, however many there are.

Each change is decided for itself, so what is refused holds up nothing else; the answer says what became of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError

from services.catalog import extensions, graph
from services.catalog.acts import Acts
from services.catalog.attributes import attributes_of
from services.catalog.bodies import Body
from services.catalog.decide import Change, Create, Delete
from services.catalog.delegation import NOT_OWNER, has_power_over
from services.catalog.model import Kept, OriginSystem, Package, Policy, Resource, RoleAssignment, role_assignment
from services.catalog.origins import NOUNS, Origin, Place
from services.catalog.stages import may_name_extensions
from services.catalog.store import Shelf
from services.catalog.subjects import not_there, strangers
from shared.contracts.base import Cause
from shared.contracts.catalog import Life, ResourceRole
from shared.messaging.decoding import said_briefly
from shared.messaging.loop import Outcome, Work
from shared.security.authority import Standing
from shared.security.roles import CatalogRole
from shared.web.errors import BadRequest, GraphError

DELETION_WAIT_S = 5.0
"""How long one request waits for assignment's answers; the caller asks again for what is left."""
MOST = 5_000

Kind = Literal["population", "catalog", "resource", "extension", "role", "package", "policy"]
FORWARD: tuple[Kind, ...] = ("population", "catalog", "resource", "extension", "role", "package", "policy")
"""What others refer to is made first, and deleted last."""


class RoleGiven(Body):
    """A role on a resource, which is added to the package's catalog where it is not there yet."""

    origin_system: OriginSystem = "AadGroup"
    origin_id: str
    role: str = "Member"


class PackageBody(graph.PackageIn):
    """`incompatiblePackages`, `incompatibleGroups`: ids. Packages may name one that is made in the same request."""

    roles: list[RoleGiven] = Field(default_factory=list)
    incompatible_packages: list[str] = Field(default_factory=list)
    incompatible_groups: list[str] = Field(default_factory=list)


class Within(graph.Reference):
    """The catalog that a thing is in."""


class ResourceBody(Body):
    """A resource of a catalog. Its own id follows from both: the change's is the caller's name for it."""

    catalog: Within
    origin_system: OriginSystem = "AadGroup"
    origin_id: str
    description: str | None = None
    attributes: list[dict[str, Any]] = Field(default_factory=list)


class ExtensionBody(extensions.ExtensionIn):
    """A custom extension, with the catalog that has it."""

    catalog: Within


class RoleBody(Body):
    """A role of entitlement management that somebody has, for one catalog or for all."""

    role_definition_id: CatalogRole
    principal_id: str = Field(min_length=1, max_length=64)
    principal_kind: Literal["user", "group", "servicePrincipal"]
    catalog: Within | None = None


class ChangeIn(Body):
    """One change. `body` is what Graph's POST takes, for a package with `roles`, for what lies in a catalog with
    `catalog`; `version` guards update and delete. Roles are made and ended, never changed."""

    op: Literal["create", "update", "delete"]
    kind: Kind
    id: UUID
    version: int | None = None
    body: dict[str, Any] = Field(default_factory=dict)


class ApplyIn(Body):
    """`managedBy`: the file that keeps what is made and changed here."""

    managed_by: str = Field(min_length=1, max_length=200)
    changes: list[ChangeIn] = Field(max_length=MOST)


@dataclass(slots=True)
class _Item:
    """One change on its way."""

    number: int
    change: ChangeIn
    kept: Kept | None = None
    status: str = "refused"
    code: str = ""
    message: str = ""
    target: str | None = None
    details: tuple[Any, ...] = ()

    @property
    def id(self) -> str:
        return str(self.change.id)

    def refuse(self, code: str, message: str, target: str | None = None, details: tuple[Any, ...] = ()) -> None:
        self.status, self.code, self.message, self.target, self.details = "refused", code, message, target, details

    def answer(self) -> dict[str, Any]:
        said: dict[str, Any] = {"id": self.id, "kind": self.change.kind, "op": self.change.op, "status": self.status}
        if self.status == "refused":
            error: dict[str, Any] = {"code": self.code, "message": self.message}
            if self.target:
                error["target"] = self.target
            if self.details:
                error["details"] = list(self.details)
            said["error"] = error
        return said


async def apply_changes(acts: Acts, asked: ApplyIn, cause: Cause, standing: Standing) -> list[dict[str, Any]]:
    """What became of each change: done, unchanged, deleting (assignment has not answered), or refused and why."""
    items = [_Item(number, change) for number, change in enumerate(asked.changes)]
    # Rules are parsed here, which takes the processor for a while: not on the event loop.
    await asyncio.to_thread(_read, items, asked.managed_by, acts)
    readable = [item for item in items if item.kept is not None or item.change.op == "delete"]
    for kind in FORWARD:
        made = [item for item in readable if item.change.kind == kind and item.change.op != "delete"]
        shelf = _shelf(acts, kind)
        if kind == "package":
            made = await _with_resources(acts, made, cause, standing)
        if kind == "resource":
            await _resources(acts, made, cause, standing)
            continue
        if kind in {"policy", "role"}:
            made = await _fit(acts, made)
        new = [item for item in made if item.change.op == "create" and item.kept]
        await _run(acts, shelf, new, [Create(item.kept) for item in new if item.kept], cause)
        old = [item for item in made if item.change.op == "update" and item.kept]
        await _run(acts, shelf, old, [_change(item) for item in old], cause)
    for kind in reversed(FORWARD):
        gone = [item for item in readable if item.change.kind == kind and item.change.op == "delete"]
        await _delete(acts, _shelf(acts, kind), gone, cause)
    return [item.answer() for item in items]


def _shelf(acts: Acts, kind: Kind) -> Shelf[Any]:
    shelves = acts.shelves
    by_kind: dict[Kind, Shelf[Any]] = {
        "population": shelves.populations,
        "catalog": shelves.catalogs,
        "resource": shelves.resources,
        "extension": shelves.extensions,
        "role": shelves.role_assignments,
        "package": shelves.packages,
        "policy": shelves.policies,
    }
    return by_kind[kind]


def _read(items: Iterable[_Item], managed_by: str, acts: Acts) -> None:
    """The things that the bodies describe; what cannot be read is refused where it stands."""
    now = acts.platform.clock.now()
    for item in items:
        if item.change.op == "delete":
            continue
        try:
            kept = _thing(item.change.kind, item.change.body, item.id, now)
            item.kept = kept.model_copy(update={"managed_by": managed_by}).as_made()
        except GraphError as problem:
            item.refuse(problem.code, problem.message, problem.target, problem.details)
        except ValidationError as problem:
            item.refuse("BadRequest", said_briefly(problem))


def _thing(kind: Kind, body: dict[str, Any], id: str, now: Any) -> Kept:  # noqa: PLR0911 - a kind each
    match kind:
        case "population":
            return graph.population_of(graph.PopulationIn.model_validate(body), id, now)
        case "catalog":
            return graph.catalog_of(graph.CatalogIn.model_validate(body), id, now)
        case "resource":
            resource = ResourceBody.model_validate(body)
            return Resource(
                id=id,
                catalog_id=resource.catalog.id,
                origin_system=resource.origin_system,
                origin_id=resource.origin_id,
                display_name="",
                description=resource.description or "",
                created_at=now,
                modified_at=now,
            )
        case "extension":
            extension = ExtensionBody.model_validate(body)
            return extensions.extension_of(extension, id, extension.catalog.id, None, now)
        case "role":
            role = RoleBody.model_validate(body)
            catalog = role.catalog.id if role.catalog else None
            if role.role_definition_id is CatalogRole.CREATOR and catalog is not None:
                raise BadRequest("Catalog creator is a role for all catalogs.", target="catalog")
            principal = role.principal_id.lower()
            return role_assignment(id, role.role_definition_id, principal, role.principal_kind, catalog, now)
        case "policy":
            return graph.policy_of(graph.PolicyIn.model_validate(body), id, now)
        case "package":
            read = PackageBody.model_validate(body)
            if id in read.incompatible_packages:
                raise BadRequest("A package is not incompatible with itself.", target="incompatiblePackages")
            roles = tuple(
                ResourceRole(origin_system=one.origin_system, origin_id=one.origin_id, role=one.role)
                for one in read.roles
            )
            more = {
                "roles": roles,
                "incompatible_packages": tuple(read.incompatible_packages),
                "incompatible_groups": tuple(read.incompatible_groups),
            }
            return graph.package_of(read, id, now).model_copy(update=more)


def _change(item: _Item) -> Change:
    assert item.kept is not None
    fixed = {"catalog_id", "package_id", "is_built_in", "kind", "created_by", "modified_by"}
    if "customExtensionStageSettings" not in item.change.body:
        fixed.add("extensions")  # who says nothing of them leaves a policy's as they are
    values = {name: value for name, value in item.kept.content().items() if name not in fixed}
    return Change(item.id, values, item.change.version)


async def _with_resources(acts: Acts, items: Sequence[_Item], cause: Cause, standing: Standing) -> list[_Item]:
    """The resources that these packages bring are added to their catalogs. Packages are refused that bring what is not
    there, or what the caller has no power over, or are said to be incompatible with groups that are not there."""
    packages = [item.kept for item in items if isinstance(item.kept, Package)]
    wanted = {(package.catalog_id, _place(role)) for package in packages for role in package.roles}
    groups: set[Place] = {("AadGroup", group) for package in packages for group in package.incompatible_groups}
    places = {place for _, place in wanted} | groups
    origins = await acts.origins.once_heard(places, acts.platform.hearing) if places else {}
    now = acts.platform.clock.now()
    denied = await _out_of_reach(acts, [one for one in sorted(wanted) if one[1] in origins], standing)
    wanted -= denied
    resources = [
        Resource(
            id=Resource.id_of(catalog, place[0], origins[place].id),
            catalog_id=catalog,
            origin_system=place[0],
            origin_id=origins[place].id,
            display_name=origins[place].name,
            created_at=now,
            modified_at=now,
        ).as_made()
        for catalog, place in sorted(wanted)
        if place in origins and not origins[place].unfit
    ]
    await acts.run(acts.shelves.resources, [Work(Create(one), cause) for one in resources], acts.creating)
    known = []
    for item in items:
        assert isinstance(item.kept, Package)
        if missing := _missing(item.kept, origins):
            item.refuse(*missing)
            continue
        if any((item.kept.catalog_id, _place(role)) in denied for role in item.kept.roles):
            item.refuse(NOT_OWNER, "The caller is not the owner of every resource that it brings.", "roles")
            continue
        roles = tuple(
            role.model_copy(update={"origin_id": origins[_place(role)].id, "display_name": origins[_place(role)].name})
            for role in item.kept.roles
        )
        item.kept = item.kept.model_copy(update={"roles": roles}).as_made()
        known.append(item)
    return known


async def _resources(acts: Acts, items: Sequence[_Item], cause: Cause, standing: Standing) -> None:
    """Added to their catalogs, with what they ask of people. Refused is what is not there, and what the caller has no
    power over."""
    given = [(item, item.kept) for item in items if isinstance(item.kept, Resource)]
    places = {(one.origin_system, one.origin_id) for _, one in given}
    origins = await acts.origins.once_heard(places, acts.platform.hearing) if places else {}
    wanted = sorted({(one.catalog_id, (one.origin_system, one.origin_id)) for _, one in given})
    denied = await _out_of_reach(acts, [one for one in wanted if one[1] in origins], standing)
    ready: list[tuple[_Item, Resource]] = []
    for item, one in given:
        place = (one.origin_system, one.origin_id)
        origin = origins.get(place)
        if origin is None:
            item.refuse("ResourceNotFound", f"The {NOUNS[place[0]]} {place[1]} was not found.", "originId")
        elif origin.unfit:
            item.refuse("BadRequest", f"{origin.name} {origin.unfit}: no catalog takes it.", "originId")
        elif (one.catalog_id, place) in denied:
            item.refuse(NOT_OWNER, "The caller is not the owner of the resource.", "originId")
        else:
            id = Resource.id_of(one.catalog_id, place[0], origin.id)
            try:
                asked = attributes_of(item.change.body.get("attributes") or (), id)
            except GraphError as problem:
                item.refuse(problem.code, problem.message, problem.target, problem.details)
                continue
            told = {"id": id, "origin_id": origin.id, "display_name": origin.name, "attributes": asked}
            ready.append((item, one.model_copy(update=told).as_made()))
    shelf, its = acts.shelves.resources, [item for item, _ in ready]
    await _run(acts, shelf, its, [Create(one) for _, one in ready], cause)
    made = {item.number for item in its if item.status == "done"}
    # A package may have brought it before: then there is nothing to make, but it may ask something else from now on.
    there = [(item, one) for item, one in ready if item.status != "refused"]
    changes = [
        Change(one.id, {name: getattr(one, name) for name in ("attributes", "description", "managed_by")})
        for _, one in there
    ]
    await _run(acts, shelf, [item for item, _ in there], changes, cause)
    for item in its:
        if item.number in made and item.status == "unchanged":
            item.status = "done"


async def _fit(acts: Acts, items: Sequence[_Item]) -> list[_Item]:
    """Those of these policies and roles whose extensions are such as they may name, and that name nobody who is not
    there."""
    fit = []
    policies = [one.kept for one in items if isinstance(one.kept, Policy)]
    before = await acts.shelves.names_of([one.id for one in policies], acts.shelves.policies)
    named = [(one, before[one.id].item if one.id in before else None) for one in policies]
    unknown = await strangers(acts.shelves, acts.platform.hearing, named)
    roles = [one.kept for one in items if isinstance(one.kept, RoleAssignment)]
    groups = {one.principal_id for one in roles if one.principal_kind == "group"}
    known = await acts.shelves.groups.names_once_heard(groups, acts.platform.hearing) if groups else {}
    for item in items:
        if isinstance(item.kept, Policy):
            try:
                await may_name_extensions(acts.shelves, item.kept)
            except GraphError as problem:
                item.refuse(problem.code, problem.message, problem.target)
                continue
            if fault := not_there(item.kept, unknown):
                item.refuse(fault.code, fault.message, fault.target)
                continue
        kept = item.kept
        if isinstance(kept, RoleAssignment) and kept.principal_kind == "group" and kept.principal_id not in known:
            item.refuse("ResourceNotFound", "The principal was not found.", "principalId")
            continue
        fit.append(item)
    return fit


async def _out_of_reach(acts: Acts, wanted: Sequence[tuple[str, Place]], standing: Standing) -> set[tuple[str, Place]]:
    """Those of the resources that the caller may not add to their catalogs, and that are not there already."""
    denied: dict[str, tuple[str, Place]] = {}
    for catalog, place in wanted:
        if has_power_over(standing, place):
            continue
        if place[0] != "AadGroup" or not has_power_over(
            standing, place, unified=await acts.shelves.groups.is_unified(place[1])
        ):
            denied[Resource.id_of(catalog, *place)] = (catalog, place)
    there = await acts.shelves.resources.lives(denied)
    return {one for id, one in denied.items() if there.get(id) is not Life.ACTIVE}


def _place(role: ResourceRole) -> Place:
    return role.origin_system, role.origin_id


def _missing(package: Package, origins: Mapping[Place, Origin]) -> tuple[str, str, str] | None:
    """Code, message and target: the first resource or role that is not there."""
    for role in package.roles:
        origin = origins.get(_place(role))
        noun = NOUNS[role.origin_system]
        if origin is None:
            return "ResourceNotFound", f"The {noun} {role.origin_id} was not found.", "roles"
        if origin.unfit:
            return "BadRequest", f"{origin.name} {origin.unfit}: no catalog takes it.", "roles"
        if role.role not in origin.roles:
            return "RoleNotFound", f"The {noun} {origin.name} has no role {role.role}.", "roles"
    for group in package.incompatible_groups:
        if ("AadGroup", group) not in origins:
            return "ResourceNotFound", f"The group {group} was not found.", "incompatibleGroups"
    return None


async def _run(
    acts: Acts, shelf: Shelf[Any], items: Sequence[_Item], messages: Sequence[Any], cause: Cause
) -> list[Outcome[Any]]:
    if not items:
        return []
    works = [Work(message, cause) for message in messages]
    outcomes = await acts.run(shelf, works, acts.handler_of(messages[0]))
    for item, outcome in zip(items, outcomes, strict=True):
        decision = outcome.decision
        if outcome.error is not None or decision is None:
            item.refuse("BadRequest", outcome.error.message if outcome.error else "not decided")
        elif decision.refusal:
            item.refuse(decision.refusal.code, decision.refusal.message)
        else:
            item.status = "done" if decision.transitions else "unchanged"
    return outcomes


async def _delete(acts: Acts, shelf: Shelf[Any], items: Sequence[_Item], cause: Cause) -> None:
    """Both phases; what assignment has not answered within the time stays `deleting` and goes on by itself."""
    outcomes = await _run(acts, shelf, items, [Delete(item.id, item.change.version) for item in items], cause)
    waiting: dict[str, tuple[_Item, int]] = {}
    for item, outcome in zip(items, outcomes, strict=True):
        state = outcome.decision.state if outcome.decision else None
        if state is None or item.status == "refused":
            continue
        if state.deletion is not None:
            waiting[item.id] = (item, state.deletion.version)
        elif state.life is Life.DELETED:
            item.status = "unchanged"
    if not acts.asks(shelf):
        works = [Work(Delete(id), cause) for id in waiting]
        await acts.run(shelf, works, acts.settling)
    deadline = asyncio.get_running_loop().time() + DELETION_WAIT_S
    while waiting:
        for found in await shelf.find({"_id": {"$in": list(waiting)}}):
            item, version = waiting[found.item.id]
            if found.item.deletion is not None and found.item.deletion.version == version:
                item.status = "deleting"
                continue
            del waiting[found.item.id]
            if found.item.life is Life.DELETED:
                item.status = "done"
            else:
                item.refuse("inUse", found.item.kept_because or f"The {found.item.noun} is still needed.")
        if not waiting or asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0.05)
