"""Builders: one of each type, through the API, with what belongs around it.

A builder gets what an example's answer or body shows of the thing (`like`) and takes from it what a caller can write.
It gives back the id.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from shared.security.permissions import GLOBAL_ADMINISTRATOR
from tests.conformance.ground import Client
from tests.waiting import until

EM = "/v1.0/identityGovernance/entitlementManagement"
AR = "/v1.0/identityGovernance/accessReviews"
PATIENCE_S = 20.0

Body = dict[str, Any]
Like = Mapping[str, Any]

# fmt: off
WRITABLE: dict[str, frozenset[str]] = {
    "user": frozenset({
        "displayName", "givenName", "surname", "jobTitle", "department", "companyName", "mail", "mobilePhone",
        "officeLocation", "city", "country", "preferredLanguage", "businessPhones", "otherMails", "state",
        "streetAddress", "postalCode", "onPremisesExtensionAttributes", "employeeOrgData", "employeeType", "userType",
        "usageLocation", "mailNickname",
    }),
    "group": frozenset({
        "displayName", "description", "groupTypes", "mailEnabled", "securityEnabled", "visibility",
        "isAssignableToRole", "theme", "preferredLanguage", "preferredDataLocation", "classification",
    }),
    "accessPackageCatalog": frozenset({"description", "state", "isExternallyVisible"}),
    "accessPackage": frozenset({"displayName", "description", "isHidden"}),
    "accessPackageAssignmentPolicy": frozenset({
        "displayName", "description", "allowedTargetScope", "specificAllowedTargets", "expiration",
        "requestorSettings", "requestApprovalSettings", "questions", "reviewSettings",
        "automaticRequestSettings", "notificationSettings", "customExtensionStageSettings",
    }),
    "connectedOrganization": frozenset({"displayName", "description", "identitySources", "state"}),
    "application": frozenset({"displayName", "description", "appRoles"}),
    "servicePrincipal": frozenset({"displayName", "description", "appRoles"}),
    "unifiedRoleDefinition": frozenset({"displayName", "description", "isEnabled", "rolePermissions"}),
}
# fmt: on
"""What a caller may write of each type, of what examples show."""


_NAMED_BY: dict[str, Callable[[str], dict[str, str]]] = {
    "domainIdentitySource": lambda domain: {"domainName": domain},
    "externalDomainFederation": lambda domain: {"domainName": domain, "issuerUri": f"https://{domain}"},
    "azureActiveDirectoryTenant": lambda domain: {"tenantId": str(uuid.uuid5(uuid.NAMESPACE_DNS, domain))},
    "crossCloudAzureActiveDirectoryTenant": lambda domain: {
        "tenantId": str(uuid.uuid5(uuid.NAMESPACE_DNS, domain)),
        "cloudInstance": "login.cloud.example",
    },
    "socialIdentitySource": lambda _: {"socialIdentitySourceType": "facebook"},
}
"""What an identity source says of each kind, for one that nothing else has."""


FIXED: dict[str, tuple[str, ...]] = {"group": ("groupTypes",)}
"""What no change can bring about: a change that names it presumes it."""


class NotMade(Exception):
    """Something that an example presumes could not be made. The message says what, and what was answered."""


class Asks:
    """Calls of one caller after another; each call is made by a Global Administrator who is a person, unless said."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.admin: str | None = None
        """Id of the person who asks, once there is one."""

    def url(self, path: str) -> str:
        """The path with this server in front."""
        return str(self.client.base_url).rstrip("/") + path

    async def send(
        self, method: str, path: str, body: Any = None, *, by: str | None = None, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """`by`: another person than the administrator, an ordinary one."""
        signed: Mapping[str, str] = {}
        if by is not None and by != self.admin:
            signed = self.client.callers.person(by)
        elif self.admin is not None:
            signed = self.client.callers.person(self.admin, GLOBAL_ADMINISTRATOR)
        return await self.client.request(method, path, json=body, headers={**headers, **signed})

    async def call(self, method: str, path: str, body: Any = None, *, by: str | None = None) -> Any:
        """The answer's body. Raises NotMade unless the call is a success."""
        answer = await self.send(method, path, body, by=by)
        if not answer.is_success:
            raise NotMade(f"{method} {path} is answered {answer.status_code}: {error_of(answer)}")
        return answer.json() if answer.content else None

    async def until(self, what: str, find: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
        """What `find` finds. Raises NotMade if it takes too long."""
        try:
            return await until(find, what, patience_s)
        except AssertionError as in_vain:
            raise NotMade(str(in_vain)) from None


def error_of(answer: httpx.Response) -> str:
    """Code and message of an error, or what else came."""
    try:
        said = answer.json()["error"]
        return f"{said['code']}: {said['message']}"
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:6]


def fresh(prefix: str) -> str:
    """A name that nothing else has, on this server in later runs neither."""
    return f"{prefix} {_run} {next(_numbers)}"


class Makes:
    """The builders."""

    def __init__(self, asks: Asks) -> None:
        self.asks = asks
        self.written: set[str] = set()
        """Names of all properties that were written."""

    def _body(self, type: str, like: Like, **own: Any) -> Body:
        """What `like` shows and a caller can write, over defaults."""
        body = {k: v for k, v in like.items() if k in WRITABLE[type] and v is not None}
        body = own | body
        self.written |= body.keys()
        return body

    async def _post(self, path: str, body: Body) -> Body:
        made: Body = await self.asks.call("POST", path, body)
        return made

    # The directory

    async def user(self, like: Like) -> str:
        name = fresh("person").replace(" ", ".")
        body = self._body("user", like, displayName="A person", mailNickname=name, accountEnabled=True)
        body |= {"userPrincipalName": f"{name}@company.example"}
        body |= {"passwordProfile": {"password": uuid.uuid4().hex, "forceChangePasswordNextSignIn": True}}
        return str((await self._post("/v1.0/users", body))["id"])

    async def signed_in(self, person: str) -> None:
        name = (await self.asks.call("GET", f"/v1.0/users/{person}"))["userPrincipalName"]
        when = datetime.now(UTC).isoformat()
        await self.asks.call("POST", "/v1.0/tenure/signIns", {"userPrincipalName": name, "at": when})

    async def group(self, like: Like) -> str:
        name = fresh("group").replace(" ", "-")
        body = self._body("group", like, displayName=name, mailEnabled=False, securityEnabled=True)
        body["mailNickname"] = name
        if "DynamicMembership" in body.get("groupTypes", ()):
            body["groupTypes"] = [one for one in body["groupTypes"] if one != "DynamicMembership"]
        return str((await self._post("/v1.0/groups", body))["id"])

    async def application(self, like: Like) -> str:
        return str((await self._post("/v1.0/applications", self._body("application", like, displayName="App")))["id"])

    async def service_principal(self, like: Like) -> str:
        """Of an application of its own, with a role that people can have."""
        role = {
            "id": str(uuid.uuid4()), "allowedMemberTypes": ["User"], "displayName": "Reader", "description": "Reads.",
            "value": "Reader", "isEnabled": True,
        }  # fmt: skip
        application = self._body("application", like, displayName="App", appRoles=[role])
        made = await self._post("/v1.0/applications", application)
        return str((await self._post("/v1.0/servicePrincipals", {"appId": made["appId"]}))["id"])

    async def site(self, _like: Like) -> str:
        name = fresh("site").replace(" ", "-")
        url = f"https://company.example/sites/{name}"
        await self._post("/v1.0/tenure/sites", {"displayName": name, "webUrl": url})
        return url

    async def role_definition(self, like: Like) -> str:
        allowed = [{"allowedResourceActions": ["microsoft.directory/applications/standard/read"]}]
        body = self._body(
            "unifiedRoleDefinition", like, displayName=fresh("role"), isEnabled=True, rolePermissions=allowed
        )
        return str((await self._post("/v1.0/roleManagement/directory/roleDefinitions", body))["id"])

    async def administrative_unit(self, _like: Like) -> str:
        """Tenure keeps none: an id is all that a scope needs."""
        return str(uuid.uuid4())

    async def set_manager(self, person: str, manager: str) -> None:
        target = {"@odata.id": self.asks.url(f"/v1.0/users/{manager}")}
        await self.asks.call("PUT", f"/v1.0/users/{person}/manager/$ref", target)

    async def refer(self, path: str, to: str) -> None:
        """Add a reference: `path` is the relation, `to` the address of what is referred to."""
        await self.asks.call("POST", f"{path}/$ref", {"@odata.id": self.asks.url(to)})

    # Entitlement management

    async def catalog(self, like: Like) -> str:
        body = self._body("accessPackageCatalog", like, description="A catalog.")
        body["displayName"] = fresh(str(like.get("displayName") or "catalog"))
        return str((await self._post(f"{EM}/catalogs", body))["id"])

    async def package(self, like: Like, catalog: str) -> str:
        body = self._body("accessPackage", like, displayName=fresh("package"), description="A package.")
        body["catalog"] = {"id": catalog}
        return str((await self._post(f"{EM}/accessPackages", body))["id"])

    async def resource(self, catalog: str, origin: str, system: str) -> str:
        """The id of the resource in the catalog, added if it is not there."""
        path = f"{EM}/catalogs/{catalog}/resources"
        found = (await self.asks.call("GET", f"{path}?$filter=" + quote(f"originId eq '{origin}'")))["value"]
        if not found:
            added = {"catalog": {"id": catalog}, "resource": {"originId": origin, "originSystem": system}}
            await self._post(f"{EM}/resourceRequests", {"requestType": "adminAdd", **added})

        async def there() -> Any:
            return (await self.asks.call("GET", f"{path}?$filter=" + quote(f"originId eq '{origin}'")))["value"]

        return str((await self.asks.until("the resource is in its catalog", there))[0]["id"])

    async def role_scope(self, catalog: str, package: str, group: str) -> str:
        """The group's role Member in the package."""
        resource = await self.resource(catalog, group, "AadGroup")
        body = {
            "role": {
                "displayName": "Member", "originSystem": "AadGroup", "originId": f"Member_{group}",
                "resource": {"id": resource, "originId": group, "originSystem": "AadGroup"},
            },
            "scope": {"originId": group, "originSystem": "AadGroup", "isRootScope": True},
        }  # fmt: skip
        return str((await self._post(f"{EM}/accessPackages/{package}/resourceRoleScopes", body))["id"])

    async def policy(self, like: Like, package: str) -> str:
        """By default: everybody may ask for themself, without approval, for a time of their own."""
        body = self._body(
            "accessPackageAssignmentPolicy",
            like,
            displayName=fresh("policy"),
            description="A policy.",
            allowedTargetScope="allMemberUsers",
            expiration={"type": "noExpiration"},
            requestorSettings={
                "enableTargetsToSelfAddAccess": True, "enableTargetsToSelfUpdateAccess": True,
                "enableTargetsToSelfRemoveAccess": True, "allowCustomAssignmentSchedule": True,
                "enableOnBehalfRequestorsToAddAccess": True,
                "onBehalfRequestors": [{"@odata.type": "#microsoft.graph.targetManager", "managerLevel": 1}],
            },
        )  # fmt: skip
        if body.get("automaticRequestSettings"):  # nobody asks
            del body["requestorSettings"]
            del body["expiration"]
        body["accessPackage"] = {"id": package}
        return str((await self._post(f"{EM}/assignmentPolicies", body))["id"])

    def approved_by(self, approver: str) -> Body:
        """Settings of a policy under which `approver` decides."""
        stage = {
            "durationBeforeAutomaticDenial": "P14D", "isApproverJustificationRequired": False,
            "isEscalationEnabled": False, "durationBeforeEscalation": "PT0S",
            "primaryApprovers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": approver}],
            "fallbackPrimaryApprovers": [], "escalationApprovers": [], "fallbackEscalationApprovers": [],
        }  # fmt: skip
        return {"requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [stage]}}

    async def request(self, body: Body, *, by: str | None = None) -> str:
        answer = await self.asks.call("POST", f"{EM}/assignmentRequests", body, by=by)
        return str(answer["id"])

    async def request_is(self, id: str, *states: str) -> Body:
        async def there() -> Any:
            said = await self.asks.call("GET", f"{EM}/assignmentRequests/{id}?$expand=assignment")
            return said if said["state"] in states else None

        found: Body = await self.asks.until(f"the request is {' or '.join(states)}", there)
        return found

    async def failed_request(self, asker: str, catalog: str) -> str:
        """One that could not be delivered: the group is gone that its package leads into."""
        package, group = await self.package({}, catalog), await self.group({})
        await self.role_scope(catalog, package, group)
        policy = await self.policy({}, package)
        await self.asks.call("DELETE", f"/v1.0/groups/{group}")
        wanted = {"accessPackageId": package, "assignmentPolicyId": policy}
        id = await self.request({"requestType": "userAdd", "assignment": wanted}, by=asker)
        await self.request_is(id, "deliveryFailed")
        return id

    async def app_role_assignment(self, principal: str, person: str) -> str:
        """The person has the role of the application."""
        role = (await self.asks.call("GET", f"/v1.0/servicePrincipals/{principal}"))["appRoles"][0]["id"]
        body = {"principalId": person, "resourceId": principal, "appRoleId": role}
        return str((await self._post(f"/v1.0/servicePrincipals/{principal}/appRoleAssignedTo", body))["id"])

    async def assignment(self, person: str, package: str, policy: str) -> str:
        """Delivered."""
        wanted = {"targetId": person, "assignmentPolicyId": policy, "accessPackageId": package}
        request = await self.request({"requestType": "adminAdd", "assignment": wanted})
        said = await self.request_is(request, "delivered")
        return str(said["assignment"]["id"])

    async def open_stage(self, request: str) -> str:
        """The id of the stage that waits for the administrator."""
        path = f"{EM}/accessPackageAssignmentApprovals/{request}/stages"

        async def there() -> Any:
            answer = await self.asks.send("GET", path)
            stages = answer.json()["value"] if answer.is_success else []
            return next((one["id"] for one in stages if one["assignedToMe"]), None)

        return str(await self.asks.until("a stage waits for the approver", there))

    async def decide(self, request: str, result: str) -> None:
        stage = await self.open_stage(request)
        path = f"{EM}/accessPackageAssignmentApprovals/{request}/stages/{stage}"
        await self.asks.call("PATCH", path, {"reviewResult": result, "justification": "Decided."})

    async def extension(self, like: Like, catalog: str) -> str:
        type = like.get("@odata.type") or "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension"
        body = {
            "@odata.type": type,
            "displayName": fresh("extension"),
            "description": "Calls out.",
            "endpointConfiguration": {
                "@odata.type": "#microsoft.graph.logicAppTriggerEndpointConfiguration",
                "subscriptionId": str(uuid.uuid4()), "resourceGroupName": "group", "logicAppWorkflowName": "flow",
            },
            "authenticationConfiguration": {
                "@odata.type": "#microsoft.graph.azureAdPopTokenAuthentication",
            },
        }  # fmt: skip
        return str((await self._post(f"{EM}/catalogs/{catalog}/customWorkflowExtensions", body))["id"])

    async def organization(self, like: Like, domain: str | None = None) -> str:
        kind = "domainIdentitySource"
        if domain is None:
            domain = f"{fresh('partner').replace(' ', '-')}.example"
            shown = next(iter(like.get("identitySources") or ()), {})
            kind = str(shown.get("@odata.type") or kind).removeprefix("#").rpartition(".")[2]
        source = {"displayName": domain, **_NAMED_BY.get(kind, dict)(domain)}
        body = self._body("connectedOrganization", like, displayName=fresh("partner"), state="configured")
        body["identitySources"] = [{"@odata.type": f"#microsoft.graph.{kind}", **source}]
        return str((await self._post(f"{EM}/connectedOrganizations", body))["id"])

    async def organization_of(self, person: str) -> str:
        """The organisation of a guest, who becomes one by it."""
        domain = f"{fresh('partner').replace(' ', '-')}.example"
        mail = f"{fresh('guest').replace(' ', '.')}@{domain}"
        await self.asks.call("PATCH", f"/v1.0/users/{person}", {"mail": mail, "userType": "Guest"})
        return await self.organization({}, domain)

    # Access reviews

    async def review(self, of_memberships: bool, having: Collection[str] = ()) -> str:
        """Of a group with a guest, whom the administrator reviews, every week. In progress.

        `of_memberships`: by a scope of principals and resources. `having`: properties that show something: in
        `stageSettings` two stages, in `fallbackReviewers` and `additionalNotificationRecipients` the administrator."""
        group = await self.group({})
        guest = await self.user({"userType": "Guest"})
        await self.refer(f"/v1.0/groups/{group}/members", f"/v1.0/directoryObjects/{guest}")
        query = {"@odata.type": "#microsoft.graph.accessReviewQueryScope", "queryType": "MicrosoftGraph"}
        weekly = {
            "pattern": {"type": "weekly", "interval": 1},
            "range": {"type": "noEnd", "startDate": datetime.now(UTC).date().isoformat()},
        }
        scope: Body = {**query, "query": "./transitiveMembers/microsoft.graph.user"}
        if of_memberships:
            scope = {
                "@odata.type": "#microsoft.graph.principalResourceMembershipsScope",
                "principalScopes": [{**query, "query": "/users"}],
                "resourceScopes": [{**query, "query": f"/groups/{group}"}],
            }
        body = {
            "displayName": fresh("review"),
            "scope": scope,
            "instanceEnumerationScope": {**query, "query": f"/groups/{group}"},
            "reviewers": [{"query": f"/users/{self.asks.admin}", "queryType": "MicrosoftGraph"}],
            "settings": {"instanceDurationInDays": 3, "recurrence": weekly},
        }
        whoever = {"query": f"/users/{self.asks.admin}", "queryType": "MicrosoftGraph"}
        fallback = [whoever] if "fallbackReviewers" in having else []
        body["fallbackReviewers"] = fallback
        if "additionalNotificationRecipients" in having:
            kind = "#microsoft.graph.accessReviewNotificationRecipientQueryScope"
            told = {"@odata.type": kind, **whoever}
            body["additionalNotificationRecipients"] = [
                {"notificationTemplateType": "CompletedAdditionalRecipients", "notificationRecipientScope": told}
            ]
        if "stageSettings" in having:
            stage = {
                "durationInDays": 1, "recommendationsEnabled": False, "reviewers": body["reviewers"],
                "fallbackReviewers": fallback, "decisionsThatWillMoveToNextStage": ["Approve", "NotReviewed"],
            }  # fmt: skip
            body["stageSettings"] = [
                {**stage, "stageId": "1", "dependsOn": []},
                {**stage, "stageId": "2", "dependsOn": ["1"]},
            ]
        id = str((await self._post(f"{AR}/definitions", body))["id"])
        await self.run_of(id, "InProgress")
        return id

    async def run_of(self, definition: str, status: str) -> str:
        """Its instance, once it is so."""

        async def there() -> Any:
            runs = (await self.asks.call("GET", f"{AR}/definitions/{definition}/instances"))["value"]
            return runs[0]["id"] if runs and runs[0]["status"] == status else None

        return str(await self.asks.until(f"an instance is {status}", there))

    async def review_history(self) -> str:
        """Of all reviews of groups in a quarter."""
        query = f"{AR.removeprefix('/v1.0')}/definitions?$filter=contains(scope/query, '/groups')"
        body = {
            "displayName": fresh("history"),
            "reviewHistoryPeriodStartDateTime": "2021-01-01T00:00:00Z",
            "reviewHistoryPeriodEndDateTime": "2021-04-05T00:00:00Z",
            "scopes": [{"queryType": "MicrosoftGraph", "query": query}],
        }
        id = str((await self._post(f"{AR}/historyDefinitions", body))["id"])
        await self.history_run_of(id)
        return id

    async def history_run_of(self, history: str) -> str:
        """Its run, once it is done."""

        async def there() -> Any:
            runs = (await self.asks.call("GET", f"{AR}/historyDefinitions/{history}/instances"))["value"]
            return runs[0]["id"] if runs and runs[0]["status"] == "done" else None

        return str(await self.asks.until("a history is done", there))

    async def role_assignment(self, provider: str, definition: str, principal: str, scope: Body) -> str:
        body = {"roleDefinitionId": definition, "principalId": principal, **scope}
        return str((await self._post(f"/v1.0/roleManagement/{provider}/roleAssignments", body))["id"])
