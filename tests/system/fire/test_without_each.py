"""Each service stopped in turn: nothing of its part happens, all else does, and all of it once it is back."""

from __future__ import annotations

import httpx
import pytest

from deploy.run.registry import NAMES
from shared.contracts import topics
from tests.system.fire import ledger
from tests.system.fire.ground import PACKAGES, PROBE, Ground, until

pytestmark = pytest.mark.timeout(480)

EFFECTS = {
    # What shows it: a topic that grows (or the mails); by whom; and who has to be up for it, if Kafka and the
    # catalog's or the directory's word are there. The two causes, a move and a turned rule, come by either of those.
    "a person has changed": (topics.PERSON_FACTS, {"directory"}),
    "a policy has changed": (topics.POLICY_FACTS, {"catalog"}),
    "a holding has changed": (topics.HOLDING_FACTS, {"assignment"}),
    "a membership is asked for": (topics.MEMBERSHIP_COMMANDS, {"assignment", "provisioning"}),
    "a membership has changed": (topics.MEMBERSHIP_FACTS, {"assignment", "provisioning", "directory"}),
    "a delivery has got on": (topics.DELIVERY_FACTS, {"assignment", "provisioning", "directory"}),
    "somebody was told": (topics.NOTIFICATIONS, {"assignment", "notification"}),
    "the trail has grown": (topics.TRAIL_HEADS, {"audit"}),
}
OWN_PATHS = {
    "directory": "/v1.0/users",
    "catalog": PACKAGES,
    "request": "/v1.0/identityGovernance/entitlementManagement/assignmentRequests",
    "approval": "/v1.0/identityGovernance/entitlementManagement/accessPackageAssignmentApprovals/nobodys",
    "assignment": "/v1.0/identityGovernance/entitlementManagement/assignments",
    "provisioning": "/v1.0/tenure/reconciliation",
    "review": "/v1.0/identityGovernance/accessReviews/definitions",
    "notification": "/v1.0/tenure/notifications/summary",
    "audit": "/v1.0/tenure/audit/key",
}


@pytest.mark.parametrize("name", NAMES)
async def test_without_one_service_nothing_of_its_part_happens_and_all_else_does_and_later_all_of_it(
    ground: Ground, name: str
) -> None:
    await ground.settled()
    policy = await _probe_policy(ground)
    await ground.services[name].stop()
    watched = {what: topic.name for what, (topic, _) in EFFECTS.items()}
    before = await ledger.counted(ground.settings, *watched.values())
    mails = await _mails(ground)
    blocked = {what for what, (_, needs) in EFFECTS.items() if name in needs}

    await ground.move(2)
    turned = await _turn_rule(ground, policy)
    assert turned == (name != "catalog")

    async def happened() -> set[str]:
        now = await ledger.counted(ground.settings, *watched.values())
        return {what for what, topic in watched.items() if now[topic] > before[topic]}

    async def all_else() -> bool:
        return await happened() >= set(EFFECTS) - blocked

    await until(all_else, lambda: f"without {name} all else goes on")
    await ground.settled(without=[name])
    assert await happened() == set(EFFECTS) - blocked
    assert (await _mails(ground) > mails) == ("somebody was told" not in blocked)
    async with ground.client() as client:
        for other, path in OWN_PATHS.items():
            assert ((await client.get(path)).status_code == 503) == (other == name), other

    ground.start(name)
    await ground.ready(name)
    if not turned:
        assert await _turn_rule(ground, policy)

    async def everything() -> bool:
        return await happened() == set(EFFECTS)

    await until(everything, f"with {name} back all of it happens")
    await ledger.holds(ground)


async def _probe_policy(ground: Ground) -> str:
    return (await ground.ids("/v1.0/identityGovernance/entitlementManagement/assignmentPolicies"))[f"{PROBE}, by rule"]


async def _turn_rule(ground: Ground, policy: str) -> bool:
    """Whether catalog took it."""
    path = f"/v1.0/identityGovernance/entitlementManagement/assignmentPolicies/{policy}"
    async with ground.client() as client:
        found = await client.get(path)
        if found.status_code == 503:
            return False
        city = ground.other_city
        body = {
            "displayName": found.json()["displayName"],
            "accessPackage": {"id": (await ground.ids(PACKAGES))[PROBE]},
            "description": found.json().get("description") or "",
            "allowedTargetScope": "specificDirectoryUsers",
            "specificAllowedTargets": [
                {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": f'(user.city -eq "{city}")'}
            ],
            "automaticRequestSettings": found.json()["automaticRequestSettings"],
        }
        answer = await client.put(path, json=body)
        assert answer.is_success, answer.text
        ground.rule_city = city
        return True


async def _mails(ground: Ground) -> int:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        return int((await client.get(f"{ground.mail}/status")).json()["mails"])
