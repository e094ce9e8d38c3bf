"""Which rejections still wait, told by the people who do."""

from typing import Any

import pytest

from deploy.cli.rejections import Standing, standing

MANAGERLESS = {"hr:E1": {"status": "active", "waitsForManager": "hr:E9"}}
UNJOINED = {"hr:E1": {"status": "expected", "waitsForManager": None}}


def rejection(code: str, employee: str | None = "E1", manager: str = "E9", **original: Any) -> dict[str, Any]:
    said = {"attributes": {"managerEmployeeId": manager}, **original}
    return {"source": "hr", "employeeId": employee, "reason": {"code": code}, "original": said}


@pytest.mark.parametrize(
    ("one", "waiting", "stands"),
    [
        (rejection("invalidDate"), UNJOINED, Standing.REFUSED),
        (rejection("notJson", None) | {"original": "eA=="}, UNJOINED, Standing.REFUSED),
        (rejection("managerUnknown"), MANAGERLESS, Standing.WAITING),
        (
            rejection("managerUnknown") | {"original": {"specversion": "1.0", "data_base64": "e30="}},
            MANAGERLESS,
            "waiting",
        ),
        (rejection("managerUnknown"), {}, Standing.SETTLED),
        # Another was named since, and it is that one who is waited for.
        (rejection("managerUnknown", manager="E8"), MANAGERLESS, Standing.SETTLED),
        (rejection("managerUnknown"), UNJOINED, Standing.SETTLED),
        (rejection("notJoined"), UNJOINED, Standing.WAITING),
        (rejection("notJoined"), MANAGERLESS, Standing.SETTLED),
        (rejection("notJoined", "E2"), UNJOINED, Standing.SETTLED),
        (rejection("ambiguousIdentity"), UNJOINED, Standing.WAITING),
        (rejection("ambiguousIdentity"), {}, Standing.SETTLED),
    ],
)
def test_a_rejection_waits_as_long_as_its_person_does(one: Any, waiting: Any, stands: str) -> None:
    assert standing(one, waiting) == stands
