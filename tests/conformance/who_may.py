"""Who may do what within entitlement management, as the documents say it; written down once more, by hand and apart
from the rules that the services follow. Every operation stands here. Sources: graph-api-operations.md 0 and 2 (role
sets), entra-features.md 2 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from shared.security.operations import EM, RM, TENURE

AT_ROLES = f"{RM}/entitlementManagement"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


class Answer(Enum):
    """What becomes of a call."""

    DONE = "let in"
    TRIMMED = "let in, and shown what lies in one's own catalogs alone"
    NO = "refused"


@dataclass(frozen=True)
class May:
    """Who may, of those with a role for a catalog in that catalog, and of the others anywhere."""

    there: frozenset[str]
    anywhere: frozenset[str]
    is_list: bool = False
    """Of what lies in many catalogs: whoever may in one is answered, and sees no other."""
    by_package: bool = False
    """A list that those with roles for catalogs have to ask for by one package (ROL-3)."""

    def answer(self, who: str, *, in_own: bool) -> Answer:
        if who in self.anywhere:
            return Answer.DONE
        if who in self.there and (in_own or self.is_list):
            return Answer.TRIMMED if self.is_list else Answer.DONE
        return Answer.NO


OWNER, PACKAGES, ASSIGNMENTS, READER = "owner", "packages", "assignments", "reader"
CREATOR, NOBODY = "creator", "nobody"
GLOBAL, GOVERNANCE, GLOBAL_READER = "Global Administrator", "Identity Governance Administrator", "Global Reader"
AT_CATALOGS = (OWNER, PACKAGES, ASSIGNMENTS, READER)
BY_DIRECTORY_ROLE = (GLOBAL, GOVERNANCE, GLOBAL_READER)
EVERYBODY = (*AT_CATALOGS, CREATOR, NOBODY, *BY_DIRECTORY_ROLE)

_WRITE = frozenset({GLOBAL, GOVERNANCE})
_READ = _WRITE | {GLOBAL_READER}
SEE = May(frozenset(AT_CATALOGS), _READ)
SEE_BY_PACKAGE = May(frozenset(AT_CATALOGS), _READ, by_package=True)
LIST = May(frozenset({*AT_CATALOGS, CREATOR}), _READ, is_list=True)
SEE_ANYHOW = May(frozenset(), _READ | {*AT_CATALOGS, CREATOR})
"""It lies in no catalog: whoever has to do with any may see it."""
KEEP_PACKAGES = May(frozenset({OWNER, PACKAGES}), _WRITE)
ASSIGN = May(frozenset({OWNER, PACKAGES, ASSIGNMENTS}), _WRITE)
OWN = May(frozenset({OWNER}), _WRITE)
OWN_ANY = May(frozenset(), _WRITE | {OWNER})
"""It lies in no catalog: the owner of any may."""
CREATE = May(frozenset(), _WRITE | {CREATOR})
ADMINISTER = May(frozenset(), _WRITE)
SEE_ALL = May(frozenset(), _READ)
OWN_ALONE = May(frozenset(), frozenset(EVERYBODY))
"""Of a person who is signed in, for themself: open to everybody, whatever their roles."""
DECIDE = May(frozenset(), frozenset())
"""No role replaces being the approver."""

_EM = {
    LIST: """
        GET /catalogs
        GET /accessPackages
        GET /assignmentPolicies
        GET /resources
        GET /resourceRequests
        GET /resourceRoleScopes
    """,
    SEE: """
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
        GET /resources/{id}
        GET /resources/{resource}/roles
        GET /resources/{resource}/scopes
        GET /resourceRequests/{id}
        GET /accessPackages/{id}
        GET /accessPackages/{id}/assignmentPolicies
        GET /accessPackages/{id}/resourceRoleScopes
        GET /accessPackages/{id}/incompatibleAccessPackages
        GET /accessPackages/{id}/accessPackagesIncompatibleWith
        GET /accessPackages/{id}/incompatibleGroups
        GET /assignmentPolicies/{id}
        GET /assignmentRequests/{id}
        GET /assignments/{id}
        GET /assignments/additionalAccess(accessPackageId='{a}')
        GET /assignments/additionalAccess(accessPackageId='{a}',incompatibleAccessPackageId='{b}')
    """,
    SEE_BY_PACKAGE: "GET /assignmentRequests\nGET /assignments",
    SEE_ANYHOW: """
        GET /settings
        GET /controlConfigurations
        GET /controlConfigurations/{id}
        GET /resourceEnvironments
        GET
        GET /subjects
        GET /subjects/{id}
        GET /subjects(objectId='{id}')
    """,
    OWN_ANY: "PATCH /subjects(objectId='{id}')",
    SEE_ALL: """
        GET /connectedOrganizations
        GET /connectedOrganizations/{id}
        GET /connectedOrganizations/{id}/internalSponsors
        GET /connectedOrganizations/{id}/externalSponsors
        GET /accessPackageAssignmentApprovals/{id}
        GET /accessPackageAssignmentApprovals/{id}/stages
        GET /accessPackageAssignmentApprovals/{id}/stages/{stage_id}
    """,
    CREATE: "POST /catalogs",
    OWN: """
        PATCH /catalogs/{id}
        DELETE /catalogs/{id}
        POST /catalogs/{id}/customWorkflowExtensions
        PUT /catalogs/{id}/customWorkflowExtensions/{extension}
        DELETE /catalogs/{id}/customWorkflowExtensions/{extension}
        POST /resourceRequests
    """,
    KEEP_PACKAGES: """
        POST /accessPackages
        PATCH /accessPackages/{id}
        DELETE /accessPackages/{id}
        POST /accessPackages/{id}/resourceRoleScopes
        DELETE /accessPackages/{id}/resourceRoleScopes/{role_scope}
        POST /accessPackages/{id}/incompatibleAccessPackages/$ref
        DELETE /accessPackages/{id}/incompatibleAccessPackages/{other}/$ref
        POST /accessPackages/{id}/incompatibleGroups/$ref
        DELETE /accessPackages/{id}/incompatibleGroups/{group}/$ref
        POST /assignmentPolicies
        PUT /assignmentPolicies/{id}
        DELETE /assignmentPolicies/{id}
        POST /catalogs/{id}/resources/{resource}/refresh
        POST /accessPackageCatalogs/{id}/accessPackageResources/{resource}/refresh
    """,
    ASSIGN: """
        POST /assignmentRequests
        POST /assignmentRequests/{id}/cancel
        DELETE /assignmentRequests/{id}
        POST /assignmentRequests/{id}/reprocess
        POST /assignmentRequests/{id}/resume
        POST /assignments/{id}/reprocess
    """,
    ADMINISTER: """
        PATCH /settings
        PATCH /controlConfigurations/{id}
        POST /connectedOrganizations
        PATCH /connectedOrganizations/{id}
        DELETE /connectedOrganizations/{id}
        POST /connectedOrganizations/{id}/internalSponsors/$ref
        POST /connectedOrganizations/{id}/externalSponsors/$ref
        DELETE /connectedOrganizations/{id}/internalSponsors/{sponsor}/$ref
        DELETE /connectedOrganizations/{id}/externalSponsors/{sponsor}/$ref
    """,
    OWN_ALONE: """
        GET /assignmentRequests/filterByCurrentUser(on='{on}')
        GET /accessPackages/filterByCurrentUser(on='{on}')
        GET /accessPackageSuggestions
        GET /accessPackageSuggestions/filterByCurrentUser(on='{on}')
        GET /assignments/filterByCurrentUser(on='{on}')
        GET /accessPackageAssignmentApprovals
        GET /accessPackageAssignmentApprovals/filterByCurrentUser(on='{on}')
        GET /availableAccessPackages
        GET /availableAccessPackages/{id}
        GET /availableAccessPackages/{id}/resourceRoleScopes
        POST /accessPackages/{id}/getApplicablePolicyRequirements
    """,
    DECIDE: "PATCH /accessPackageAssignmentApprovals/{id}/stages/{stage_id}",
}
_ROLES = {
    LIST: "GET /roleAssignments",
    SEE: "GET /roleAssignments/{id}",
    SEE_ANYHOW: "GET\nGET /roleDefinitions\nGET /roleDefinitions/{id}",
    OWN: "POST /roleAssignments\nDELETE /roleAssignments/{id}",
}
_OWN = {
    SEE_ANYHOW: "GET /populations\nGET /populations/{id}",
    SEE: "GET /packages/{id}/holders",
    ADMINISTER: """
        POST /populations
        PATCH /populations/{id}
        DELETE /populations/{id}
        POST /catalog:apply
        DELETE /exclusions/{person_id}/{package_id}
    """,
    SEE_ALL: "GET /exclusions",
    ASSIGN: "POST /assignments\nDELETE /assignments/{id}",
}

WHO_MAY: dict[str, May] = {
    f"{method} {base}{path}": may
    for base, table in ((EM, _EM), (AT_ROLES, _ROLES), (TENURE, _OWN))
    for may, lines in table.items()
    for method, _, path in (line.strip().partition(" ") for line in lines.strip().splitlines())
}
"""'<METHOD> <path as declared>' -> who may. What lies behind a list or an object and does not stand here is as open as
that: `/$count`, `/$ref`, and the relations that the object can be read with."""


def who_may(operation: str) -> May:
    """Raises KeyError for an operation that is not in the table."""
    return WHO_MAY[operation] if operation in WHO_MAY else WHO_MAY[operation.rpartition("/")[0]]
