"""What becomes of a catalog's things: made, changed, deleted in two phases. The same rules for every kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic

from services.catalog.model import Catalog, Deletion, K, Kept, Package, Resource, RoleAssignment
from shared.contracts.assignment import UseAnswer
from shared.contracts.base import Refusal, Transition
from shared.contracts.catalog import (
    Changed,
    Created,
    Deleted,
    DeletionAsked,
    DeletionRefused,
    EndRoleAssignment,
    Life,
    RoleEndObeyed,
)
from shared.messaging.decision import Again, Circumstances, Decision, Due
from shared.messaging.errors import WillNotPass

FIRST_WAIT = timedelta(seconds=10)
"""Before a question is put again. Messages are not lost, so whoever is slow to answer is merely busy."""
LONGEST_WAIT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Create(Generic[K]):
    """Make `item`. Its id comes with it, so that a repeat is known."""

    item: K


@dataclass(frozen=True, slots=True)
class Change:
    """Set properties, by their names in the aggregate. `version`: only if that is the present one."""

    id: str
    values: Mapping[str, Any]
    version: int | None = None
    add_roles: tuple[Any, ...] = ()
    """Packages: added to whatever roles there are."""
    remove_roles: frozenset[str] = frozenset()
    """Packages: keys of roles to be taken out."""
    add: Mapping[str, str] = field(default_factory=dict)
    """Property -> id to be added to the ids it has."""
    remove: Mapping[str, str] = field(default_factory=dict)
    """Property -> id to be taken out of them."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete it, if nobody needs it. `version`: only if that is the present one."""

    id: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What it lay in is gone, and so is it: nobody can need it."""

    id: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision may look at besides its aggregate."""

    parents: Mapping[str, Life] = field(default_factory=dict)
    """How things are with what it lies in or refers to, by id; what is missing does not exist."""
    uses: Mapping[str, str] = field(default_factory=dict)
    """Ids of what is still needed, each with the reason in words."""


At = Circumstances[Surroundings]


def create(state: K | None, message: Create[K], at: At) -> Decision[K]:
    """Made, unless it is there, its place is taken, or what it belongs to is not there.

    A resource's id follows from its origin, so one that was taken out may come back under it."""
    new = message.item
    if isinstance(state, Resource) and state.life is not Life.DELETED:
        return Decision(state)
    if state is not None and not isinstance(state, Resource):
        if state.made_as == new.made_as:
            return Decision(state)
        return _no(state, "idempotencyKeyReused", f"Something else was made under the id {new.id}.")
    if at.clashes:
        return _no(state, "duplicate", _taken(new))
    if refusal := _parents_missing((*new.parents, *new.named), at):
        return Decision(state, refusal=refusal)
    return Decision(_dated(new, None, at), (Created(),))


def change(state: K | None, message: Change, at: At) -> Decision[K]:
    """Changed, as far as it is not so already."""
    if refusal := _refused(state, None, at):
        return Decision(state, refusal=refusal)
    assert state is not None
    values = dict(message.values)
    if message.add_roles or message.remove_roles:
        values["roles"] = _roles(state, message)
    for name, id in message.add.items():
        values[name] = tuple(dict.fromkeys((*getattr(state, name), id)))
    for name, id in message.remove.items():
        values[name] = tuple(one for one in getattr(state, name) if one != id)
    changed = tuple(name for name, value in values.items() if getattr(state, name) != value)
    if not changed:
        return Decision(state)  # a repeat, too, although the version it names has passed
    if refusal := _refused(state, message.version, at):
        return Decision(state, refusal=refusal)
    new = state.model_copy(update={**values, "modified_at": at.now})
    if why := _misnamed(new, state, at):
        return _no(state, *why)
    before = (*state.parents, *state.named)
    if refusal := _parents_missing([one for one in (*new.parents, *new.named) if one not in before], at):
        return Decision(state, refusal=refusal)
    return Decision(_dated(new, state, at), (Changed(properties=changed),))


def delete(state: K | None, message: Delete, at: At) -> Decision[K]:
    """The first phase: no new use from now on, and whoever may use it is asked."""
    if state is not None and state.life is not Life.ACTIVE:
        return Decision(state)
    if refusal := _refused(state, message.version, at):
        return Decision(state, refusal=refusal)
    assert state is not None
    if isinstance(state, Catalog) and state.is_built_in:
        return _no(state, "builtIn", f"The catalog {state.display_name} is built in and stays.")
    deletion = Deletion(asked_at=at.now, version=at.version, cause=at.cause, again_at=at.now + FIRST_WAIT)
    return Decision(_living(state, Life.DELETING, at, deletion), (DeletionAsked(),))


def answered(state: K | None, message: UseAnswer, at: At) -> Decision[K]:
    """The second phase for what assignment was asked about: gone, or refused and back in use."""
    if state is None or state.deletion is None or state.deletion.version != message.asked_version:
        return Decision(state)
    if message.in_use == 0:
        return _gone(state, at)
    people = "assignment" if message.in_use == 1 else "assignments"
    return _stays(state, f"The {state.noun} is needed by {message.in_use} {people}: end them first.", at)


def settle(state: K | None, _message: Delete | Due, at: At) -> Decision[K]:
    """The second phase for what only this service can need: gone, or refused and back in use."""
    if state is None or state.deletion is None:
        return Decision(state)
    if why := at.context.uses.get(state.id):
        return _stays(state, why, at)
    return _gone(state, at)


def withdraw(state: K | None, _message: Withdraw, at: At) -> Decision[K]:
    """Gone together with what it lay in."""
    if state is None or state.life is Life.DELETED:
        return Decision(state)
    return _gone(state, at)


def end(state: RoleAssignment | None, command: EndRoleAssignment, at: At) -> Decision[RoleAssignment]:
    """A review has denied a role. Everything is answered, a repeat too: it asks again until it has heard an answer."""
    if state is None:
        raise WillNotPass("unknownRoleAssignment", "No roster can have named a role assignment that never was.")
    if state.life is Life.DELETED:
        return Decision(state, (RoleEndObeyed(command_id=command.id, already=True),))
    return Decision(_living(state, Life.DELETED, at), (Deleted(), RoleEndObeyed(command_id=command.id)))


def again(state: K | None, _message: Again, at: At) -> Decision[K]:
    """What it lies in was deleted while it was made."""
    if state is None or state.life is Life.DELETED or not orphaned(state, at.context):
        return Decision(state)
    return _gone(state, at)


def orphaned(state: Kept, context: Surroundings) -> bool:
    """True if something it needs is gone for good. One that is `deleting` may yet come back."""
    return any(context.parents.get(id) is Life.DELETED for id in state.parents)


def later(state: K, at: At) -> K:
    """The same with the question put once more: the pause doubles, up to five minutes."""
    assert state.deletion is not None
    pause = min(FIRST_WAIT * 2 ** min(state.deletion.times, 16), LONGEST_WAIT)
    deletion = state.deletion.model_copy(update={"again_at": at.now + pause, "times": state.deletion.times + 1})
    return state.model_copy(update={"deletion": deletion})


def _misnamed(new: Kept, before: Kept, at: At) -> tuple[str, str] | None:
    """Code and words, if it cannot be called what it would be."""
    if isinstance(before, Catalog) and before.is_built_in and new.display_name != before.display_name:
        return "builtIn", f"The catalog {before.display_name} is built in and keeps its name."
    return ("duplicate", _taken(new)) if at.clashes else None


def _dated(new: Any, before: Kept | None, at: At) -> Any:
    """A package knows since when it brings each of its roles."""
    return new.dated(before if isinstance(before, Package) else None, at.now) if isinstance(new, Package) else new


def _roles(state: Any, message: Change) -> tuple[Any, ...]:
    kept = [role for role in state.roles if role.key not in message.remove_roles]
    there = {role.key for role in kept}
    return (*kept, *(role for role in message.add_roles if role.key not in there))


def _refused(state: Kept | None, version: int | None, at: At) -> Refusal | None:
    """Why nothing can be changed about it, if so."""
    if state is None or state.life is Life.DELETED:
        return Refusal(code="notFound", message="The resource was not found.")
    if state.life is Life.DELETING:
        return Refusal(code="deleting", message=f"The {state.noun} {state.display_name!r} is being deleted.")
    if version is not None and version != at.version - 1:
        text = f"The {state.noun} {state.display_name!r} has changed since it was read; read it again."
        return Refusal(code="stale", message=text)
    return None


def _parents_missing(parents: Any, at: At) -> Refusal | None:
    for id in parents:
        life = at.context.parents.get(id)
        if life is Life.DELETING:
            return Refusal(code="deleting", message=f"{id} is being deleted: nothing new can refer to it.")
        if life is not Life.ACTIVE:
            return Refusal(code="parentNotFound", message=f"The resource {id} was not found.")
    return None


def _gone(state: K, at: At) -> Decision[K]:
    return Decision(_living(state, Life.DELETED, at), (Deleted(),))


def _stays(state: K, why: str, at: At) -> Decision[K]:
    refusal = Refusal(code="inUse", message=why)
    new = _living(state, Life.ACTIVE, at).model_copy(update={"kept_because": why})
    said: tuple[Transition, ...] = (DeletionRefused(reason=refusal),)
    return Decision(new, said, refusal=refusal)


def _living(state: K, life: Life, at: At, deletion: Deletion | None = None) -> K:
    return state.model_copy(update={"life": life, "deletion": deletion, "modified_at": at.now})


def _no(state: K | None, code: str, message: str) -> Decision[K]:
    return Decision(state, refusal=Refusal(code=code, message=message))


def _taken(new: Kept) -> str:
    article = "An" if new.noun[0] in "aeiou" else "A"
    where = {"access package": " in this catalog", "policy": " in this package", "resource": " in this catalog"}
    if isinstance(new, RoleAssignment):
        return f"The principal has the role {new.display_name!r} there already."
    return f"{article} {new.noun} named {new.display_name!r} exists already{where.get(new.noun, '')}."
