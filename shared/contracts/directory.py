"""What directory says (people, groups, memberships) and what it is asked to do (membership commands)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.base import Command, Contract, Fact, Refusal, Transition
from shared.contracts.policy import Span


class PersonStatus(StrEnum):
    """Where someone stands. Only the active match rules and have access delivered."""

    EXPECTED = "expected"  # spoken of, or joining later: a placeholder without access
    ACTIVE = "active"
    SUSPENDED = "suspended"  # assignments stay, delivery is taken away
    LEFT = "left"


class SourceIdentity(Contract):
    """A source's name for one person."""

    source: str
    id: str


class PersonState(Contract):
    """Someone in the directory, as of now. `attributes` are Graph user properties, nested as in Graph."""

    id: str
    status: PersonStatus
    attributes: dict[str, Any] = Field(default_factory=dict)
    manager_id: str | None = None
    identities: tuple[SourceIdentity, ...] = ()
    suspended_by: tuple[str, ...] = Field((), description="Sources whose hold is in force; each lifts only its own.")
    answered: tuple[str, ...] = Field(
        (), description="Properties that are no more than what the person answered for access: no rule reads them."
    )

    @property
    def for_rules(self) -> dict[str, Any]:
        """The attributes without what somebody said of themself."""
        return without(self.attributes, self.answered)


def without(attributes: dict[str, Any], answered: Collection[str]) -> dict[str, Any]:
    """What rules may read of a person."""
    return {name: value for name, value in attributes.items() if name not in answered} if answered else attributes


class ValueChange(Contract):
    """A property before and after. Personal: kept outside the audit chain."""

    before: Any = None
    after: Any = None


class PersonJoined(Transition):
    type: Literal["PersonJoined"] = "PersonJoined"
    returned: bool = Field(False, description="They had left before.")


class PersonChanged(Transition):
    type: Literal["PersonChanged"] = "PersonChanged"
    changes: dict[str, ValueChange]


class PersonSuspended(Transition):
    type: Literal["PersonSuspended"] = "PersonSuspended"
    source: str


class PersonReturned(Transition):
    type: Literal["PersonReturned"] = "PersonReturned"
    source: str


class PersonLeft(Transition):
    type: Literal["PersonLeft"] = "PersonLeft"


class PersonUnjoined(Transition):
    """A joining was rescinded or moved into the future: the person is expected again."""

    type: Literal["PersonUnjoined"] = "PersonUnjoined"


class IdentityLinked(Transition):
    """A human decided that this is `person_id`, who has all that was stated of this one from now on."""

    type: Literal["IdentityLinked"] = "IdentityLinked"
    person_id: str


class IdentityKeptApart(Transition):
    """A human decided that this is nobody else, although correlation keys said so."""

    type: Literal["IdentityKeptApart"] = "IdentityKeptApart"


class GuestBlocked(Transition):
    """The answer to `BlockGuest`: they sign in nowhere from now on, and are deleted at `deletes_at` unless an
    administrator enables the account again before."""

    type: Literal["GuestBlocked"] = "GuestBlocked"
    command_id: str
    deletes_at: datetime = Field(description="UTC. Of a guest whom several reviews denied: as the first one said.")
    detail: str = Field(description="Why, in words.")
    already: bool = Field(False, description="Asked again: nothing was done.")


class GuestDeleted(Transition):
    """The time of a blocked guest was over, or they left before."""

    type: Literal["GuestDeleted"] = "GuestDeleted"
    command_id: str


class GuestKept(Transition):
    """A blocked guest is not deleted after all."""

    type: Literal["GuestKept"] = "GuestKept"
    command_id: str
    reason: Refusal


class GuestRefused(Transition):
    """The answer to a `BlockGuest` that cannot be obeyed: nothing was done."""

    type: Literal["GuestRefused"] = "GuestRefused"
    command_id: str
    reason: Refusal


PersonTransition = Annotated[
    PersonJoined
    | PersonChanged
    | PersonSuspended
    | PersonReturned
    | PersonLeft
    | PersonUnjoined
    | IdentityLinked
    | IdentityKeptApart
    | GuestBlocked
    | GuestDeleted
    | GuestKept
    | GuestRefused,
    Field(discriminator="type"),
]


class PersonFact(Fact):
    """Someone joined, changed, was suspended, returned or left. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.person.v1"
    transitions: tuple[PersonTransition, ...]
    state: PersonState


GUEST_KEPT_FOR = timedelta(days=30)
"""Between the blocking of a guest whom a review denied and their deletion. Source: entra-features.md REV-20."""


class BlockGuest(Command):
    """Let a guest sign in no more, and delete them once `delete_after` is over. What they hold stays until then.

    Answered by `GuestBlocked` or `GuestRefused`, and in the end by `GuestDeleted` or `GuestKept`; asked again, by the
    one of them that is true. Whom a source knows is refused: they leave by what it says. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.block-guest.v1"
    person_id: str
    delete_after: Span = GUEST_KEPT_FOR
    detail: str = Field(description="Why, in words.")


DYNAMIC = "DynamicMembership"
"""Among a group's types: a rule says who its members are."""


class GroupState(Contract):
    """A group as Graph has it, without its members (memberships are kept by person)."""

    id: str
    display_name: str
    description: str | None = None
    unique_name: str | None = Field(None, description="A name of the caller's that it is found by and keeps.")
    mail_nickname: str | None = None
    mail_enabled: bool = False
    security_enabled: bool = True
    group_types: tuple[str, ...] = ()
    membership_rule: str | None = Field(None, description="With `DynamicMembership`: who is a member (shared.rules).")
    membership_rule_processing_state: Literal["On", "Paused"] | None = None
    visibility: str | None = None
    is_assignable_to_role: bool | None = None
    classification: str | None = None
    theme: str | None = None
    resource_provisioning_options: tuple[str, ...] = Field((), description="`Team`: there is a team behind it.")
    resource_behavior_options: tuple[str, ...] = ()
    assigned_labels: tuple[dict[str, str | None], ...] = Field((), description="Sensitivity labels, as Graph has them.")
    preferred_language: str | None = None
    preferred_data_location: str | None = None
    member_of: tuple[str, ...] = Field((), description="Ids of the groups that this group itself is a member of.")
    left: tuple[str, ...] = Field((), description="Ids of the groups that it was a member of, for delta queries.")
    created_at: datetime
    deleted_at: datetime | None = None
    purged: bool = Field(False, description="Deleted for good: it cannot be restored.")

    @property
    def is_team(self) -> bool:
        """Whether there is a team behind it."""
        return "Team" in self.resource_provisioning_options

    @property
    def is_dynamic(self) -> bool:
        """Whether a rule says who is a member, and nobody else does."""
        return DYNAMIC in self.group_types

    @property
    def filled_by(self) -> str | None:
        """The rule that fills it now."""
        on = self.is_dynamic and self.membership_rule_processing_state == "On" and self.deleted_at is None
        return self.membership_rule if on else None


class GroupCreated(Transition):
    type: Literal["GroupCreated"] = "GroupCreated"


class GroupChanged(Transition):
    type: Literal["GroupChanged"] = "GroupChanged"
    properties: tuple[str, ...]


class GroupDeleted(Transition):
    type: Literal["GroupDeleted"] = "GroupDeleted"


class GroupRestored(Transition):
    """It is there again, with the members it had."""

    type: Literal["GroupRestored"] = "GroupRestored"


class GroupPurged(Transition):
    """It was deleted, and now it cannot be restored any more."""

    type: Literal["GroupPurged"] = "GroupPurged"


class GroupNested(Transition):
    """It has become a member of another group; its people are members of that one at one remove."""

    type: Literal["GroupNested"] = "GroupNested"
    within: str


class GroupUnnested(Transition):
    type: Literal["GroupUnnested"] = "GroupUnnested"
    within: str


class UnnestObeyed(Transition):
    """The answer to an `UnnestGroup`: it is no member of the other group, whether it was one or not."""

    type: Literal["UnnestObeyed"] = "UnnestObeyed"
    command_id: str
    within: str
    already: bool = Field(False, description="Nothing had to change.")


GroupTransition = Annotated[
    GroupCreated
    | GroupChanged
    | GroupDeleted
    | GroupRestored
    | GroupPurged
    | GroupNested
    | GroupUnnested
    | UnnestObeyed,
    Field(discriminator="type"),
]


class GroupFact(Fact):
    """A group was made, changed or deleted. Key: the group's id."""

    ce_type: ClassVar[str] = "tenure.directory.group.v1"
    transitions: tuple[GroupTransition, ...]
    state: GroupState


class UnnestGroup(Command):
    """Take a group out of another one: a review has denied it. Answered, a repeat too. Key: the inner group's id."""

    ce_type: ClassVar[str] = "tenure.directory.unnest-group.v1"
    group_id: str
    within: str


class MembershipState(Contract):
    """How a person stands to one group."""

    group_id: str
    member: bool
    by_hand: bool = Field(False, description="Added by a person or there before; Tenure's bookkeeping leaves it alone.")
    by_grant: bool = Field(False, description="A grant wants it.")
    since: datetime | None = None
    obeyed: int = Field(0, description="The highest grant version obeyed, even where there was nothing to do.")
    repairs: int = Field(0, description="The highest repair obeyed under that version.")


class MembershipsState(Contract):
    """How a person stands to groups: those they are a member of, or that a grant wants them in. To all others they are
    nothing, whatever they were."""

    person_id: str
    groups: tuple[MembershipState, ...] = ()

    @property
    def member_of(self) -> list[str]:
        """Ids of the groups they are in."""
        return [one.group_id for one in self.groups if one.member]


class MemberAdded(Transition):
    type: Literal["MemberAdded"] = "MemberAdded"
    group_id: str


class MemberRemoved(Transition):
    type: Literal["MemberRemoved"] = "MemberRemoved"
    group_id: str


class MembershipObeyed(Transition):
    """The answer to a wish. `already` says that the wanted state was found and nothing was done."""

    type: Literal["MembershipObeyed"] = "MembershipObeyed"
    group_id: str
    command_id: str = Field(description="Id of the wish.")
    grant_version: int
    already: bool = False


class MembershipRefused(Transition):
    """A wish that cannot be obeyed, such as one about a group that is not there."""

    type: Literal["MembershipRefused"] = "MembershipRefused"
    group_id: str
    command_id: str = Field(description="Id of the wish.")
    grant_version: int
    reason: Refusal


MOVES = (MemberAdded, MemberRemoved)
"""What a fact tells of if somebody came into a group or left one; others only answer."""

MembershipTransition = Annotated[
    MemberAdded | MemberRemoved | MembershipObeyed | MembershipRefused, Field(discriminator="type")
]


class MembershipsFact(Fact):
    """Someone became or ceased to be a member of groups, or a command was answered. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.memberships.v1"
    transitions: tuple[MembershipTransition, ...]
    state: MembershipsState

    @property
    def moved(self) -> set[str]:
        """Ids of the groups that the person came into or left."""
        return {one.group_id for one in self.transitions if isinstance(one, MOVES)}


class MembershipWish(Contract):
    """Have the person in the group, or not, as the grant of this version wants."""

    id: str = Field(description="Named by the answer, and the same again when it is asked again.")
    group_id: str
    member: bool
    grant_version: int
    repair: int = Field(
        0,
        description="Above 0: drift under this version is put right, and each higher number is obeyed once more.",
    )


class MembershipRemoval(Contract):
    """Take the person out of the group, whoever put them there by hand: a review has denied it.

    What a rule or an access package gives is refused, for it would come back."""

    id: str = Field(description="Named by the answer, `MembershipObeyed` or `MembershipRefused`.")
    group_id: str


MOST_WISHES = 500
"""In one command, of memberships or of held roles: its answers stay far below the largest fact."""


class SetMemberships(Command):
    """Make `person_id` a member of groups, or not. One fact answers every wish. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.set-memberships.v1"
    person_id: str
    wishes: tuple[MembershipWish, ...] = Field((), max_length=MOST_WISHES, description="At most one for a group.")
    removals: tuple[MembershipRemoval, ...] = Field((), max_length=MOST_WISHES)

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.wishes and not self.removals:
            raise ValueError("say at least one wish or removal")
        return self
