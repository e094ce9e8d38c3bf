"""Who may see and change everybody's access, by permission and directory role. A service adds what it knows itself:
being a requestor, an approver, a manager."""

from __future__ import annotations

from shared.security.caller import Caller

ADMINISTRATORS = ("Identity Governance Administrator",)
READERS = (
    *ADMINISTRATORS,
    "Global Reader",
    "Security Reader",
    "Security Administrator",
    "Compliance Administrator",
)


def may_administer(caller: Caller) -> bool:
    """Whether the caller may assign and remove for others, and cancel what others asked for."""
    return _may(caller, "EntitlementManagement.ReadWrite.All", ADMINISTRATORS)


def may_read(caller: Caller) -> bool:
    """Whether the caller may see everybody's requests."""
    return _may(caller, "EntitlementManagement.Read.All", READERS)


def _may(caller: Caller, permission: str, roles: tuple[str, ...]) -> bool:
    return caller.permits(permission) and (not caller.is_person or caller.has_role(*roles))
