"""A run that has something of everything, so that each operation of its API has an object to be asked about."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.waiting import eventually

EM = "/v1.0/identityGovernance/entitlementManagement"
AR = "/v1.0/identityGovernance/accessReviews"
Body = dict[str, Any]
Calls = Callable[[], Body]

_PARAMETER = re.compile(r"\{(\w+)\}")
_LISTED_AT = {
    "/v1.0/directoryObjects/{id}": "/v1.0/users",
    "delete /v1.0/directoryObjects/{id}": "/v1.0/groups",
    "/v1.0/directory/deletedItems/{id}": "/v1.0/directory/deletedItems/microsoft.graph.user",
    "/v1.0/tenure/sites/{id}": "/v1.0/sites",
    "/v1.0/tenure/assignments/{id}": f"{EM}/assignments",
    "/v1.0/tenure/packages/{id}": f"{EM}/accessPackages",
    "/v1.0/tenure/people/{person_id}": "/v1.0/tenure/people",
    "/v1.0/tenure/audit/people/{person_id}": "/v1.0/tenure/people",
    f"{EM}/subjects(objectId='{{id}}": "/v1.0/users",
    "/v1.0/tenure/reviewHistory/{id}": f"{AR}/historyDefinitions",
    "/v1.0/tenure/reviewHistory/{id}/{instance_id}": f"{AR}/historyDefinitions/{{id}}/instances",
    f"{EM}/accessPackageCatalogs/{{id}}": f"{EM}/catalogs",
    f"{EM}/accessPackageCatalogs/{{id}}/accessPackageResources/{{resource}}": f"{EM}/catalogs/{{id}}/resources",
    f"{EM}/accessPackageAssignmentApprovals/{{id}}": f"{EM}/accessPackageAssignmentApprovals"
    "/filterByCurrentUser(on='approver')",
}
"""Where the ids of a path are listed, if not at the path before them; for one method, its name stands before."""
_ON = {
    "accessPackages": "allowedRequestor",
    "accessPackageSuggestions": "relatedPeopleAssignments",
    "assignments": "target",
}
_numbers = itertools.count(1)


class Inhabited:
    """A running Tenure, as its Global Administrator, who is a person, sees it."""

    def __init__(self, client: httpx.Client, admin: str, signed: Callable[[str], dict[str, str]]) -> None:
        """`signed`: the headers of the ordinary person of that id."""
        self.client = client
        self.admin = admin
        self._signed = signed

    def call(self, method: str, path: str, body: Any = None, by: str | None = None) -> Any:
        """The answer's body; fails unless it is a success."""
        answer = self.client.request(method, path, json=body, headers=self._signed(by) if by else {})
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def made(self, path: str, body: Body, by: str | None = None) -> str:
        return str(self.call("POST", path, body, by)["id"])

    def until(self, find: Callable[[], Any]) -> Any:
        return eventually(find)

    def populate(self) -> None:
        """One of everything."""
        self.person, self.other = self.made("/v1.0/users", self.user()), self.made("/v1.0/users", self.user())
        self.guest = self.made("/v1.0/users", {**self.user(), "userType": "Guest"})
        self.call("POST", f"/v1.0/users/{self.guest}/sponsors/$ref", self.refers("users", self.person))
        for _ in range(8):
            self.call("DELETE", f"/v1.0/users/{self.made('/v1.0/users', self.user())}")
        self.call("PUT", f"/v1.0/users/{self.person}/manager/$ref", self.refers("users", self.admin))
        self.group = self.made("/v1.0/groups", self.of_group())
        self.call("POST", f"/v1.0/groups/{self.group}/members/$ref", self.refers("directoryObjects", self.person))
        for owner in (self.other, self.person):
            self.call("POST", f"/v1.0/groups/{self.group}/owners/$ref", self.refers("users", owner))
        self._applications()
        self._packages()
        self._requests()

    def _applications(self) -> None:
        self.role = str(uuid.uuid4())
        self.application = self.made("/v1.0/applications", self.of_application())
        self.call("POST", f"/v1.0/applications/{self.application}/owners/$ref", self.refers("users", self.other))
        self.principal = self.made("/v1.0/servicePrincipals", self.of_principal())
        self.call("POST", f"/v1.0/servicePrincipals/{self.principal}/owners/$ref", self.refers("users", self.other))
        self.call("POST", f"/v1.0/servicePrincipals/{self.principal}/appRoleAssignedTo", self.granted())
        self.site = self.made("/v1.0/tenure/sites", self.of_site())
        self.site_role = str(self.call("GET", f"/v1.0/tenure/sites/{self.site}/roles")["value"][0]["id"])
        self.call("POST", f"/v1.0/tenure/sites/{self.site}/assignments", self.on_site())

    def _packages(self) -> None:
        self.catalog = self.made(f"{EM}/catalogs", {"displayName": named("Catalog")})
        self.made(f"{EM}/resourceRequests", self.resource(self.group))
        self.package, self.guarded = (self.made(f"{EM}/accessPackages", self.of_package()) for _ in range(2))
        self.call("POST", f"{EM}/accessPackages/{self.package}/resourceRoleScopes", self.role_scope())
        excluded = f"{EM}/accessPackages/{self.guarded}"
        third = self.made(f"{EM}/accessPackages", self.of_package())
        self.call("POST", f"{excluded}/incompatibleAccessPackages/$ref", self.refers(f"{EM}/accessPackages", third))
        spare = self.made("/v1.0/groups", self.of_group())
        self.call("POST", f"{excluded}/incompatibleGroups/$ref", self.refers("groups", spare))
        self.policy = self.made(f"{EM}/assignmentPolicies", self.of_policy(self.package))
        self.by_admin = self.made(f"{EM}/assignmentPolicies", self.of_policy(self.guarded, self.approved()))
        self.made("/v1.0/tenure/populations", self.of_population())

    def _requests(self) -> None:
        self.asked(self.person, self.package, self.policy)
        self.until(lambda: self.call("GET", f"{EM}/assignments")["value"])
        self.pending()

    def asked(self, by: str, package: str, policy: str) -> str:
        """The id of their request, made as soon as all services know of them."""

        def known() -> str | None:
            body = self.asks(package, policy)
            answer = self.client.post(f"{EM}/assignmentRequests", json=body, headers=self._signed(by))
            return str(answer.json()["id"]) if answer.is_success else None

        return str(self.until(known))

    # What is made anew for an operation that uses it up

    def pending(self) -> str:
        """A request that waits for the administrator's decision."""
        who = self.made("/v1.0/users", self.user())
        request = self.asked(who, self.guarded, self.by_admin)
        path = f"{EM}/accessPackageAssignmentApprovals/{request}/stages"

        def open_stage() -> Any:
            answer = self.client.get(path)
            return answer.is_success and any(one["assignedToMe"] for one in answer.json()["value"])

        self.until(open_stage)
        return request

    def granted_anew(self) -> None:
        """Somebody has an app role."""
        self.latest = self.made("/v1.0/users", self.user())
        role = {"principalId": self.latest, **self.role_of_principal()}
        self.call("POST", f"/v1.0/users/{self.latest}/appRoleAssignments", role)

    # Bodies

    def user(self) -> Body:
        name = named("person")
        return {
            "accountEnabled": True,
            "displayName": name,
            "mailNickname": name,
            "userPrincipalName": f"{name}@company.example",
            "passwordProfile": {"password": uuid.uuid4().hex},
        }

    def of_group(self) -> Body:
        name = named("group")
        return {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}

    def of_application(self) -> Body:
        role = {
            "id": self.role,
            "allowedMemberTypes": ["User"],
            "displayName": "Reader",
            "description": "Reads.",
            "value": "Reader",
            "isEnabled": True,
        }
        return {"displayName": named("App"), "appRoles": [role]}

    def of_principal(self) -> Body:
        """Of an application of its own."""
        return {"appId": self.call("POST", "/v1.0/applications", self.of_application())["appId"]}

    def granted(self) -> Body:
        return {"principalId": self.made("/v1.0/users", self.user()), **self.role_of_principal()}

    def role_of_principal(self) -> Body:
        return {"resourceId": self.principal, "appRoleId": self.role}

    def of_site(self) -> Body:
        name = named("site")
        return {"displayName": name, "webUrl": f"https://company.example/sites/{name}"}

    def on_site(self) -> Body:
        return {"principalId": self.made("/v1.0/users", self.user()), "roleId": self.site_role}

    def resource(self, group: str) -> Body:
        resource = {"originId": group, "originSystem": "AadGroup"}
        return {"requestType": "adminAdd", "catalog": {"id": self.catalog}, "resource": resource}

    def of_package(self) -> Body:
        return {"displayName": named("Package"), "catalog": {"id": self.catalog}}

    def role_scope(self) -> Body:
        """Of a group that was not in the catalog before."""
        group = self.made("/v1.0/groups", self.of_group())
        self.made(f"{EM}/resourceRequests", self.resource(group))
        origin = {"originId": group, "originSystem": "AadGroup"}
        role = {"displayName": "Member", "originId": f"Member_{group}", "originSystem": "AadGroup", "resource": origin}
        return {"role": role, "scope": {**origin, "isRootScope": True}}

    def of_policy(self, package: str, approval: Body | None = None) -> Body:
        return {
            "displayName": named("Policy"),
            "allowedTargetScope": "allMemberUsers",
            "expiration": {"type": "noExpiration"},
            "requestorSettings": {"enableTargetsToSelfAddAccess": True, "enableTargetsToSelfRemoveAccess": True},
            "requestApprovalSettings": approval,
            "accessPackage": {"id": package},
        }

    def approved(self) -> Body:
        """By the administrator."""
        approver = {"@odata.type": "#microsoft.graph.singleUser", "userId": self.admin}
        stage = {"durationBeforeAutomaticDenial": "P14D", "primaryApprovers": [approver]}
        return {"isApprovalRequiredForAdd": True, "stages": [stage]}

    def asks(self, package: str, policy: str) -> Body:
        return {"requestType": "userAdd", "assignment": {"accessPackageId": package, "assignmentPolicyId": policy}}

    def of_population(self) -> Body:
        return {"displayName": named("Population"), "membershipRule": 'user.city -eq "Oslo"'}

    def refers(self, collection: str, id: str) -> Body:
        path = collection if collection.startswith("/") else f"/v1.0/{collection}"
        return {"@odata.id": f"https://graph.microsoft.com{path}/{id}"}

    # Ids for the parameters of paths

    def paths(self, method: str, template: str) -> Iterator[dict[str, str]]:
        """Values for the parameters of `template` that name what is there, as lists of the API say it; what was made
        for others to refer to comes first."""
        yield from self._from(method, template, {})

    def _from(self, method: str, template: str, known: dict[str, str]) -> Iterator[dict[str, str]]:
        left = [name for name in _PARAMETER.findall(template) if name not in known]
        if not left:
            yield known
            return
        for id in self._ids(method, template, left[0], known):
            yield from self._from(method, template, {**known, left[0]: id})

    def _ids(self, method: str, template: str, name: str, known: dict[str, str]) -> list[str]:
        before = template[: template.index("{" + name + "}")]
        if name == "on":
            anyhow = "reviewer" if before.startswith(AR) else "target"
            return [_ON.get(before.split("(")[0].split("/")[-2], anyhow)]
        if name in {"a", "b"}:
            return [self.package if name == "a" else self.guarded]
        place = f"{before}{{{name}}}"
        at = _LISTED_AT.get(f"{method} {place}") or _LISTED_AT.get(place) or before.rstrip("/")
        answer = self.client.get(at.format(**known), params={"$top": "100"})
        found = [str(one["id"]) for one in answer.json()["value"]] if answer.is_success else []
        own = set(map(str, vars(self).values()))
        return sorted(found, key=lambda id: id not in own)[:20]


def named(kind: str) -> str:
    """A name that nothing else has."""
    return f"{kind}-{next(_numbers)}"
