"""A Graph user becomes flat, folded values that MongoDB can store."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from shared.rules import facets


def test_null_missing_and_empty_collections_have_no_key() -> None:
    assert facets({"department": None, "otherMails": [], "assignedPlans": None}) == facets({})
    assert facets({}) == {"userType": "member", "accountEnabled": True}


def test_what_rules_cannot_name_is_left_out() -> None:
    assert facets({"aboutMe": "x", "manager": "x", "memberOf": ["x"], "$set": 1, "a.b": 1}) == facets({})


def test_names_are_graphs_and_values_are_folded() -> None:
    out = facets(
        {
            "mobilePhone": "X1",
            "employeeOrgData": {"costCenter": "C1", "division": None, "other": 1},
            "onPremisesExtensionAttributes": {"extensionAttribute9": "Nine"},
            "extension_C272A57B722D4EB29BFE327874AE79CB_Office": "R1",
            "assignedPlans": [{"service": "SCO", "assignedDateTime": "2020-01-01"}],
            "businessPhones": ["+39 1", "+39 2"],
            "employeeId": 17,
        },
        memberships={"B", "a"},
        manager_id="M",
    )
    assert out == {
        **facets({}),
        "mobilePhone": "x1",
        "costCenter": "c1",
        "extensionAttribute9": "nine",
        "extension_c272a57b722d4eb29bfe327874ae79cb_office": "r1",
        "assignedPlans": [{"service": "sco"}],
        "businessPhones": "+39 1",
        "employeeId": "17",
        "memberOf": ["a", "b"],
        "manager": "m",
    }


@pytest.mark.parametrize(
    "written",
    [
        "2020-06-10",
        "2020-06-10T00:00:00Z",
        "2020-06-10T02:00:00.0004+02:00",
        date(2020, 6, 10),
        datetime(2020, 6, 10),  # noqa: DTZ001 (as pymongo returns it)
        datetime(2020, 6, 10, 2, microsecond=400, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_dates_in_all_their_forms_are_one_instant(written: object) -> None:
    assert facets({"employeeHireDate": written})["employeeHireDate"] == datetime(2020, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize("user", [{"employeeHireDate": "soon"}, {"accountEnabled": "yes"}, {"assignedPlans": "x"}])
def test_a_value_of_the_wrong_type_counts_as_missing(user: dict[str, object]) -> None:
    assert facets(user) == facets({})
