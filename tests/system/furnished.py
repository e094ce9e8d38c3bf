"""A run that also has what takes longer to make: organisations, delegated roles, reviews in every state.

What an operation uses up (a run that is stopped, a request whose delivery failed) is made anew by `fresh`, which knows
the operation by its label and gives the parameters of its path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.system.inhabited import AR, EM, Body, Inhabited, named

RM = "/v1.0/roleManagement/entitlementManagement"
ROLES = "/v1.0/roleManagement/directory/roleDefinitions"
DEFINITIONS = f"{AR}/definitions"
HISTORIES = f"{AR}/historyDefinitions"
RUN = f"{DEFINITIONS}/{{id}}/instances/{{instance_id}}"
_QUERY = {"@odata.type": "#microsoft.graph.accessReviewQueryScope", "queryType": "MicrosoftGraph"}
_UNIQUELY_NAMED = "/v1.0/groups(uniqueName='{name}')"
_FOR_ALL_CATALOGS = "Catalog creator"

Path = dict[str, str]


class Furnished(Inhabited):
    """The same as its Global Administrator sees it, who reviews all reviews."""

    _given = 0
    """Delegated roles."""

    def populate(self) -> None:
        """One of everything."""
        super().populate()
        self._partners()
        self._roles()
        self._reviews()

    def _partners(self) -> None:
        domain = f"{named('partner')}.example"
        self.organization = self.made(f"{EM}/connectedOrganizations", self.of_organization(domain))
        self.made(f"{EM}/connectedOrganizations", self.of_organization())
        for side in ("internalSponsors", "externalSponsors"):
            at = f"{EM}/connectedOrganizations/{self.organization}/{side}/$ref"
            for sponsor in (self.other, self.made("/v1.0/users", self.user())):
                self.call("POST", at, self.refers("users", sponsor))
        guest = self.made("/v1.0/users", {**self.user(), "userType": "Guest", "mail": f"guest@{domain}"})
        package = self.made(f"{EM}/accessPackages", self.of_package())
        anybody = {**self.of_policy(package), "allowedTargetScope": "notSpecified", "requestorSettings": None}
        policy = self.made(f"{EM}/assignmentPolicies", anybody)
        given = {"personId": guest, "packageId": package, "policyId": policy}
        self.of_partner = self.made_once_known("/v1.0/tenure/assignments", given)

    def _roles(self) -> None:
        self.delegated, _ = (self.made_once_known(f"{RM}/roleAssignments", self.of_delegation()) for _ in range(2))

    def _reviews(self) -> None:
        self.review, self.run = self.under_review()
        self.staged, _ = self.under_review(stages=2)
        self.defined(self.of_review(self.reviewed_group()))
        self.ended = self.completed()["instance_id"]
        self.history = self.made(HISTORIES, self.of_history())
        at = f"{HISTORIES}/{self.history}/instances"
        done = self.until(lambda: [one for one in self.call("GET", at)["value"] if one["status"] == "done"])
        self.report = str(done[0]["id"])
        uri = self.call("POST", f"{at}/{self.report}/generateDownloadUri")["downloadUri"]
        self.link = uri.partition("link=")[2]

    def made_once_known(self, path: str, body: Body) -> str:
        """What the body names may be on its way to the service that is asked."""

        def known() -> str | None:
            answer = self.client.post(path, json=body)
            return str(answer.json()["id"]) if answer.is_success else None

        return str(self.until(known))

    # What is made anew for an operation that uses it up

    @property
    def fresh(self) -> Mapping[str, Callable[[], Path]]:
        """By the label of an operation, what makes the thing it needs and says where that is."""

        def running() -> Path:
            id, run = self.under_review()
            return {"id": id, "instance_id": run}

        def at_stage() -> Path:
            id, run = self.under_review(stages=2)
            (stage,) = self.call("GET", f"{DEFINITIONS}/{id}/instances/{run}/stages")["value"]
            return {"id": id, "instance_id": run, "stage_id": stage["id"]}

        def an_item(at: Path, stage: str = "") -> Path:
            path = f"{DEFINITIONS}/{at['id']}/instances/{at['instance_id']}{stage}/decisions"
            return {**at, "item_id": self.call("GET", path)["value"][0]["id"]}

        def an_item_of_a_stage() -> Path:
            at = at_stage()
            return an_item(at, f"/stages/{at['stage_id']}")

        def a_role_of_ours() -> Path:
            # What is built in can be neither changed nor deleted, and there is more of that.
            return {"id": self.made(ROLES, _of_role())}

        return {
            **{f"{method} {ROLES}/{{id}}": a_role_of_ours for method in ("PATCH", "DELETE")},
            **{f"POST {RUN}/{act}": running for act in ("stop", "sendReminder", "resetDecisions")},
            **{f"POST {RUN}/{act}": running for act in ("batchRecordDecisions", "acceptRecommendations")},
            **{f"{verb} {RUN}": running for verb in ("PUT", "PATCH")},
            f"POST {RUN}/applyDecisions": self.completed,
            f"PATCH {RUN}/decisions/{{item_id}}": lambda: an_item(running()),
            f"POST {RUN}/stages/{{stage_id}}/stop": at_stage,
            f"PATCH {RUN}/stages/{{stage_id}}": at_stage,
            f"PATCH {RUN}/stages/{{stage_id}}/decisions/{{item_id}}": an_item_of_a_stage,
            "GET /v1.0/tenure/reviewEvidence/{instance_id}": lambda: {"instance_id": self.ended},
            "GET /v1.0/tenure/reviewEvidence/{instance_id}/page": lambda: {"instance_id": self.ended},
            "DELETE /v1.0/tenure/exclusions/{person_id}/{package_id}": self.excluded,
            **{
                f"{verb} /v1.0/groups(uniqueName='{{name}}')": self.uniquely_named
                for verb in ("GET", "PATCH", "DELETE")
            },
            f"PATCH {EM}/subjects(objectId='{{id}}')": lambda: {"id": self.guest},
            f"POST {EM}/assignmentRequests/{{id}}/reprocess": self.failed,
        }

    def under_review(self, stages: int = 0) -> tuple[str, str]:
        """Ids of a review and of its run, which is in progress."""
        id = self.defined(self.of_review(self.reviewed_group(), stages))
        return id, self._run_of(id, "InProgress")

    def defined(self, review: Body) -> str:
        """Id of that review, once it is known what it is about: this run waits for little."""

        def known() -> str | None:
            answer = self.client.post(DEFINITIONS, json=review)
            return str(answer.json()["id"]) if answer.is_success else None

        return str(self.until(known))

    def completed(self) -> Path:
        """A run whose decisions wait to be applied."""
        id, run = self.under_review()
        self.call("POST", f"{DEFINITIONS}/{id}/instances/{run}/stop")
        return {"id": id, "instance_id": self._run_of(id, "Completed")}

    def excluded(self) -> Path:
        """Somebody who lost in a review what a rule gave, and is not given it again for a time."""
        city = named("City")
        person = self.made("/v1.0/users", {**self.user(), "city": city})
        package = self.made(f"{EM}/accessPackages", self.of_package())
        policy = self.made(f"{EM}/assignmentPolicies", self.by_rule(package, f'user.city -eq "{city}"'))
        self.until(lambda: self.call("GET", f"/v1.0/tenure/packages/{package}/holders")["value"] == [person])
        scope = f"accessPackageId eq '{package}' and assignmentPolicyId eq '{policy}'"
        query = f"/identityGovernance/entitlementManagement/accessPackageAssignments?$filter=({scope})"
        review = {**self.of_review(""), "scope": {**_QUERY, "query": query}}
        id = self.defined(review)
        at = f"{DEFINITIONS}/{id}/instances/{self._run_of(id, 'InProgress')}"
        self.call("POST", f"{at}/batchRecordDecisions", {"decision": "Deny", "justification": "Moved."})
        self.call("POST", f"{at}/stop")
        self._run_of(id, "Completed")
        self.call("POST", f"{at}/applyDecisions")
        self.until(lambda: self.call("GET", f"/v1.0/tenure/exclusions?packageId={package}")["value"])
        return {"person_id": person, "package_id": package}

    def failed(self) -> Path:
        """A request that could not be delivered: the group is gone that its package leads into."""
        package = self.made(f"{EM}/accessPackages", self.of_package())
        role = self.role_scope()
        self.call("POST", f"{EM}/accessPackages/{package}/resourceRoleScopes", role)
        policy = self.made(f"{EM}/assignmentPolicies", self.of_policy(package))
        self.call("DELETE", f"/v1.0/groups/{role['scope']['originId']}")
        request = self.asked(self.made("/v1.0/users", self.user()), package, policy)

        def state() -> Any:
            return self.call("GET", f"{EM}/assignmentRequests/{request}")["state"]

        self.until(lambda: state() == "deliveryFailed")
        return {"id": request}

    def uniquely_named(self) -> Path:
        name = named("unique")
        self.client.patch(
            f"/v1.0/groups(uniqueName='{name}')", json=self.of_group(), headers={"Prefer": "create-if-missing"}
        ).raise_for_status()
        return {"name": name}

    def _run_of(self, definition: str, status: str) -> str:
        """The id of its run, once that is so."""

        def there() -> str | None:
            runs = self.call("GET", f"{DEFINITIONS}/{definition}/instances")["value"]
            return next((str(one["id"]) for one in runs if one["status"] == status), None)

        return str(self.until(there))

    # Bodies

    def of_organization(self, domain: str | None = None) -> Body:
        source = {
            "@odata.type": "#microsoft.graph.domainIdentitySource",
            "domainName": domain or f"{named('partner')}.example",
        }
        return {"displayName": named("Partner"), "state": "configured", "identitySources": [source]}

    def of_delegation(self) -> Body:
        """Another role each time, of those that are for one catalog."""
        definitions = self.call("GET", f"{RM}/roleDefinitions")["value"]
        of_catalogs = [one["id"] for one in definitions if one["displayName"] != _FOR_ALL_CATALOGS]
        self._given += 1
        return {
            "principalId": self.other,
            "roleDefinitionId": of_catalogs[self._given % len(of_catalogs)],
            "appScopeId": f"/AccessPackageCatalog/{self.catalog}",
        }

    def built_in_role(self) -> str:
        """Of the directory: those of one's own may be switched off."""
        found = self.call("GET", f"{ROLES}?$filter=isBuiltIn eq true")["value"]
        return str(found[0]["id"])

    def reviewed_group(self) -> str:
        """With somebody in it."""
        group = self.made("/v1.0/groups", self.of_group())
        member = self.made("/v1.0/users", self.user())
        self.call("POST", f"/v1.0/groups/{group}/members/$ref", self.refers("directoryObjects", member))
        return group

    def by_administrator(self) -> Body:
        """Reviewers, and what else a change of them has to say."""
        return {"reviewers": [{"query": f"/users/{self.admin}", "queryType": "MicrosoftGraph"}]}

    def of_review(self, group: str, stages: int = 0) -> Body:
        staged = [
            {
                "stageId": str(number + 1),
                "dependsOn": [str(number)] if number else [],
                "durationInDays": 3,
                "recommendationsEnabled": False,
                **self.by_administrator(),
            }
            for number in range(stages)
        ]
        return {
            "displayName": named("Review"),
            "scope": {**_QUERY, "query": f"/groups/{group}/transitiveMembers"},
            "settings": {"instanceDurationInDays": 7},
            **self.by_administrator(),
            **({"stageSettings": staged} if staged else {}),
        }

    def of_history(self) -> Body:
        query = f"{AR.removeprefix('/v1.0')}/definitions?$filter=contains(scope/query, '/groups')"
        return {
            "displayName": named("History"),
            "reviewHistoryPeriodStartDateTime": "2026-01-01T00:00:00Z",
            "reviewHistoryPeriodEndDateTime": datetime.now(UTC).isoformat(),
            "scopes": [{"queryType": "MicrosoftGraph", "query": query}],
        }

    def by_rule(self, package: str, rule: str) -> Body:
        target = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": rule}
        return {
            "displayName": named("Rule"),
            "accessPackage": {"id": package},
            "allowedTargetScope": "specificDirectoryUsers",
            "specificAllowedTargets": [target],
            "automaticRequestSettings": {"requestAccessForAllowedTargets": True},
        }

    def signed_in(self) -> Body:
        name = self.call("GET", f"/v1.0/users/{self.person}")["userPrincipalName"]
        return {"userPrincipalName": name, "at": "2026-01-01T09:00:00Z"}


def _of_role() -> Body:
    actions = ["microsoft.directory/groups/allProperties/read"]
    return {"displayName": named("Role"), "isEnabled": True, "rolePermissions": [{"allowedResourceActions": actions}]}
