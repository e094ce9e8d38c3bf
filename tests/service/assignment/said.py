"""Facts of the services around assignment, as short as a test can say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from shared.contracts.base import Cause, Lane
from shared.contracts.catalog import (
    CatalogFact,
    CatalogState,
    Changed,
    DeletionAsked,
    Life,
    PackageFact,
    PackageState,
    PolicyFact,
    PolicyState,
    PopulationFact,
    PopulationState,
    ResourceRole,
)
from shared.contracts.directory import (
    MemberAdded,
    MemberRemoved,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    PersonChanged,
    PersonFact,
    PersonState,
    PersonStatus,
    ValueChange,
)
from shared.contracts.organizations import (
    IdentitySource,
    OrganizationCreated,
    OrganizationFact,
    OrganizationState,
    SourceKind,
)
from shared.contracts.provisioning import (
    Delivered,
    DeliveriesFact,
    DeliveriesState,
    DeliveryState,
    DeliveryStatus,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _cause(id: str, lane: Lane = Lane.ORDINARY) -> Cause:
    return Cause(id=f"cause:{id}", correlation=f"first:{id}", actor="source:test", lane=lane)


def _envelope(kind: str, id: str, version: int, lane: Lane = Lane.ORDINARY, caused: str = "") -> dict[str, Any]:
    """What every fact has. `caused`: tells its cause from that of another kind about the same person."""
    cause = _cause(f"{caused}{id}:{version}", lane)
    return {"id": f"{kind}:{id}:{version}", "cause": cause, "subject": id, "version": version, "at": NOW}


def person(
    id: str,
    version: int = 1,
    status: PersonStatus = PersonStatus.ACTIVE,
    manager: str | None = None,
    lane: Lane = Lane.ORDINARY,
    **attributes: Any,
) -> PersonFact:
    return PersonFact(
        **_envelope("person", id, version, lane),
        transitions=(PersonChanged(changes={"department": ValueChange()}),),
        state=PersonState(
            id=id,
            status=status,
            manager_id=manager,
            attributes={"displayName": id.title(), "userPrincipalName": f"{id}@x.example", **attributes},
        ),
    )


def organization(id: str, *domains: str, sponsor: str = "eva", version: int = 1) -> OrganizationFact:
    return OrganizationFact(
        **_envelope("organization", id, version),
        transitions=(OrganizationCreated(),),
        state=OrganizationState(
            id=id,
            display_name=id.title(),
            identity_sources=tuple(IdentitySource(kind=SourceKind.DOMAIN, domain_name=one) for one in domains),
            internal_sponsors=(sponsor,),
            created_at=NOW,
            modified_at=NOW,
        ),
    )


def catalog(id: str, version: int = 1) -> CatalogFact:
    return CatalogFact(
        **_envelope("catalog", id, version),
        transitions=(Changed(properties=()),),
        state=CatalogState(id=id, display_name=id.title(), created_at=NOW, modified_at=NOW),
    )


def role(group: str) -> ResourceRole:
    return ResourceRole(origin_id=group, display_name=group)


def package(
    id: str,
    version: int = 1,
    *groups: str,
    life: Life = Life.ACTIVE,
    asked: bool = False,
    not_for: Sequence[str] = (),
) -> PackageFact:
    """`not_for`: groups whose members cannot have it."""
    return PackageFact(
        **_envelope("package", id, version),
        transitions=(DeletionAsked() if asked else Changed(properties=()),),
        state=PackageState(
            id=id,
            catalog_id="general",
            display_name=f"Package {id}",
            roles=tuple(role(group) for group in groups or (f"g-{id}",)),
            incompatible_groups=tuple(not_for),
            life=life,
            created_at=NOW,
            modified_at=NOW,
        ),
    )


def policy(
    id: str,
    package_id: str,
    rule: str | None = None,
    version: int = 1,
    *,
    population: str | None = None,
    life: Life = Life.ACTIVE,
    asked: bool = False,
) -> PolicyFact:
    return PolicyFact(
        **_envelope("policy", id, version),
        transitions=(DeletionAsked() if asked else Changed(properties=()),),
        state=PolicyState(
            id=id,
            package_id=package_id,
            display_name=f"Policy {id}",
            rule=rule,
            population_id=population,
            life=life,
            created_at=NOW,
            modified_at=NOW,
        ),
    )


def population(id: str, rule: str, version: int = 1) -> PopulationFact:
    return PopulationFact(
        **_envelope("population", id, version),
        transitions=(Changed(properties=("rule",)),),
        state=PopulationState(id=id, display_name=id, rule=rule, created_at=NOW, modified_at=NOW),
    )


def memberships(person_id: str, version: int, *groups: str, left: Sequence[str] = ()) -> MembershipsFact:
    """They are in `groups` now, and have come into them or left others."""
    came = tuple(MemberAdded(group_id=group) for group in groups)
    return MembershipsFact(
        **_envelope("memberships", person_id, version, caused="m:"),
        transitions=(*came, *(MemberRemoved(group_id=group) for group in left)),
        state=MembershipsState(
            person_id=person_id, groups=tuple(MembershipState(group_id=group, member=True) for group in groups)
        ),
    )


def delivery(role: ResourceRole, version: int, status: DeliveryStatus, said_in: int) -> DeliveryState:
    return DeliveryState(role=role, wanted=True, version=version, status=status, changed_at=NOW, said_in=said_in)


def deliveries(person_id: str, version: int, *known: DeliveryState) -> DeliveriesFact:
    return DeliveriesFact(
        **_envelope("deliveries", person_id, version, caused="d:"),
        transitions=tuple(Delivered(role=one.role, version=one.version) for one in known if one.said_in == version),
        state=DeliveriesState(person_id=person_id, deliveries=known),
    )
