"""Who asks. The one value from which routes and decisions learn it; `shared.web.caller` gets it from a request."""

from dataclasses import dataclass

from shared.security.permissions import BY_ITSELF, DELEGATED, GLOBAL_ADMINISTRATOR, suffices


@dataclass(frozen=True)
class Caller:
    """A person who is signed in, an application that calls by itself, or the local operator.

    What a person may do is what `scopes` (what they let the application do), their directory roles and their roles in a
    service allow together; what an application may do is in `app_roles`. Names are Graph's, directory roles go by
    display name. A service adds what it knows itself: catalog roles, being an approver, being a manager.
    """

    actor: str
    """As the trail names it: 'person:<id>', 'app:<id>', 'file:<name>', 'system:api'."""
    person_id: str | None = None
    """The person who is signed in, by the id that Tenure's directory gave. None: no person asks."""
    user_principal_name: str | None = None
    """Of that person, if the token tells: for messages. `person_id` is who it is."""
    app_id: str | None = None
    """The application that sent the request; the caller itself if no person is signed in."""
    scopes: frozenset[str] = frozenset()
    """Delegated permissions; empty unless a person is signed in, or the operator asks."""
    app_roles: frozenset[str] = frozenset()
    """Application permissions; empty if a person is signed in."""
    directory_roles: frozenset[str] = frozenset()
    is_operator: bool = False
    """Nobody is signed in and this machine's operator asks: all rights, no person."""

    @property
    def is_person(self) -> bool:
        """Whether a person is signed in: Graph's delegated call, for which `/me` and filterByCurrentUser mean one."""
        return self.person_id is not None

    def permits(self, permission: str) -> bool:
        """Whether the call carries the permission, delegated or of the application. Necessary, seldom sufficient."""
        return suffices(self.scopes | self.app_roles, permission)

    def has_role(self, *names: str) -> bool:
        """Whether one of these directory roles is held; Global Administrator suffices for each."""
        return not self.directory_roles.isdisjoint({GLOBAL_ADMINISTRATOR, *names})


NOBODY = Caller("system:nobody")
"""Who reads what anybody may read."""


def operator(actor: str) -> Caller:
    """Whoever sits at this machine: everything is allowed, and `actor` stands in the trail."""
    roles = frozenset({GLOBAL_ADMINISTRATOR})
    return Caller(actor, scopes=DELEGATED, app_roles=BY_ITSELF, directory_roles=roles, is_operator=True)


def ordinary_person(id: str, *, roles: frozenset[str] = frozenset(), upn: str | None = None) -> Caller:
    """A person who is signed in and lets the application do everything they may do themselves."""
    return Caller(f"person:{id}", person_id=id, user_principal_name=upn, scopes=DELEGATED, directory_roles=roles)
