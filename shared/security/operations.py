"""The table of operations and their rules. An operation that does not stand here is open to Global Administrators only,
and a test says so. What `shared.web.navigation` answers behind one (`/$count`, a relation, a property) is read by that
operation, and so follows its rule. Source: reference/graph-api-operations.md, the columns of permissions and role sets.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.security.authority import Rule
from shared.security.roles import CatalogRole

EM = "/v1.0/identityGovernance/entitlementManagement"
AR = "/v1.0/identityGovernance/accessReviews"
RM = "/v1.0/roleManagement"
TENURE = "/v1.0/tenure"

IGA = "Identity Governance Administrator"
_READERS = frozenset({IGA, "Global Reader", "Security Reader", "Security Administrator", "Compliance Administrator"})
_IGA = frozenset({IGA})
_USERS = frozenset({"User Administrator"})
_GROUPS = frozenset({"Groups Administrator", "User Administrator"})
_APPLICATIONS = frozenset({"Application Administrator", "Cloud Application Administrator"})
_SITES = frozenset({"SharePoint Administrator"})
_EM_READ, _EM_WRITE = ("EntitlementManagement.Read.All",), ("EntitlementManagement.ReadWrite.All",)
_SELF = ("EntitlementMgmt-SubjectAccess.ReadWrite",)
_ROLES = ("RoleManagement.ReadWrite.Directory",)

_OWNERS = frozenset({CatalogRole.OWNER})
_MANAGERS = _OWNERS | {CatalogRole.PACKAGE_MANAGER}
_ASSIGNERS = _MANAGERS | {CatalogRole.ASSIGNMENT_MANAGER}
_VIEWERS = _ASSIGNERS | {CatalogRole.READER}
_CREATORS = frozenset({CatalogRole.CREATOR})

# Entitlement management: the role sets of the reference
READ = Rule(_EM_READ, _READERS, _VIEWERS, lets_in=_CREATORS)
PACKAGES = Rule(_EM_WRITE, _IGA, _MANAGERS)
ASSIGNMENTS = Rule(_EM_WRITE, _IGA, _ASSIGNERS)
OWNERS = Rule(_EM_WRITE, _IGA, _OWNERS)
ADMINISTER = Rule(_EM_WRITE, _IGA)
"""Of the whole tenant: automatic policies, too (AUT-1)."""
ORGANIZATIONS_READ = Rule(_EM_READ, _IGA | {"Global Reader"})
"""The documents name the administrator alone; a Global Reader reads everything."""
CREATE_CATALOGS = Rule(_EM_WRITE, _IGA, _CREATORS)
READ_ALL = Rule(_EM_READ, _READERS)
MINE = Rule(roles=frozenset(), own=(*_SELF, *_EM_READ))
"""Of a person who is signed in, whatever their roles."""
MINE_TO_DECIDE = Rule(roles=frozenset(), own=(*_SELF, *_EM_WRITE))
MINE_OR_READ = Rule(_EM_READ, _READERS, _VIEWERS, own=_SELF)
MINE_OR_READ_ALL = Rule(_EM_READ, _READERS, own=_SELF)
MINE_OR_ASSIGN = Rule(_EM_WRITE, _IGA, _ASSIGNERS, own=_SELF)
ROLES_READ = Rule((*_EM_READ, "RoleManagement.Read.Directory"), _READERS, _VIEWERS, lets_in=_CREATORS)
ROLES_GIVE = Rule((*_EM_WRITE, *_ROLES), _IGA, _OWNERS)
ROLES_GIVE_ALL = Rule((*_EM_WRITE, *_ROLES), _IGA)

# The directory, which everybody who is signed in may read
_DIRECTORY_READ = "Directory.Read.All"
"""Of users, groups, applications and roles alike."""
USERS_READ = Rule(("User.ReadBasic.All", "User.Read.All", _DIRECTORY_READ), None, own=("User.Read",))
"""With the first of them no more than their names and addresses, which the service knows."""
USERS_READ_ALL = Rule(("User.Read.All", _DIRECTORY_READ), None)
"""Of what shows everybody at once."""
USERS_RELATED = Rule(("User.Read.All", _DIRECTORY_READ), None, own=("User.Read",))
USERS_WRITE = Rule(("User.ReadWrite.All",), _USERS)
INVITE = Rule(("User.Invite.All", "User.ReadWrite.All"), _USERS | {"Guest Inviter"})
USERS_DELETE = Rule(("User.ReadWrite.All", "User.DeleteRestore.All"), _USERS)
USERS_DELETED = Rule(("User.Read.All", _DIRECTORY_READ), _USERS | _READERS)
PEOPLE_READ = Rule(("User.Read.All",), _USERS | _READERS, own=("User.Read",))
PEOPLE_HOLD = Rule(("User.ReadWrite.All",), _USERS | _IGA)
GROUPS_READ = Rule(("Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", _DIRECTORY_READ), None)
MEMBERS_READ = Rule(("GroupMember.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", _DIRECTORY_READ), None)
GROUPS_MAKE = Rule(("Group.ReadWrite.All", "Group.Create"), _GROUPS)
GROUPS_WRITE = Rule(("Group.ReadWrite.All",), _GROUPS, own=())
"""Owners of a group write it, too."""
MEMBERS_WRITE = Rule(("GroupMember.ReadWrite.All", "Group.ReadWrite.All"), _GROUPS, own=())
OBJECTS_READ = Rule((_DIRECTORY_READ,), None)
APPLICATIONS_READ = Rule(("Application.Read.All", _DIRECTORY_READ), None)
APPLICATIONS_WRITE = Rule(("Application.ReadWrite.All",), _APPLICATIONS)
SITES_READ = Rule((_DIRECTORY_READ,), None)
SITES_WRITE = Rule(("Directory.ReadWrite.All",), _SITES)
DIRECTORY_ROLES_READ = Rule(("RoleManagement.Read.Directory", _DIRECTORY_READ), None)
DIRECTORY_ROLES_WRITE = Rule(_ROLES, frozenset({"Privileged Role Administrator"}))

# Access reviews
_REVIEW_WRITERS = frozenset({IGA, "User Administrator", "Privileged Role Administrator"})
_REVIEW_READERS = _REVIEW_WRITERS | {"Global Reader", "Security Reader", "Security Administrator"}
_AR_READ, _AR_WRITE = ("AccessReview.Read.All",), ("AccessReview.ReadWrite.All",)
REVIEWS_READ = Rule(_AR_READ, _REVIEW_READERS, _MANAGERS, own=())
"""Whoever made a review, or reviews something in it, reads that; who keeps a catalog, the reviews of its packages."""
ROLE_REVIEWS_READ = Rule(_AR_READ, _REVIEW_READERS - _USERS)
"""Of reviews of directory roles, whatever else the caller may read."""
REVIEWS_MINE = Rule(roles=frozenset(), own=_AR_READ)
REVIEWS_WRITE = Rule(_AR_WRITE, _REVIEW_WRITERS, _MANAGERS)
"""Of packages also those who keep their catalog (REV-1)."""
REVIEWS_DECIDE = Rule(roles=frozenset(), own=_AR_WRITE)
"""A reviewer decides, whatever their roles."""
REVIEWS_READ_ALL = Rule(_AR_READ, _REVIEW_READERS | _READERS)
REVIEWS_HISTORY = Rule(_AR_WRITE, _REVIEW_READERS)
"""Of one's own making; Global Administrators and Readers see all."""

# Tenure's own
RUN_READ = Rule(_EM_READ, _READERS)
RUN_WRITE = Rule(_EM_WRITE, _IGA)
GLOBAL_ONLY = Rule()
ANYBODY = Rule(roles=None)
BY_LINK = Rule(by_link=True)


def _stands_for(path: str, table: Iterable[tuple[Rule, str]]) -> Iterable[tuple[str, Rule]]:
    for rule, lines in table:
        for line in filter(None, map(str.strip, lines.splitlines())):
            methods, _, rest = line.partition(" ")
            for method in methods.split(","):
                yield f"{method} {path}{rest.strip()}", rule


_ENTITLEMENT = (
    (
        READ,
        """
        GET
        GET /catalogs
        GET /catalogs/{id}
        GET /catalogs/{id}/accessPackages
        GET /catalogs/{id}/resources
        GET /catalogs/{id}/resources/{resource}
        GET /catalogs/{id}/resources/{resource}/roles
        GET /catalogs/{id}/resources/{resource}/scopes
        GET /catalogs/{id}/resourceRoles
        GET /catalogs/{id}/resourceScopes
        GET /catalogs/{id}/customWorkflowExtensions
        GET /catalogs/{id}/customWorkflowExtensions/{extension}
        GET /resources
        GET /resources/{id}
        GET /resources/{resource}/roles
        GET /resources/{resource}/scopes
        GET /resourceRequests
        GET /resourceRequests/{id}
        GET /resourceEnvironments
        GET /resourceRoleScopes
        GET /accessPackages
        GET /accessPackages/{id}
        GET /accessPackages/{id}/assignmentPolicies
        GET /accessPackages/{id}/resourceRoleScopes
        GET /accessPackages/{id}/incompatibleAccessPackages
        GET /accessPackages/{id}/accessPackagesIncompatibleWith
        GET /accessPackages/{id}/incompatibleGroups
        GET /assignmentPolicies
        GET /assignmentPolicies/{id}
        GET /assignmentRequests
        GET /assignments
        GET /assignments/{id}
        GET /subjects
        GET /subjects/{id}
        GET /subjects(objectId='{id}')
        GET /settings
        GET /controlConfigurations
        GET /controlConfigurations/{id}
        GET /assignments/additionalAccess(accessPackageId='{a}',incompatibleAccessPackageId='{b}')
        GET /assignments/additionalAccess(accessPackageId='{a}')
        """,
    ),
    (CREATE_CATALOGS, "POST /catalogs"),
    (
        ORGANIZATIONS_READ,
        """
        GET /connectedOrganizations
        GET /connectedOrganizations/{id}
        GET /connectedOrganizations/{id}/internalSponsors
        GET /connectedOrganizations/{id}/externalSponsors
        """,
    ),
    (
        ADMINISTER,
        """
        PATCH /settings
        PATCH /controlConfigurations/{id}
        POST /connectedOrganizations
        PATCH,DELETE /connectedOrganizations/{id}
        POST /connectedOrganizations/{id}/internalSponsors/$ref
        POST /connectedOrganizations/{id}/externalSponsors/$ref
        DELETE /connectedOrganizations/{id}/internalSponsors/{sponsor}/$ref
        DELETE /connectedOrganizations/{id}/externalSponsors/{sponsor}/$ref
        """,
    ),
    (
        OWNERS,
        """
        PATCH,DELETE /catalogs/{id}
        POST /catalogs/{id}/customWorkflowExtensions
        PUT,DELETE /catalogs/{id}/customWorkflowExtensions/{extension}
        POST /resourceRequests
        PATCH /subjects(objectId='{id}')
        """,
    ),
    (
        PACKAGES,
        """
        POST /accessPackages
        PATCH,DELETE /accessPackages/{id}
        POST /accessPackages/{id}/resourceRoleScopes
        DELETE /accessPackages/{id}/resourceRoleScopes/{role_scope}
        POST /accessPackages/{id}/incompatibleAccessPackages/$ref
        DELETE /accessPackages/{id}/incompatibleAccessPackages/{other}/$ref
        POST /accessPackages/{id}/incompatibleGroups/$ref
        DELETE /accessPackages/{id}/incompatibleGroups/{group}/$ref
        POST /assignmentPolicies
        PUT,DELETE /assignmentPolicies/{id}
        POST /catalogs/{id}/resources/{resource}/refresh
        POST /accessPackageCatalogs/{id}/accessPackageResources/{resource}/refresh
        """,
    ),
    (MINE_OR_READ, "GET /assignmentRequests/{id}"),
    (MINE_OR_ASSIGN, "POST /assignmentRequests\nPOST /assignmentRequests/{id}/cancel"),
    (
        ASSIGNMENTS,
        """
        DELETE /assignmentRequests/{id}
        POST /assignmentRequests/{id}/reprocess
        POST /assignmentRequests/{id}/resume
        POST /assignments/{id}/reprocess
        PATCH,DELETE /assignments/{id}
        """,
    ),
    (
        MINE,
        """
        GET /assignmentRequests/filterByCurrentUser(on='{on}')
        GET /accessPackages/filterByCurrentUser(on='{on}')
        GET /accessPackageSuggestions
        GET /accessPackageSuggestions/filterByCurrentUser(on='{on}')
        GET /availableAccessPackages
        GET /availableAccessPackages/{id}
        GET /availableAccessPackages/{id}/resourceRoleScopes
        POST /accessPackages/{id}/getApplicablePolicyRequirements
        GET /assignments/filterByCurrentUser(on='{on}')
        GET /accessPackageAssignmentApprovals/filterByCurrentUser(on='{on}')
        """,
    ),
    (MINE_TO_DECIDE, "PATCH /accessPackageAssignmentApprovals/{id}/stages/{stage_id}"),
    (
        MINE_OR_READ_ALL,
        """
        GET /accessPackageAssignmentApprovals
        GET /accessPackageAssignmentApprovals/{id}
        GET /accessPackageAssignmentApprovals/{id}/stages
        GET /accessPackageAssignmentApprovals/{id}/stages/{stage_id}
        """,
    ),
)

_DIRECTORY = (
    (USERS_READ, "GET /users\nGET /users/$count\nGET /users/{id}"),
    (
        USERS_RELATED,
        """
        GET /users/{id}/manager
        GET /users/{id}/directReports
        GET /users/{id}/directReports/microsoft.graph.user
        GET /users/{id}/sponsors
        GET /users/{id}/memberOf
        GET /users/{id}/memberOf/microsoft.graph.group
        GET /users/{id}/transitiveMemberOf
        GET /users/{id}/transitiveMemberOf/microsoft.graph.group
        GET /users/{id}/ownedObjects
        POST /users/{id}/getMemberGroups
        POST /users/{id}/getMemberObjects
        POST /users/{id}/checkMemberGroups
        POST /users/{id}/checkMemberObjects
        """,
    ),
    (
        USERS_WRITE,
        "POST /users\nPATCH /users/{id}\nPUT,DELETE /users/{id}/manager/$ref\n"
        "POST /users/{id}/sponsors/$ref\nDELETE /users/{id}/sponsors/{sponsor}/$ref",
    ),
    (INVITE, "POST /invitations"),
    (
        USERS_DELETE,
        "DELETE /users/{id}\nPOST /directory/deletedItems/{id}/restore\nDELETE /directory/deletedItems/{id}",
    ),
    (USERS_DELETED, "GET /directory/deletedItems/microsoft.graph.user\nGET /directory/deletedItems/{id}"),
    (GROUPS_READ, "GET /directory/deletedItems/microsoft.graph.group"),
    (USERS_READ_ALL, "GET /users/delta"),
    (GROUPS_READ, "GET /groups\nGET /groups/{id}\nGET /groups/{id}/owners\nGET /groups(uniqueName='{name}')"),
    (
        MEMBERS_READ,
        """
        GET /groups/delta
        GET /groups/{id}/members
        GET /groups/{id}/members/$count
        GET /groups/{id}/members/microsoft.graph.user
        GET /groups/{id}/members/microsoft.graph.group
        GET /groups/{id}/memberOf
        GET /groups/{id}/memberOf/microsoft.graph.group
        GET /groups/{id}/transitiveMemberOf
        GET /groups/{id}/transitiveMemberOf/microsoft.graph.group
        GET /groups/{id}/transitiveMembers/microsoft.graph.group
        POST /groups/{id}/validateProperties
        POST /groups/{id}/getMemberGroups
        POST /groups/{id}/getMemberObjects
        POST /groups/{id}/checkMemberGroups
        POST /groups/{id}/checkMemberObjects
        GET /groups/{id}/transitiveMembers
        GET /groups/{id}/transitiveMembers/microsoft.graph.user
        """,
    ),
    (GROUPS_MAKE, "POST /groups"),
    (
        GROUPS_WRITE,
        """
        PATCH,DELETE /groups/{id}
        PATCH,DELETE /groups(uniqueName='{name}')
        POST /groups/{id}/owners/$ref
        DELETE /groups/{id}/owners/{person_id}/$ref
        DELETE /directoryObjects/{id}
        """,
    ),
    (MEMBERS_WRITE, "POST /groups/{id}/members/$ref\nDELETE /groups/{id}/members/{person_id}/$ref"),
    (
        OBJECTS_READ,
        """
        GET /directoryObjects/{id}
        POST /directoryObjects/getByIds
        POST /directoryObjects/validateProperties
        POST /directoryObjects/{id}/getMemberGroups
        POST /directoryObjects/{id}/getMemberObjects
        POST /directoryObjects/{id}/checkMemberGroups
        POST /directoryObjects/{id}/checkMemberObjects
        POST /servicePrincipals/{id}/getMemberGroups
        POST /servicePrincipals/{id}/getMemberObjects
        POST /servicePrincipals/{id}/checkMemberGroups
        POST /servicePrincipals/{id}/checkMemberObjects
        """,
    ),
    (
        APPLICATIONS_READ,
        """
        GET /applications
        GET /applications/{id}
        GET /applications/{id}/owners
        GET /servicePrincipals
        GET /servicePrincipals/{id}
        GET /servicePrincipals/{id}/owners
        GET /servicePrincipals/{id}/appRoleAssignedTo
        GET /servicePrincipals/{id}/appRoleAssignedTo/{assignment}
        GET /users/{id}/appRoleAssignments
        GET /users/{id}/appRoleAssignments/{assignment}
        """,
    ),
    (
        APPLICATIONS_WRITE,
        """
        POST /applications
        PATCH,DELETE /applications/{id}
        POST /applications/{id}/owners/$ref
        DELETE /applications/{id}/owners/{person_id}/$ref
        POST /servicePrincipals
        PATCH,DELETE /servicePrincipals/{id}
        POST /servicePrincipals/{id}/owners/$ref
        DELETE /servicePrincipals/{id}/owners/{person_id}/$ref
        POST /servicePrincipals/{id}/appRoleAssignedTo
        DELETE /servicePrincipals/{id}/appRoleAssignedTo/{assignment}
        POST /users/{id}/appRoleAssignments
        DELETE /users/{id}/appRoleAssignments/{assignment}
        """,
    ),
    (SITES_READ, "GET /sites\nGET /sites/{id}\nGET /tenure/sites/{id}/roles\nGET /tenure/sites/{id}/assignments"),
    (
        SITES_WRITE,
        """
        POST /tenure/sites
        PATCH,DELETE /tenure/sites/{id}
        POST /tenure/sites/{id}/assignments
        DELETE /tenure/sites/{id}/assignments/{assignment}
        """,
    ),
    (
        DIRECTORY_ROLES_READ,
        """
        GET /roleManagement/directory/roleDefinitions
        GET /roleManagement/directory/roleDefinitions/{id}
        GET /roleManagement/directory/roleAssignments
        GET /roleManagement/directory/roleAssignments/{id}
        """,
    ),
    (
        DIRECTORY_ROLES_WRITE,
        """
        POST /roleManagement/directory/roleDefinitions
        PATCH,DELETE /roleManagement/directory/roleDefinitions/{id}
        POST /roleManagement/directory/roleAssignments
        DELETE /roleManagement/directory/roleAssignments/{id}
        """,
    ),
    (
        ROLES_READ,
        """
        GET /roleManagement/entitlementManagement
        GET /roleManagement/entitlementManagement/roleDefinitions
        GET /roleManagement/entitlementManagement/roleDefinitions/{id}
        GET /roleManagement/entitlementManagement/roleAssignments
        GET /roleManagement/entitlementManagement/roleAssignments/{id}
        """,
    ),
    (
        ROLES_GIVE,
        """
        POST /roleManagement/entitlementManagement/roleAssignments
        DELETE /roleManagement/entitlementManagement/roleAssignments/{id}
        """,
    ),
)

_REVIEWS = (
    (
        REVIEWS_READ,
        """
        GET
        GET /definitions
        GET /definitions/{id}
        GET /definitions/{id}/instances
        GET /definitions/{id}/instances/{instance_id}
        GET /definitions/{id}/instances/{instance_id}/contactedReviewers
        GET /definitions/{id}/instances/{instance_id}/decisions
        GET /definitions/{id}/instances/{instance_id}/decisions/{item_id}
        GET /definitions/{id}/instances/{instance_id}/stages
        GET /definitions/{id}/instances/{instance_id}/stages/{stage_id}
        GET /definitions/{id}/instances/{instance_id}/stages/{stage_id}/decisions
        GET /definitions/{id}/instances/{instance_id}/stages/{stage_id}/decisions/{item_id}
        """,
    ),
    (
        REVIEWS_MINE,
        """
        GET /definitions/filterByCurrentUser(on='{on}')
        GET /definitions/{id}/instances/filterByCurrentUser(on='{on}')
        GET /definitions/{id}/instances/{instance_id}/decisions/filterByCurrentUser(on='{on}')
        GET /definitions/{id}/instances/{instance_id}/stages/filterByCurrentUser(on='{on}')
        GET /definitions/{id}/instances/{instance_id}/stages/{stage_id}/decisions/filterByCurrentUser(on='{on}')
        """,
    ),
    (
        REVIEWS_WRITE,
        """
        POST /definitions
        PUT,DELETE /definitions/{id}
        POST /definitions/{id}/stop
        PATCH,PUT /definitions/{id}/instances/{instance_id}
        POST /definitions/{id}/instances/{instance_id}/stop
        POST /definitions/{id}/instances/{instance_id}/sendReminder
        POST /definitions/{id}/instances/{instance_id}/resetDecisions
        POST /definitions/{id}/instances/{instance_id}/applyDecisions
        PATCH /definitions/{id}/instances/{instance_id}/stages/{stage_id}
        POST /definitions/{id}/instances/{instance_id}/stages/{stage_id}/stop
        """,
    ),
    (
        REVIEWS_DECIDE,
        """
        PATCH /definitions/{id}/instances/{instance_id}/decisions/{item_id}
        PATCH /definitions/{id}/instances/{instance_id}/stages/{stage_id}/decisions/{item_id}
        POST /definitions/{id}/instances/{instance_id}/batchRecordDecisions
        POST /definitions/{id}/instances/{instance_id}/acceptRecommendations
        """,
    ),
    (
        REVIEWS_HISTORY,
        """
        GET,POST /historyDefinitions
        GET /historyDefinitions/{id}
        GET /historyDefinitions/{id}/instances
        POST /historyDefinitions/{id}/instances/{instance_id}/generateDownloadUri
        """,
    ),
)

_OWN = (
    (PEOPLE_READ, "GET /people\nGET /people/{id}\nGET /identities\nGET /sources"),
    (
        PEOPLE_HOLD,
        """
        POST /people/{id}/suspend
        POST /people/{id}/return
        POST /identities:link
        POST /identities:keepApart
        """,
    ),
    (USERS_WRITE, "POST /signIns"),
    (READ, "GET /populations\nGET /populations/{id}\nGET /packages/{id}/holders"),
    (ADMINISTER, "POST /populations\nPATCH,DELETE /populations/{id}\nPOST /catalog:apply"),
    (ASSIGNMENTS, "POST /assignments\nDELETE /assignments/{id}"),
    (READ_ALL, "GET /exclusions"),
    (
        REVIEWS_READ_ALL,
        """
        GET /exceptions
        GET /reviewCoverage
        GET /reviewEvidence/{instance_id}
        GET /reviewEvidence/{instance_id}/page
        """,
    ),
    (ADMINISTER, "DELETE /exclusions/{person_id}/{package_id}"),
    (
        MINE_OR_READ_ALL,
        "GET /people/{id}/access\nGET /people/{person_id}/deliveries\nGET /notifications",
    ),
    (
        RUN_READ,
        """
        GET /status
        GET /ruleJobs
        GET /reconciliation
        GET /notifications/summary
        GET /audit/verify
        GET /audit/export
        GET /audit/key
        GET /explain
        GET /access
        """,
    ),
    (RUN_WRITE, "POST /reconciliation/repair\nPOST /audit/seal"),
    (GLOBAL_ONLY, "POST /audit/people/{person_id}/erase\nPOST /audit/newLog\nPOST /clock"),
    (ANYBODY, "GET /clock"),
    (BY_LINK, "GET /reviewHistory/{id}/{instance_id}"),
)

RULES: dict[str, Rule] = {
    **dict(_stands_for(EM, _ENTITLEMENT)),
    **dict(_stands_for("/v1.0", _DIRECTORY)),
    **dict(_stands_for(AR, _REVIEWS)),
    **dict(_stands_for(TENURE, _OWN)),
    "POST /v1.0/$batch": ANYBODY,  # each part is asked for itself
}
"""'<METHOD> <path as declared>' -> rule."""


def rule_of(method: str, path: str) -> Rule:
    """The rule of a declared route; without one, nobody but a Global Administrator gets in."""
    return RULES.get(f"{method} {path}", GLOBAL_ONLY)
