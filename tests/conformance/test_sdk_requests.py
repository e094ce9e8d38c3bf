"""The life of a request and its assignment, told with Microsoft's own client, and the time that goes by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.access_package_assignment import AccessPackageAssignment
from msgraph.generated.models.access_package_assignment_request import AccessPackageAssignmentRequest
from msgraph.generated.models.access_package_request_state import AccessPackageRequestState
from msgraph.generated.models.access_package_request_type import AccessPackageRequestType
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.reference_create import ReferenceCreate

from deploy.embedded import Servers
from shared.clock import SystemClock
from tests.conformance.ground import running
from tests.conformance.sdk import Offer, Tenure, approve, becomes, listed, made, members, offer, until

pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning:msgraph")

MONTH = timedelta(days=30)
AT = "/identityGovernance/entitlementManagement/accessPackages"


class AheadClock:
    """The machine's time and a span that grows."""

    def __init__(self) -> None:
        self._machine = SystemClock()
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self._machine.now() + self.ahead


clock = AheadClock()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenure(servers: Servers) -> AsyncIterator[Tenure]:
    async with running(servers.endpoints, clock) as client:
        yield Tenure(client)


async def asked(tenure: Tenure, by: str, what: Offer) -> str:
    asking = AccessPackageAssignmentRequest(
        request_type=AccessPackageRequestType.UserAdd,
        justification="For my work.",
        assignment=AccessPackageAssignment(
            additional_data={"accessPackageId": what.package, "assignmentPolicyId": what.policy}
        ),
    )
    return made(await tenure.em(by).assignment_requests.post(asking))


async def changed(tenure: Tenure, by: str, assignment: str, how: AccessPackageRequestType) -> str:
    body = AccessPackageAssignmentRequest(request_type=how, assignment=AccessPackageAssignment(id=assignment))
    return made(await tenure.em(by).assignment_requests.post(body))


async def assignments(tenure: Tenure, what: Offer, state: str) -> list[Any]:
    em = tenure.em()
    options = type(em.assignments).AssignmentsRequestBuilderGetQueryParameters(
        filter=f"accessPackage/id eq '{what.package}' and state eq '{state}'", expand=["target"]
    )
    return listed(await em.assignments.get(RequestConfiguration(query_parameters=options)))


def ends_at(assignment: AccessPackageAssignment) -> datetime:
    assert assignment.schedule
    assert assignment.schedule.expiration
    assert assignment.schedule.expiration.end_date_time
    found: datetime = assignment.schedule.expiration.end_date_time
    return found


async def delivered(tenure: Tenure, what: Offer) -> AccessPackageAssignment:
    async def there() -> AccessPackageAssignment | None:
        found = await assignments(tenure, what, "delivered")
        return found[0] if found else None

    one: AccessPackageAssignment = await until(there, "it is delivered")
    return one


async def test_two_stages_lead_to_access_that_is_extended_and_then_runs_out(tenure: Tenure) -> None:
    ana, first, second = [await tenure.person(name) for name in ("ana", "first", "second")]
    ledger = await offer(tenure, "Ledger", first, second, lasts=MONTH)

    request = await asked(tenure, ana, ledger)
    await becomes(tenure, request, AccessPackageRequestState.PendingApproval)
    await approve(tenure, request, first)
    assert (await becomes(tenure, request, AccessPackageRequestState.PendingApproval)).status != "Delivered"
    assert await members(tenure, ledger.group) == set()
    await approve(tenure, request, second)
    await becomes(tenure, request, AccessPackageRequestState.Delivered)

    given = await delivered(tenure, ledger)
    assert given.target
    assert given.target.object_id == ana
    assert abs(ends_at(given) - clock.now() - MONTH) < timedelta(minutes=5)
    assert await members(tenure, ledger.group) == {ana}

    clock.ahead += timedelta(days=20)
    extension = await changed(tenure, ana, made(given), AccessPackageRequestType.UserUpdate)
    await becomes(tenure, extension, AccessPackageRequestState.Delivered)
    assert ends_at(await delivered(tenure, ledger)) - ends_at(given) == MONTH

    clock.ahead += timedelta(days=20)  # past the first end, not the second
    assert await members(tenure, ledger.group) == {ana}
    clock.ahead += timedelta(days=21)

    async def out() -> bool:
        return await members(tenure, ledger.group) == set()

    await until(out, "the access has run out")
    assert [made(one) for one in await assignments(tenure, ledger, "expired")] == [made(given)]
    assert await assignments(tenure, ledger, "delivered") == []


async def test_whoever_has_access_gives_it_back(tenure: Tenure) -> None:
    ben = await tenure.person("ben")
    tools = await offer(tenure, "Tools")
    await becomes(tenure, await asked(tenure, ben, tools), AccessPackageRequestState.Delivered)
    given = await delivered(tenure, tools)

    removal = await changed(tenure, ben, made(given), AccessPackageRequestType.UserRemove)

    await becomes(tenure, removal, AccessPackageRequestState.Delivered)

    async def out() -> bool:
        return await members(tenure, tools.group) == set()

    await until(out, "they are out of the group")


async def test_the_second_stage_can_deny_what_the_first_approved(tenure: Tenure) -> None:
    cid, first, second = [await tenure.person(name) for name in ("cid", "first", "second")]
    vault = await offer(tenure, "Vault", first, second)
    request = await asked(tenure, cid, vault)

    await approve(tenure, request, first)
    await approve(tenure, request, second, "Deny")

    await becomes(tenure, request, AccessPackageRequestState.Denied)
    assert await members(tenure, vault.group) == set()


async def test_what_nobody_decides_is_denied_by_time(tenure: Tenure) -> None:
    dan, first = [await tenure.person(name) for name in ("dan", "first")]
    archive = await offer(tenure, "Archive", first)
    request = await asked(tenure, dan, archive)
    await becomes(tenure, request, AccessPackageRequestState.PendingApproval)

    clock.ahead += timedelta(days=15)

    assert (await becomes(tenure, request, AccessPackageRequestState.Denied)).status == "Expired"


async def test_what_does_not_go_together_is_refused_one_way_and_listed(tenure: Tenure) -> None:
    eve = await tenure.person("eve")
    paying, checking = await offer(tenure, "Paying"), await offer(tenure, "Checking")
    packages = tenure.em().access_packages
    link = ReferenceCreate(odata_id=f"{tenure.url}/v1.0{AT}/{paying.package}")
    await packages.by_access_package_id(checking.package).incompatible_access_packages.ref.post(link)
    listed_there = await packages.by_access_package_id(checking.package).incompatible_access_packages.get()
    assert [one.id for one in listed(listed_there)] == [paying.package]
    the_other_way = await packages.by_access_package_id(paying.package).access_packages_incompatible_with.get()
    assert [one.id for one in listed(the_other_way)] == [checking.package]
    await becomes(tenure, await asked(tenure, eve, paying), AccessPackageRequestState.Delivered)

    with pytest.raises(ODataError) as refused:
        await asked(tenure, eve, checking)

    assert refused.value.response_status_code == 400
    assert refused.value.error
    assert refused.value.error.code == "incompatibleAccessPackage"
    assert await members(tenure, checking.group) == set()
