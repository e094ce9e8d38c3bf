"""Somebody asks for a package that somebody has to approve, and takes it back; a group is put under review, and no
longer: again and again, and nothing is left."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import httpx

from deploy.demo.callers import Headers
from tests.system.fire.ground import EM, Ground

DEFINITIONS = "/v1.0/identityGovernance/accessReviews/definitions"


@dataclass(frozen=True)
class Asking:
    """What is asked for, and by whom."""

    package: str
    policy: str
    signed: Headers
    """Who asks."""
    approver: str
    group: str

    @classmethod
    async def begun(cls, ground: Ground, name: str) -> Asking:
        """A package of that name that all members may ask for. Two of the movers are there: one asks, one approves."""
        async with ground.client() as client:

            async def made(path: str, **body: object) -> str:
                answer = await client.post(f"{EM}/{path}", json=body, headers={"Idempotency-Key": f"{name}-{path}"})
                return str(answer.raise_for_status().json()["id"])

            found = (await client.get("/v1.0/users", params={"$top": 2, "$select": "id"})).raise_for_status().json()
            asker, approver = (one["id"] for one in found["value"])
            found = (await client.get("/v1.0/groups", params={"$top": 1, "$select": "id"})).raise_for_status().json()
            (group,) = (one["id"] for one in found["value"])
            package = await made("accessPackages", displayName=name)
            stage = {"primaryApprovers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": approver}]}
            policy = await made(
                "assignmentPolicies",
                displayName=name,
                accessPackage={"id": package},
                allowedTargetScope="allDirectoryUsers",
                requestorSettings={"enableTargetsToSelfAddAccess": True},
                requestApprovalSettings={"isApprovalRequiredForAdd": True, "stages": [stage]},
            )
        return cls(package, policy, ground.callers.person(asker), approver, group)

    async def once(self, client: httpx.AsyncClient) -> None:
        """As far as those who are to do it are up."""
        await self._ask(client)
        await self._review(client)

    async def _review(self, client: httpx.AsyncClient) -> None:
        body = {
            "displayName": "Under fire",
            "scope": {"query": f"/groups/{self.group}/transitiveMembers", "queryType": "MicrosoftGraph"},
            "reviewers": [{"query": f"/users/{self.approver}", "queryType": "MicrosoftGraph"}],
            "settings": {"instanceDurationInDays": 1},
        }
        with contextlib.suppress(httpx.HTTPError, KeyError):
            made = await client.post(DEFINITIONS, json=body)
            await client.delete(f"{DEFINITIONS}/{made.raise_for_status().json()['id']}")

    async def _ask(self, client: httpx.AsyncClient) -> None:
        who = self.signed
        body = {
            "requestType": "userAdd",
            "assignment": {"accessPackageId": self.package, "assignmentPolicyId": self.policy},
        }
        with contextlib.suppress(httpx.HTTPError, KeyError):
            await client.post(f"{EM}/assignmentRequests", json=body, headers=who)
            mine = await client.get(f"{EM}/assignmentRequests/filterByCurrentUser(on='createdBy')", headers=who)
            for one in mine.raise_for_status().json()["value"]:
                if one["state"] == "pendingApproval":
                    await client.post(f"{EM}/assignmentRequests/{one['id']}/cancel", headers=who)
