"""What follows from a command or a wish about the roles that one person holds.

The rules of Tenure's own bookkeeping are those of memberships: see `standing`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.directory.decide.standing import obeyed_already, standing
from shared.contracts.base import Refusal, Transition
from shared.contracts.resources import (
    OWNER,
    HeldRolesState,
    HeldRoleState,
    HeldRoleWish,
    RoleAt,
    RoleGiven,
    RoleObeyed,
    RoleRefused,
    RoleSystem,
    RoleTaken,
    SetHeldRoles,
)
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision

Place = tuple[RoleSystem, str]
"""A thing at which roles are held."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What the messages of a batch refer to."""

    roles: Mapping[Place, Collection[str]] = field(default_factory=dict)
    """Which roles can be given at each thing that is there."""
    sole: Collection[tuple[str, str]] = frozenset()
    """(person id, key of a role) of those who are the only ones to hold it, among those asked about."""

    def refusal(self, role: RoleAt) -> Refusal | None:
        """Why nobody can be given this role."""
        known = self.roles.get((role.origin_system, role.origin_id))
        if known is None:
            return Refusal(
                code="unknownResource", message=f"There is no {_NOUNS[role.origin_system]} {role.origin_id}."
            )
        if role.role not in known:
            text = f"The {_NOUNS[role.origin_system]} {role.origin_id} gives people no role {role.role}."
            return Refusal(code="unknownRole", message=text)
        return None


_NOUNS = {
    RoleSystem.GROUP: "group",
    RoleSystem.APPLICATION: "service principal",
    RoleSystem.REGISTRATION: "application",
    RoleSystem.SITE: "site",
    RoleSystem.DIRECTORY: "directory scope",
}


@dataclass(frozen=True, slots=True)
class GiveByHand:
    """Somebody gives a role over HTTP."""

    person_id: str
    role: RoleAt


@dataclass(frozen=True, slots=True)
class TakeByHand:
    """Somebody takes a role over HTTP."""

    person_id: str
    role: RoleAt


def held_role_id(person_id: str, role: RoleAt) -> str:
    """Graph's id of the assignment."""
    return derived_id("held-role", person_id, role.key)


def shown(state: HeldRolesState) -> HeldRolesState:
    """As others hear of it: without what is over."""
    return state.model_copy(update={"roles": tuple(one for one in state.roles if one.held or one.by_grant)})


def command(state: HeldRolesState | None, asked: SetHeldRoles, at: Circumstances[Offered]) -> Decision[HeldRolesState]:
    """Provisioning or a review asks. Everything is answered, a repeat too: they ask again until they have heard an
    answer."""
    before = state or HeldRolesState(person_id=asked.person_id)
    by_key = {one.key: one for one in before.roles}
    said: list[Transition] = []
    for wish in asked.wishes:
        role = _plain(wish)
        by_key[role.key] = _follow(by_key.get(role.key) or _not_held(asked.person_id, role), role, wish, at, said)
    for removal in asked.removals:
        role = _plain(removal)
        by_key[role.key] = _removed(by_key.get(role.key) or _not_held(asked.person_id, role), role, removal.id, said)
    kept = (one for one in by_key.values() if one.obeyed or one.held)
    # A new object even if nothing moved: the answers are a version of their own.
    return Decision(HeldRolesState(person_id=before.person_id, roles=tuple(kept)), tuple(said))


def _follow(
    before: HeldRoleState, role: RoleAt, wish: HeldRoleWish, at: Circumstances[Offered], said: list[Transition]
) -> HeldRoleState:
    """The role as one wish leaves it; what happens is added to `said`."""
    if obeyed_already(before, wish):
        said.append(_obeyed(role, wish, already=True))
        return before
    if wish.held and (reason := at.context.refusal(role)):
        said.append(RoleRefused(role=role, command_id=wish.id, grant_version=wish.grant_version, reason=reason))
        return before
    held, since = standing(before, stood=before.held, wanted=wish.held, now=at.now)
    if held != before.held:
        said.append(RoleGiven(role=role) if held else RoleTaken(role=role))
    said.append(_obeyed(role, wish, already=held == before.held))
    return before.model_copy(
        update={
            "held": held,
            "by_grant": wish.held,
            "since": since,
            "obeyed": wish.grant_version,
            "repairs": wish.repair,
        }
    )


def _removed(before: HeldRoleState, role: RoleAt, id: str, said: list[Transition]) -> HeldRoleState:
    """The role without what was given by hand. What a package gives would come back: refused, saying so."""
    if before.held and before.by_grant:
        text = f"An access package gives the role {role.key}: review that."
        reason = Refusal(code="givenByPackage", message=text)
        said.append(RoleRefused(role=role, command_id=id, grant_version=0, reason=reason))
        return before
    said.append(RoleObeyed(role=role, command_id=id, grant_version=0, already=not before.held))
    if not before.held:
        return before
    said.append(RoleTaken(role=role))
    return before.model_copy(update={"held": False, "by_hand": False, "since": None})


def give(state: HeldRolesState | None, asked: GiveByHand, at: Circumstances[Offered]) -> Decision[HeldRolesState]:
    """By hand: Tenure's bookkeeping leaves it alone from now on."""
    before = state or HeldRolesState(person_id=asked.person_id)
    if reason := at.context.refusal(asked.role):
        return Decision(state, refusal=reason)
    one = _of(before, asked.role) or _not_held(asked.person_id, asked.role)
    if one.held and one.by_hand:
        text = f"The person has this role already: {asked.role.key}."
        return Decision(state, refusal=Refusal(code="alreadyHeld", message=text))
    now = one.model_copy(update={"held": True, "by_hand": True, "since": one.since or at.now})
    return Decision(_with(before, now), () if one.held else (RoleGiven(role=asked.role),))


def take(state: HeldRolesState | None, asked: TakeByHand, at: Circumstances[Offered]) -> Decision[HeldRolesState]:
    """By hand, whoever gave it. A group keeps its last owner."""
    one = _of(state, asked.role) if state is not None else None
    if state is None or one is None or not one.held:
        text = f"The person does not have this role: {asked.role.key}."
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message=text))
    if (
        asked.role.origin_system is RoleSystem.GROUP
        and asked.role.role == OWNER
        and (asked.person_id, asked.role.key) in at.context.sole
    ):
        return Decision(state, refusal=Refusal(code="lastOwner", message="The group must keep at least one owner."))
    now = one.model_copy(update={"held": False, "by_hand": False, "since": None})
    return Decision(_with(state, now), (RoleTaken(role=asked.role),))


def _of(state: HeldRolesState, role: RoleAt) -> HeldRoleState | None:
    return next((one for one in state.roles if one.key == role.key), None)


def _with(state: HeldRolesState, one: HeldRoleState) -> HeldRolesState:
    others = tuple(other for other in state.roles if other.key != one.key)
    # One that no grant ever spoke of leaves nothing behind: there is no version that must not restart.
    kept = (*others, one) if one.held or one.obeyed else others
    return state.model_copy(update={"roles": kept})


def _plain(role: RoleAt) -> RoleAt:
    return RoleAt(origin_system=role.origin_system, origin_id=role.origin_id, role=role.role)


def _not_held(person_id: str, role: RoleAt) -> HeldRoleState:
    return HeldRoleState(
        id=held_role_id(person_id, role),
        origin_system=role.origin_system,
        origin_id=role.origin_id,
        role=role.role,
        held=False,
    )


def _obeyed(role: RoleAt, wish: HeldRoleWish, *, already: bool) -> Transition:
    return RoleObeyed(role=role, command_id=wish.id, grant_version=wish.grant_version, already=already)
