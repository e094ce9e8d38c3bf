"""What directory says of the definitions of directory roles: built in, or made for this tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Contract, Fact, Transition


class RolePermission(Contract):
    """Actions by the names that Graph gives them. Of those of a role made here nothing is inferred: whoever may do what
    in Tenure is said by the built-in roles."""

    allowed_resource_actions: tuple[str, ...] = ()
    excluded_resource_actions: tuple[str, ...] = ()
    condition: str | None = None


class RoleDefinitionState(Contract):
    """A directory role."""

    id: str
    display_name: str
    description: str | None = None
    is_built_in: bool = False
    is_enabled: bool = True
    resource_scopes: tuple[str, ...] = ("/",)
    role_permissions: tuple[RolePermission, ...] = ()
    inherits_permissions_from: tuple[str, ...] = Field((), description="Ids of built-in roles.")
    template_id: str
    stated_version: str | None = Field(None, description="Graph's `version`: a text that whoever defines it gives.")
    created_at: datetime | None = Field(None, description="None: it was always there.")
    deleted_at: datetime | None = None


class RoleDefinitionCreated(Transition):
    type: Literal["RoleDefinitionCreated"] = "RoleDefinitionCreated"


class RoleDefinitionChanged(Transition):
    type: Literal["RoleDefinitionChanged"] = "RoleDefinitionChanged"
    properties: tuple[str, ...]


class RoleDefinitionDeleted(Transition):
    type: Literal["RoleDefinitionDeleted"] = "RoleDefinitionDeleted"


RoleDefinitionTransition = Annotated[
    RoleDefinitionCreated | RoleDefinitionChanged | RoleDefinitionDeleted, Field(discriminator="type")
]


class RoleDefinitionFact(Fact):
    """A directory role was defined for this tenant, changed or deleted. Key: the definition's id."""

    ce_type: ClassVar[str] = "tenure.directory.role-definition.v1"
    transitions: tuple[RoleDefinitionTransition, ...]
    state: RoleDefinitionState
