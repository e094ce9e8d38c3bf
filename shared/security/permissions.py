"""Permissions and directory roles by the names that Graph gives them.

A delegated permission is what a person lets an application do for them (`scp` in the token); an application permission
is what an application may do by itself (`roles`). Source: reference/graph-api-operations.md, the columns D and A.
"""

PAIRS: frozenset[str] = frozenset(
    {
        "AccessReview.Read.All",
        "Application.Read.All",
        "Directory.Read.All",
        "EntitlementManagement.Read.All",
        "Group.Read.All",
        "GroupMember.Read.All",
        "RoleManagement.Read.Directory",
        "User.Read.All",
    }
)
"""Those that come in two strengths: `.ReadWrite.` suffices wherever `.Read.` does."""

BY_ITSELF: frozenset[str] = frozenset(
    PAIRS
    | {name.replace(".Read.", ".ReadWrite.") for name in PAIRS}
    | {
        "AuditLog.Read.All",
        "Group.Create",
        "Group.ReadBasic.All",
        "GroupMember.ReadBasic.All",
        "SynchronizationData-User.Upload",
        "User.DeleteRestore.All",
        "User.Invite.All",
        "User.ReadBasic.All",
        "User-LifeCycleInfo.ReadWrite.All",
    }
)
"""Permissions an application can be given."""

DELEGATED: frozenset[str] = frozenset(BY_ITSELF | {"EntitlementMgmt-SubjectAccess.ReadWrite", "User.Read"})
"""Permissions a person can delegate."""

GLOBAL_ADMINISTRATOR = "Global Administrator"
DIRECTORY_ROLES: dict[str, str] = {
    # Template ids are the same in every tenant; a token names roles by them (`wids`).
    GLOBAL_ADMINISTRATOR: "62e90394-69f5-4237-9190-012177145e10",
    "Global Reader": "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    "Identity Governance Administrator": "45d8d3c5-c802-45c6-b32a-1d70b5e1e86e",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "Security Administrator": "194ae4cb-b126-40b2-bd5b-6091b380977d",
    "Security Reader": "5d6b6bb7-de71-4623-b4af-96380a352509",
    "Compliance Administrator": "17315797-102d-40b4-93e0-432062caca18",
    "User Administrator": "fe930be7-5e62-47db-91af-98c3a49a38b1",
    "Groups Administrator": "fdd7a751-b60b-444a-984c-02652fe8fa1c",
    "Intune Administrator": "3a2c62db-5318-420d-8d74-23affee5d9d5",
    "Application Administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "Cloud Application Administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "Exchange Administrator": "29232cdf-9323-42fd-ade2-1d097af3e4de",
    "SharePoint Administrator": "f28a1f50-f6e7-4571-818b-6a12f2af6b6c",
    "Guest Inviter": "95e79109-95c0-4d8e-aee3-d01accf2d47b",
}
"""Directory roles that mean something here, display name -> template id."""

NAMES_OF_ROLES: dict[str, str] = {id: name for name, id in DIRECTORY_ROLES.items()}
"""Template id -> display name."""


def directory_role(text: str) -> str | None:
    """The display name of a directory role that is said by name (in any case) or by template id; None if unknown."""
    wanted = text.strip().lower()
    return NAMES_OF_ROLES.get(wanted) or next((name for name in DIRECTORY_ROLES if name.lower() == wanted), None)


def suffices(held: frozenset[str], needed: str) -> bool:
    """Whether one of `held` is `needed` or its stronger twin."""
    return needed in held or (".Read." in needed and needed.replace(".Read.", ".ReadWrite.") in held)
