"""What relations of entitlement management lead to: the names that may stand inside `$expand=relation(...)`.

A list that names the relations it answers, and says no more of them, is read against these, so that a misspelt name is
refused wherever it stands. Source: reference/graph-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from shared.web.odata.fields import EntitySet

_DATED = "id createdDateTime modifiedDateTime displayName description"
_PROPERTIES: Mapping[str, str] = {
    "accessPackage": f"{_DATED} isHidden",
    "accessPackageAssignment": "id expiredDateTime schedule state status customExtensionCalloutInstances",
    "accessPackageAssignmentPolicy": (
        f"{_DATED} allowedTargetScope automaticRequestSettings expiration notificationSettings requestApprovalSettings "
        "requestorSettings reviewSettings specificAllowedTargets"
    ),
    "accessPackageCatalog": f"{_DATED} catalogType isExternallyVisible state",
    "accessPackageQuestion": (
        "id isAnswerEditable isRequired localizations sequence text choices isMultipleSelectionAllowed "
        "isSingleLineQuestion regexPattern"
    ),
    "accessPackageResource": f"{_DATED} attributes originId originSystem",
    "accessPackageResourceEnvironment": f"{_DATED} connectionInfo isDefaultEnvironment originId originSystem",
    "accessPackageResourceRole": "id displayName description originId originSystem type",
    "accessPackageResourceRoleScope": "id createdDateTime",
    "accessPackageResourceScope": "id displayName description isRootScope originId originSystem",
    "accessPackageSubject": (
        "id displayName email objectId onPremisesSecurityIdentifier principalName subjectLifecycle subjectType"
    ),
    "approvalStage": "id assignedToMe displayName justification reviewedBy reviewedDateTime reviewResult status",
    "customExtensionStageSetting": "id stage",
    "connectedOrganization": f"{_DATED} identitySources state",
    "unifiedRoleDefinition": (
        "id description displayName isBuiltIn isEnabled resourceScopes rolePermissions templateId version"
    ),
}
_RELATIONS: Mapping[str, Mapping[str, str]] = {
    "accessPackage": {
        "accessPackagesIncompatibleWith": "accessPackage",
        "assignmentPolicies": "accessPackageAssignmentPolicy",
        "catalog": "accessPackageCatalog",
        "incompatibleAccessPackages": "accessPackage",
        "incompatibleGroups": "",
        "resourceRoleScopes": "accessPackageResourceRoleScope",
    },
    "accessPackageAssignment": {
        "accessPackage": "accessPackage",
        "assignmentPolicy": "accessPackageAssignmentPolicy",
        "target": "accessPackageSubject",
    },
    "accessPackageAssignmentPolicy": {
        "accessPackage": "accessPackage",
        "catalog": "accessPackageCatalog",
        "customExtensionStageSettings": "customExtensionStageSetting",
        "questions": "accessPackageQuestion",
    },
    "accessPackageAssignmentRequest": {
        "accessPackage": "accessPackage",
        "assignment": "accessPackageAssignment",
        "requestor": "accessPackageSubject",
    },
    "accessPackageCatalog": {
        "accessPackages": "accessPackage",
        "customWorkflowExtensions": "",
        "resourceRoles": "accessPackageResourceRole",
        "resources": "accessPackageResource",
        "resourceScopes": "accessPackageResourceScope",
    },
    "accessPackageResource": {
        "environment": "accessPackageResourceEnvironment",
        "roles": "accessPackageResourceRole",
        "scopes": "accessPackageResourceScope",
    },
    "accessPackageResourceRole": {"resource": "accessPackageResource"},
    "accessPackageResourceRoleScope": {"role": "accessPackageResourceRole", "scope": "accessPackageResourceScope"},
    "accessPackageResourceScope": {"resource": "accessPackageResource"},
    "accessPackageSubject": {"connectedOrganization": "connectedOrganization"},
    "approval": {"stages": "approvalStage"},
    "availableAccessPackage": {"resourceRoleScopes": "accessPackageResourceRoleScope"},
    "customExtensionStageSetting": {"customExtension": ""},
    "connectedOrganization": {"externalSponsors": "", "internalSponsors": ""},
    "unifiedRoleAssignment": {"roleDefinition": "unifiedRoleDefinition"},
    "unifiedRoleDefinition": {"inheritsPermissionsFrom": "unifiedRoleDefinition"},
}
"""Type -> relation -> type it leads to; '' for one whose properties are not listed here, such as a directory object."""


def related(type_name: str, relation: str) -> EntitySet | None:
    """What may be selected and expanded behind a relation of a type; None if that is not known here."""
    target = _RELATIONS.get(type_name, {}).get(relation, "")
    return _named(target) if target else None


@lru_cache(maxsize=64)
def _named(type_name: str) -> EntitySet:
    return EntitySet(
        type_name,
        {},
        # What is expanded may be selected beside, too.
        selectable=frozenset((*_PROPERTIES[type_name].split(), *_RELATIONS.get(type_name, ()))),
        expandable=frozenset(_RELATIONS.get(type_name, ())),
    )
