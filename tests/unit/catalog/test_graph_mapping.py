"""Graph's JSON and the aggregates: what is read, what is refused, what is written back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.catalog import graph
from services.catalog.model import Policy
from services.catalog.store import Versioned
from shared.durations import duration, iso, later
from shared.web.errors import BadRequest

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RULE = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": ' user.department -eq "Sales" '}
AUTOMATIC: dict[str, Any] = {
    "displayName": "By rule",
    "accessPackage": {"id": "sales"},
    "allowedTargetScope": "specificDirectoryUsers",
    "specificAllowedTargets": [RULE],
    "automaticRequestSettings": {
        "requestAccessForAllowedTargets": True,
        "removeAccessWhenTargetLeavesAllowedTargets": True,
        "gracePeriodBeforeAccessRemoval": "PT0S",
    },
}


def policy(body: dict[str, Any]) -> Policy:
    return graph.policy_of(graph.PolicyIn.model_validate(body), "id", NOW)


@pytest.mark.spec("AUT-2")
def test_an_automatic_policy_comes_back_as_it_was_sent() -> None:
    read = policy(AUTOMATIC)
    assert (read.rule, read.takes_access, read.grace_period) == ('user.department -eq "Sales"', True, None)
    said = graph.policy_said(Versioned(read, 1, {}))
    assert said["automaticRequestSettings"] == AUTOMATIC["automaticRequestSettings"]
    again = policy({**said, "accessPackage": {"id": "sales"}})
    assert again.content() == read.content()


def test_ids_of_origins_are_read_in_any_case() -> None:
    group = "AB0CDEF0-0000-4000-8000-0000000000FF"
    said = {"role": {"originId": f"Member_{group}", "resource": {"originId": group}}, "scope": {"originId": group}}
    assert graph.role_named(graph.RoleScopeIn.model_validate(said)) == ("AadGroup", group.lower(), "Member")
    assert graph.ResourceIn.model_validate({"originId": group}).origin_id == group.lower()
    site = "https://Contoso.sharepoint.com/sites/Sales"
    assert graph.ResourceIn.model_validate({"originId": site, "originSystem": "SharePointOnline"}).origin_id == site


def by_request(**more: Any) -> dict[str, Any]:
    return {"displayName": "P", "accessPackage": {"id": "sales"}, "allowedTargetScope": "allMemberUsers", **more}


@pytest.mark.parametrize(
    "expiration",
    [
        {"duration": "P5D"},
        {"endDateTime": "2030-01-01T00:00:00Z"},
        {"type": "noExpiration", "duration": "P5D"},
        {"type": "notSpecified", "endDateTime": "2030-01-01T00:00:00Z"},
    ],
)
def test_an_end_that_would_be_dropped_is_refused(expiration: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        policy(by_request(expiration=expiration))
    assert refused.value.target == "expiration"
    never = policy(by_request(expiration={"type": "noExpiration", "duration": "PT0S", "endDateTime": None}))
    assert (never.expires_after, never.expires_at) == (None, None)


def test_a_policy_names_its_package_by_id_or_by_a_bound_address() -> None:
    body = by_request()
    del body["accessPackage"]
    bound = {"accessPackage@odata.bind": "https://graph.example/v1.0/x/accessPackages('Sales')"}
    assert policy({**body, **bound}).package_id == "sales"
    for wrong, target in (
        (body, "accessPackage"),
        ({**body, "accessPackage@odata.bind": ""}, "accessPackage@odata.bind"),
    ):
        with pytest.raises(BadRequest) as refused:
            policy(wrong)
        assert refused.value.target == target


@pytest.mark.parametrize("body", [graph.CatalogIn, graph.PackageIn, graph.CatalogPatch, graph.PackagePatch])
@pytest.mark.parametrize("name", ["", " ", "\t\u00a0"])
def test_a_name_of_blanks_names_nothing(body: Any, name: str) -> None:
    with pytest.raises(ValidationError):
        body.model_validate({"displayName": name})
    assert body.model_validate({"displayName": f"{name}a"}).display_name == f"{name}a"


@pytest.mark.spec("AUT-2", "AUT-8")
@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"allowedTargetScope": "allMemberUsers"}, "specificAllowedTargets"),
        ({"specificAllowedTargets": []}, "specificAllowedTargets"),
        ({"specificAllowedTargets": [RULE, RULE]}, "specificAllowedTargets"),
        (
            {"specificAllowedTargets": [{"@odata.type": "#microsoft.graph.singleUser", "userId": "x"}]},
            "specificAllowedTargets/0/@odata.type",
        ),
        ({"expiration": {"type": "afterDuration", "duration": "P1D"}}, "expiration"),
        ({"expiration": {"type": "afterDuration", "duration": "P1M"}}, "expiration/duration"),
        ({"expiration": {"type": "afterDateTime", "endDateTime": "2030-01-01"}}, "expiration"),
        (
            {"automaticRequestSettings": {"gracePeriodBeforeAccessRemoval": "P1M"}},
            "automaticRequestSettings/gracePeriodBeforeAccessRemoval",
        ),
        ({"questions": [{"text": "Why?"}]}, "questions"),
        ({"requestorSettings": {"enableTargetsToSelfAddAccess": True}}, "requestorSettings"),
    ],
)
def test_what_would_not_be_honoured_is_refused(change: dict[str, Any], target: str) -> None:
    with pytest.raises(BadRequest) as refused:
        policy({**AUTOMATIC, **change})
    assert refused.value.target == target


def test_what_a_rule_gives_and_takes_is_read_and_written() -> None:
    settings = {
        "requestAccessForAllowedTargets": False,
        "removeAccessWhenTargetLeavesAllowedTargets": False,
        "gracePeriodBeforeAccessRemoval": "P7D",
    }
    read = policy({**AUTOMATIC, "automaticRequestSettings": settings})
    assert (read.gives_access, read.takes_access, read.grace_period) == (False, False, timedelta(days=7))
    assert graph.policy_said(Versioned(read, 1, {}))["automaticRequestSettings"] == settings


@pytest.mark.parametrize(
    ("text", "span", "written"),
    [
        ("P90D", timedelta(days=90), "P90D"),
        ("P2W", timedelta(weeks=2), "P14D"),
        ("PT36H", timedelta(hours=36), "P1DT12H"),
        ("P1DT0H30M5S", timedelta(days=1, minutes=30, seconds=5), "P1DT30M5S"),
        ("PT0S", timedelta(), "PT0S"),
        (str(timedelta(days=30)), timedelta(days=30), "P30D"),
        (str(timedelta(hours=36, minutes=5)), timedelta(hours=36, minutes=5), "P1DT12H5M"),
    ],
)
def test_durations_are_read_and_written(text: str, span: timedelta, written: str) -> None:
    assert duration(text) == span
    assert iso(span) == written


@pytest.mark.parametrize("text", ["", "P", "PT", "P1M", "P1Y", "90", "-P1D", "P1DT"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


@pytest.mark.parametrize("text", ["P36526D", "P9999999D", "P99999999999D", f"P{'9' * 5000}D", "9999999 days, 0:00:00"])
def test_no_duration_leads_beyond_the_last_date(text: str) -> None:
    with pytest.raises(ValueError, match="longer than a century"):
        duration(text)
    assert duration("P36525D").days == 36_525
    for change, target in (
        ({"automaticRequestSettings": {"gracePeriodBeforeAccessRemoval": text}}, AUTOMATIC),
        ({"requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [stage(text)]}}, by_request()),
    ):
        with pytest.raises(BadRequest):
            policy({**target, **change})


def stage(time: str) -> dict[str, Any]:
    approver = {"@odata.type": "#microsoft.graph.singleUser", "userId": "boss"}
    return {"durationBeforeAutomaticDenial": time, "primaryApprovers": [approver]}


def test_what_ends_after_the_last_date_ends_with_it() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)
    assert later(NOW, timedelta(days=1)) == NOW + timedelta(days=1)
    assert later(last - timedelta(days=1), timedelta(days=1)) == last
    assert later(last - timedelta(days=1), timedelta(days=2)) == last


def test_ids_in_bodies_are_read_in_any_case() -> None:
    nested = graph.PackageIn.model_validate({"displayName": "Sales", "catalog": {"id": "AB-CD"}})
    bound = graph.PackageIn.model_validate({"displayName": "Sales", "catalog@odata.bind": "https://x/catalogs/AB-CD"})
    assert [graph.package_of(one, "id", NOW).catalog_id for one in (nested, bound)] == ["ab-cd", "ab-cd"]


def test_a_patch_of_null_takes_a_description_away_and_nothing_else() -> None:
    assert graph.changes_of(graph.PackagePatch.model_validate({"description": None})) == {"description": ""}
    with pytest.raises(BadRequest, match="displayName"):
        graph.changes_of(graph.PackagePatch.model_validate({"displayName": None}))
