"""Who may do what: what an operation asks for, what a caller has, and what follows. Pure, and the only place.

Which operation has which rule stands in `operations`. Nothing is allowed unless a rule says so; a role for one catalog
counts for that catalog alone, compared by its id. Source: reference/graph-api-operations.md 0, security.md 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.security.caller import Caller
from shared.security.permissions import GLOBAL_ADMINISTRATOR
from shared.security.roles import CatalogRole


@dataclass(frozen=True, slots=True)
class Rule:
    """What an operation asks for.

    A person needs one of the permissions (what they let the application do) and one of the roles. An application that
    calls by itself needs a permission or a role. Global Administrator suffices as a role wherever one does.
    """

    permissions: tuple[str, ...] = ()
    """Any of them; empty: no application is let in by a permission, and none is asked of a person."""
    roles: frozenset[str] | None = frozenset()
    """Directory roles that suffice. None: every person who is signed in."""
    catalog: frozenset[CatalogRole] = frozenset()
    """Roles that suffice at the catalogs for which they are held."""
    lets_in: frozenset[CatalogRole] = frozenset()
    """Roles that allow to ask, and show nothing by themselves."""
    own: tuple[str, ...] | None = None
    """Everybody may do it to what is theirs, which the service knows, with one of these permissions or of the above.
    None: nobody."""
    by_link: bool = False
    """Whoever asks is let in, signed in or not: the link brings a secret, which the service knows."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the directory and catalog say a caller holds, beside what the token says."""

    directory: frozenset[str] = frozenset()
    """Names of directory roles."""
    everywhere: frozenset[CatalogRole] = frozenset()
    """Roles for all catalogs."""
    at: Mapping[CatalogRole, frozenset[str]] = field(default_factory=dict)
    """Role -> ids of the catalogs for which it is held."""
    owns: frozenset[str] = frozenset()
    """What the caller owns, as '<origin system>/<id>'."""


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an operation is open to a caller."""

    caller: Caller
    held: Held
    everywhere: bool
    """No catalog is out of bounds."""
    catalogs: frozenset[str] = frozenset()
    """Else these are within."""
    only_own: bool = False
    """Nothing but what is the caller's own is within."""

    def at(self, catalog_id: str | None) -> bool:
        """Whether that catalog is within. None, a catalog that is not known, is within for those of no bounds."""
        return self.everywhere or catalog_id in self.catalogs

    def scope(self, path: str) -> dict[str, Any]:
        """A filter for lists, on the field that holds the catalog's id. Where nothing is within, it finds nothing."""
        return {} if self.everywhere else {path: {"$in": sorted(self.catalogs)}}

    def has_role(self, *names: str) -> bool:
        """Whether one of these directory roles is held; Global Administrator suffices for each."""
        return not (self.caller.directory_roles | self.held.directory).isdisjoint({GLOBAL_ADMINISTRATOR, *names})

    def meets(self, rule: Rule) -> bool:
        """Whether the caller meets another rule, too, without bounds."""
        other = standing(rule, self.caller, self.held)
        return other is not None and other.everywhere


def standing(rule: Rule, caller: Caller, held: Held) -> Standing | None:
    """How far the operation is open; None: not at all."""
    if caller.is_operator or rule.by_link:
        return Standing(caller, held, everywhere=True)
    if not caller.is_person and caller.app_id is None:
        return None
    asks_for_nothing = not rule.permissions and rule.own is None
    permitted = asks_for_nothing or any(map(caller.permits, rule.permissions))
    if permitted and (rule.roles is None or not (caller.is_person or asks_for_nothing)):
        return Standing(caller, held, everywhere=True)
    # An application may hold the role instead of the permission.
    found = _by_role(rule, caller, held) if permitted or not caller.is_person else None
    if found is None and rule.own is not None and caller.is_person:
        allowed = any(map(caller.permits, (*rule.own, *rule.permissions)))
        return Standing(caller, held, everywhere=False, only_own=True) if allowed else None
    return found


def _by_role(rule: Rule, caller: Caller, held: Held) -> Standing | None:
    roles = caller.directory_roles | held.directory
    if not roles.isdisjoint({GLOBAL_ADMINISTRATOR, *(rule.roles or ())}) or held.everywhere & rule.catalog:
        return Standing(caller, held, everywhere=True)
    catalogs = frozenset[str]().union(*(held.at.get(role, frozenset()) for role in rule.catalog))
    if catalogs or held.everywhere & rule.lets_in:
        return Standing(caller, held, everywhere=False, catalogs=catalogs)
    return None
