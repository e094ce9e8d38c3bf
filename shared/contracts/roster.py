"""Rosters: who has something, told in numbered pages by whoever owns that, to the review that asks.

The question and the answer are the same wherever memberships are owned: directory answers for groups, applications and
directory roles, assignment for access packages, catalog for the roles of entitlement management.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Command, Contract, Fact, Refusal, Transition

NESTED = "TransitiveMember"
"""The role in a group of whoever is a member of a group inside it alone."""
GROUP_MEMBER = "Group"
"""The user type of a group that is itself a member of another one."""
MOST_ENTRIES = 500
"""On one page: far below the largest fact, whatever people are called."""


class RosterKind(StrEnum):
    """Of what kind the thing is whose holders are asked for."""

    GROUP = "group"
    APPLICATION = "application"
    DIRECTORY_ROLE = "directoryRole"
    GOVERNANCE_ROLE = "governanceRole"
    """Of entitlement management: who may administer catalogs."""
    PACKAGE = "accessPackage"


class RosterAbout(Contract):
    """Whose holders, and which of them."""

    kind: RosterKind
    id: str = Field(description="Of the group, service principal, role definition or access package.")
    policy_id: str | None = Field(None, description="Access packages: only what is assigned under this policy.")
    catalog_id: str | None = Field(None, description="Governance roles: only those for this catalog.")
    guests_only: bool = False
    direct: bool = Field(False, description="Groups: without the members of groups inside.")
    groups: bool = Field(False, description="Groups: with the groups inside, each as one that is a member.")
    joined_before: datetime | None = Field(None, description="Only who had joined by then, UTC.")


class AskRoster(Command):
    """Say who holds this, once. Key: the roster's id. Answered by `RosterFact`s; the same id again is answered once."""

    ce_type: ClassVar[str] = "tenure.roster.ask.v1"
    roster_id: str
    about: RosterAbout


class RosterEntry(Contract):
    """One person, or group, and what they hold, as it is when the page is made. No names: a page is about many people,
    so what is personal could not be erased from it for one of them."""

    person_id: str = Field(description="Or the id of a group, of the user type 'Group'.")
    user_type: str = "Member"
    manager_id: str | None = Field(None, description="Not told by catalog, which does not know: nor is the user type.")
    role: str = Field(
        description="Id of the app role or directory role; 'Member' or 'TransitiveMember' of a group; '' of a package; "
        "of a governance role 'Member', or 'TransitiveMember' of whoever has it by a group."
    )
    assignment_id: str | None = Field(
        None, description="Access packages, governance roles: the assignment, and no newer one."
    )
    policy_id: str | None = None
    since: datetime | None = None
    by_grant: bool = Field(False, description="Held because an access package brings it.")
    by_rule: bool = Field(False, description="A rule gives it: a dynamic group, an automatic assignment.")


class RosterPage(Transition):
    """The next holders, in the order of their ids: those beyond `after`, up to `upto`."""

    type: Literal["RosterPage"] = "RosterPage"
    number: int = Field(description="From 1.")
    after: str | None = None
    upto: str | None = None
    entries: tuple[RosterEntry, ...]


class RosterEnded(Transition):
    """That was the last page."""

    type: Literal["RosterEnded"] = "RosterEnded"
    pages: int
    entries: int


class RosterRefused(Transition):
    """There is no such thing."""

    type: Literal["RosterRefused"] = "RosterRefused"
    reason: Refusal


class RosterState(Contract):
    """How far a roster has been told."""

    id: str
    about: RosterAbout
    pages: int = 0
    entries: int = 0
    done: bool = False


RosterTransition = Annotated[RosterPage | RosterEnded | RosterRefused, Field(discriminator="type")]


class RosterFact(Fact):
    """A page of a roster. Key: the roster's id, so pages come in order."""

    ce_type: ClassVar[str] = "tenure.roster.roster.v1"
    transitions: tuple[RosterTransition, ...]
    state: RosterState
