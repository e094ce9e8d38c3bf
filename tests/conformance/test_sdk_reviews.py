"""Access reviews told with Microsoft's own client: who is asked, what they say, and what becomes of the access."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.access_package import AccessPackage
from msgraph.generated.models.access_package_assignment_review_settings import AccessPackageAssignmentReviewSettings
from msgraph.generated.models.access_package_request_state import AccessPackageRequestState
from msgraph.generated.models.access_review_expiration_behavior import AccessReviewExpirationBehavior
from msgraph.generated.models.access_review_instance_decision_item import AccessReviewInstanceDecisionItem
from msgraph.generated.models.access_review_query_scope import AccessReviewQueryScope
from msgraph.generated.models.access_review_reviewer_scope import AccessReviewReviewerScope
from msgraph.generated.models.access_review_schedule_definition import AccessReviewScheduleDefinition
from msgraph.generated.models.access_review_schedule_settings import AccessReviewScheduleSettings
from msgraph.generated.models.access_review_stage_settings import AccessReviewStageSettings
from msgraph.generated.models.entitlement_management_schedule import EntitlementManagementSchedule
from msgraph.generated.models.expiration_pattern import ExpirationPattern
from msgraph.generated.models.expiration_pattern_type import ExpirationPatternType
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.patterned_recurrence import PatternedRecurrence
from msgraph.generated.models.recurrence_pattern import RecurrencePattern
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.models.recurrence_range import RecurrenceRange
from msgraph.generated.models.recurrence_range_type import RecurrenceRangeType
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.reference_update import ReferenceUpdate
from msgraph.generated.models.single_user import SingleUser
from msgraph.generated.models.target_manager import TargetManager

from deploy.embedded import Servers
from tests.conformance.ground import running
from tests.conformance.sdk import Tenure, becomes, listed, made, members, offer, until
from tests.conformance.test_sdk_requests import AheadClock, asked

pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning:msgraph")

clock = AheadClock()
OWNERS = AccessReviewReviewerScope(query="./owners", query_type="MicrosoftGraph")
MANAGERS = AccessReviewReviewerScope(query="./manager", query_type="MicrosoftGraph", query_root="decisions")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tenure(servers: Servers) -> AsyncIterator[Tenure]:
    async with running(servers.endpoints, clock) as client:
        yield Tenure(client)


def owners_of(group: str) -> AccessReviewReviewerScope:
    return AccessReviewReviewerScope(query=f"/groups/{group}/owners", query_type="MicrosoftGraph")


async def group_of(tenure: Tenure, name: str, owner: str, *people: str) -> str:
    groups = tenure.client().groups
    group = made(
        await groups.post(
            Group(display_name=name, mail_nickname=name.lower(), mail_enabled=False, security_enabled=True)
        )
    )
    one = groups.by_group_id(group)
    await one.owners.ref.post(ReferenceCreate(odata_id=f"{tenure.url}/v1.0/users/{owner}"))
    for person in people:
        await one.members.ref.post(ReferenceCreate(odata_id=f"{tenure.url}/v1.0/directoryObjects/{person}"))
    return group


async def managed(tenure: Tenure, person: str, manager: str) -> None:
    link = ReferenceUpdate(odata_id=f"{tenure.url}/v1.0/users/{manager}")
    await tenure.client().users.by_user_id(person).manager.ref.put(link)


def about(group: str, *, guests: bool = False) -> AccessReviewQueryScope:
    only = "?$filter=(userType eq 'Guest')" if guests else ""
    query = f"/groups/{group}/transitiveMembers{'/microsoft.graph.user' if guests else ''}/{only}"
    return AccessReviewQueryScope(query=query, query_type="MicrosoftGraph")


class Review:
    """One review, and whoever speaks in it."""

    def __init__(self, tenure: Tenure, definition: str, instance: str) -> None:
        self.tenure, self.definition, self.instance = tenure, definition, instance

    def as_(self, person: str | None = None) -> Any:
        """Its instance, for whoever is named."""
        reviews = self.tenure.client(person).identity_governance.access_reviews
        one = reviews.definitions.by_access_review_schedule_definition_id(self.definition)
        return one.instances.by_access_review_instance_id(self.instance)

    async def items(
        self, person: str | None = None, filter_: str | None = None
    ) -> dict[str, AccessReviewInstanceDecisionItem]:
        """By whose access it is; `person`: those that they decide."""
        decisions = self.as_(person).decisions
        asked: Any = decisions.filter_by_current_user_with_on("reviewer") if person else decisions
        named = next(name for name in dir(type(asked)) if name.endswith("GetQueryParameters"))
        page = await asked.get(RequestConfiguration(query_parameters=getattr(type(asked), named)(filter=filter_)))
        return {one.principal.id: one for one in listed(page)}

    async def decide(self, by: str, about: str, decision: str, why: str = "After a look.") -> None:
        item = (await self.items(by))[about]
        body = AccessReviewInstanceDecisionItem(decision=decision, justification=why)
        await self.as_(by).decisions.by_access_review_instance_decision_item_id(item.id).patch(body)

    async def is_(self, status: str) -> None:
        async def there() -> bool:
            return bool((await self.as_().get()).status == status)

        await until(there, f"the review is {status}")


async def begun(tenure: Tenure, definition: AccessReviewScheduleDefinition) -> Review:
    """Made by the operator, once reviewers may decide."""
    definitions = tenure.client().identity_governance.access_reviews.definitions
    return await in_progress(tenure, made(await definitions.post(definition)))


async def in_progress(tenure: Tenure, id: str) -> Review:
    """Its one instance."""
    definitions = tenure.client().identity_governance.access_reviews.definitions

    async def there() -> str | None:
        found = listed(await definitions.by_access_review_schedule_definition_id(id).instances.get())
        return found[0].id if found and found[0].status == "InProgress" else None

    return Review(tenure, id, await until(there, "the review is in progress"))


@pytest.mark.spec("REV-6", "REV-18")
async def test_each_quarter_the_owner_says_which_guests_stay_and_the_others_leave_by_themselves(tenure: Tenure) -> None:
    owner, member = await tenure.person("olga"), await tenure.person("mia")
    stays, leaves, silent = [await tenure.person(name, user_type="Guest") for name in ("gus", "gil", "guy")]
    group = await group_of(tenure, "Visitors", owner, member, stays, leaves, silent)
    review = await begun(
        tenure,
        AccessReviewScheduleDefinition(
            display_name="Guests, each quarter",
            scope=about(group, guests=True),
            reviewers=[owners_of(group)],
            settings=AccessReviewScheduleSettings(
                instance_duration_in_days=7,
                auto_apply_decisions_enabled=True,
                default_decision_enabled=True,
                default_decision="Deny",
                justification_required_on_approval=True,
                recurrence=PatternedRecurrence(
                    pattern=RecurrencePattern(type=RecurrencePatternType.AbsoluteMonthly, interval=3),
                    range=RecurrenceRange(type=RecurrenceRangeType.NoEnd, start_date=today()),
                ),
            ),
        ),
    )
    mine = tenure.client(owner).identity_governance.access_reviews.definitions
    assert [one.id for one in listed(await mine.filter_by_current_user_with_on("reviewer").get())] == [
        review.definition
    ]
    assert set(await review.items(owner)) == {stays, leaves, silent}, "members are not asked about"
    with pytest.raises(ODataError):
        await review.decide(owner, stays, "Approve", "")
    await review.decide(owner, stays, "Approve", "Works on the harbour with us.")
    await review.decide(owner, leaves, "Deny")

    clock.ahead += timedelta(days=8)
    await review.is_("Applied")
    assert await members(tenure, group) == {member, stays}
    items = await review.items()
    assert {one.decision for id, one in items.items() if id != stays} == {"Deny"}
    assert {one.apply_result for one in items.values()} == {"AppliedSuccessfully"}

    clock.ahead += timedelta(days=85)  # into its week: one that passed wholly would not begin
    definitions = tenure.client().identity_governance.access_reviews.definitions
    instances = definitions.by_access_review_schedule_definition_id(review.definition).instances

    async def next_one() -> bool:
        return sorted(str(one.status) for one in listed(await instances.get())) == ["Applied", "InProgress"]

    await until(next_one, "the next quarter's review is in progress")


@pytest.mark.spec("REV-5", "REV-14", "REV-15", "REV-16")
async def test_the_manager_looks_first_and_the_owner_at_what_the_manager_would_keep(tenure: Tenure) -> None:
    owner, boss = await tenure.person("otto"), await tenure.person("bea")
    keeps, loses, drops = [await tenure.person(name) for name in ("kim", "lou", "dan")]
    for one in (keeps, loses, drops):
        await managed(tenure, one, boss)
    group = await group_of(tenure, "Vault", owner, keeps, loses, drops)
    review = await begun(
        tenure,
        AccessReviewScheduleDefinition(
            display_name="The vault",
            scope=about(group),
            stage_settings=[
                AccessReviewStageSettings(
                    stage_id="1",
                    duration_in_days=3,
                    reviewers=[MANAGERS],
                    fallback_reviewers=[owners_of(group)],
                    decisions_that_will_move_to_next_stage=["Approve", "NotReviewed"],
                ),
                AccessReviewStageSettings(
                    stage_id="2", depends_on=["1"], duration_in_days=3, reviewers=[owners_of(group)]
                ),
            ],
            settings=AccessReviewScheduleSettings(auto_apply_decisions_enabled=True),
        ),
    )
    await managed_known(review, boss, {keeps, loses, drops})
    await review.decide(boss, keeps, "Approve")
    await review.decide(boss, loses, "Approve")
    await review.decide(boss, drops, "Deny")
    first, *more = listed(await review.as_().stages.get())
    assert not more, "the second stage is made when the first is over"
    with pytest.raises(ODataError):
        await review.items(owner)

    clock.ahead += timedelta(days=3, hours=1)

    async def second() -> bool:
        return "InProgress" in [one.status for one in listed(await review.as_().stages.get())[1:]]

    await until(second, "the second stage is in progress")
    assert len(listed(await review.as_(owner).stages.filter_by_current_user_with_on("reviewer").get())) == 1
    theirs = await review.items(owner)
    assert set(theirs) == {keeps, loses}, "what is denied goes no further"
    assert {one.decision for one in theirs.values()} == {"NotReviewed"}, "what was decided before is not shown"
    assert set(await review.items(owner, "decision eq 'NotReviewed'")) == {keeps, loses}, "to be decided again"
    assert not await review.items(owner, "decision eq 'Approve'"), "and is not found out by a filter"
    one = await review.as_(owner).decisions.by_access_review_instance_decision_item_id(theirs[keeps].id).get()
    assert (one.decision, one.justification) == ("NotReviewed", "")
    assert await members(tenure, group) == {keeps, loses, drops}, "nothing happens before the last stage is over"
    await review.decide(owner, loses, "Deny", "Not any more.")

    stages = {one.id: one.status for one in listed(await review.as_().stages.get())}
    assert sorted(stages.values()) == ["Completed", "InProgress"]
    assert stages[first.id] == "Completed"
    clock.ahead += timedelta(days=3, hours=1)
    await review.is_("Applied")
    assert await members(tenure, group) == {keeps}
    assert {id: one.decision for id, one in (await review.items()).items()} == {
        keeps: "Approve", loses: "Deny", drops: "Deny",
    }  # fmt: skip


async def managed_known(review: Review, boss: str, people: set[str]) -> None:
    async def there() -> bool:
        return set(await review.items(boss)) == people

    await until(there, "the manager is asked about them")


@pytest.mark.spec("REV-5", "REV-10", "REV-12")
async def test_everybody_says_for_themself_whether_they_still_need_it(tenure: Tenure) -> None:
    owner = await tenure.person("opal")
    needs, does_not, unsure = [await tenure.person(name) for name in ("nia", "don", "uma")]
    group = await group_of(tenure, "Newsletter", owner, needs, does_not, unsure)
    review = await begun(
        tenure,
        AccessReviewScheduleDefinition(
            display_name="Still needed?",
            scope=about(group),
            reviewers=[],
            settings=AccessReviewScheduleSettings(instance_duration_in_days=5),
        ),
    )
    assert set(await review.items(needs)) == {needs}, "each is asked about themself alone"
    other, body = (await review.items())[unsure], AccessReviewInstanceDecisionItem(decision="Deny")
    with pytest.raises(ODataError):
        await review.as_(needs).decisions.by_access_review_instance_decision_item_id(other.id).patch(body)
    await review.decide(needs, needs, "Deny")
    await review.decide(needs, needs, "Approve", "I read it.")
    await review.decide(does_not, does_not, "Deny")
    await review.decide(unsure, unsure, "DontKnow")
    with pytest.raises(ODataError):
        await review.as_().apply_decisions.post()

    await review.as_().stop.post()
    await review.is_("Completed")
    await review.as_().apply_decisions.post()
    await review.is_("Applied")
    assert await members(tenure, group) == {needs, unsure}
    query = type(review.as_().decisions).DecisionsRequestBuilderGetQueryParameters(filter="decision eq 'DontKnow'")
    found = listed(await review.as_().decisions.get(RequestConfiguration(query_parameters=query)))
    assert [one.principal.id for one in found] == [unsure]


def today() -> date:
    return clock.now().date()


@pytest.mark.spec("PKR-1", "PKR-3")
async def test_a_policy_has_its_assignments_reviewed_by_their_managers(tenure: Tenure) -> None:
    boss = await tenure.person("bo")
    keeps, loses = [await tenure.person(name) for name in ("ken", "liv")]
    for one in (keeps, loses):
        await managed(tenure, one, boss)
    what = await offer(tenure, "Reviewed")
    policy = tenure.em().assignment_policies.by_access_package_assignment_policy_id(what.policy)
    read = await policy.get()
    read.access_package = AccessPackage(id=what.package)
    read.review_settings = AccessPackageAssignmentReviewSettings(
        is_enabled=True,
        expiration_behavior=AccessReviewExpirationBehavior.KeepAccess,
        is_reviewer_justification_required=True,
        primary_reviewers=[TargetManager(manager_level=1)],
        fallback_reviewers=[SingleUser(user_id=boss)],
        schedule=EntitlementManagementSchedule(
            start_date_time=clock.now() + timedelta(days=2),
            expiration=ExpirationPattern(type=ExpirationPatternType.AfterDuration, duration=timedelta(days=14)),
            recurrence=PatternedRecurrence(
                pattern=RecurrencePattern(type=RecurrencePatternType.AbsoluteMonthly, interval=3),
                range=RecurrenceRange(type=RecurrenceRangeType.NoEnd),
            ),
        ),
    )
    await policy.put(read)
    for one in (keeps, loses):
        await becomes(tenure, await asked(tenure, one, what), AccessPackageRequestState.Delivered)
    definitions = tenure.client().identity_governance.access_reviews.definitions

    async def followed() -> str | None:
        found = listed(await definitions.get())
        return next((one.id for one in found if what.policy in str(getattr(one.scope, "query", ""))), None)

    id = await until(followed, "a review follows the policy")
    clock.ahead += timedelta(days=3)
    review = await in_progress(tenure, id)
    await review.decide(boss, keeps, "Approve")
    await review.decide(boss, loses, "Deny")
    clock.ahead += timedelta(days=15)
    await review.is_("Applied")

    async def out() -> bool:
        return await members(tenure, what.group) == {keeps}

    await until(out, "whom the manager denied is out of the group")
