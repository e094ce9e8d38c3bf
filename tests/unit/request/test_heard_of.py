"""What was just made elsewhere is waited for before a request is decided."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from services.request.api import Desk
from services.request.graph import RequestIn
from shared.hearing import Hearing
from shared.security.caller import Caller


class Slowly:
    """A replica that knows something after some looks at it."""

    def __init__(self, known: dict[str, Any], after: int = 0, before: dict[str, Any] | None = None) -> None:
        self.known = known
        self.after = after
        self.before = before or {}

    def _now(self) -> dict[str, Any]:
        self.after -= 1
        return self.known if self.after < 0 else self.before

    async def get(self, ids: Iterable[str]) -> dict[str, Any]:
        wanted = set(ids)
        return {id: one for id, one in self._now().items() if id in wanted} if wanted else {}

    async def find(self, query: dict[str, Any], *, limit: int = 0) -> list[dict[str, Any]]:
        return [one for one in self._now().values() if one["package_id"] == query["package_id"]]


def desk(policies: Slowly, within_s: float = 5.0) -> Desk:
    around = SimpleNamespace(people=Slowly({"ana": {}}), packages=Slowly({"p": {}}), policies=policies)
    platform: Any = SimpleNamespace(hearing=Hearing(within_s))
    nothing: Any = None
    return Desk(platform, nothing, nothing, around)  # type: ignore[arg-type]


ASKED = RequestIn.model_validate({"requestType": "userAdd", "assignment": {"accessPackageId": "p"}})
ANA = Caller(actor="person:ana", person_id="ana")
POLICY = {"o": {"package_id": "p"}, "other": {"package_id": "q"}}


async def test_who_names_no_policy_is_not_refused_while_the_only_one_is_on_its_way() -> None:
    policies = Slowly(POLICY, after=3)
    ask = await desk(policies).ask_of(ASKED, ANA, "r")
    assert (ask.package_id, ask.policy_id) == ("p", None)
    assert policies.after < 0, "it was looked for until it was there"


async def test_a_package_without_any_policy_is_decided_in_the_end() -> None:
    ask = await desk(Slowly({}), within_s=0.05).ask_of(ASKED, ANA, "r")
    assert ask.policy_id is None, "the decision says that nobody may ask for it"


@pytest.mark.parametrize(("manager", "within_s"), [("ana", 5.0), ("eva", 0.1)])
async def test_who_asks_for_a_new_report_of_theirs_is_not_refused_while_that_is_on_its_way(
    manager: str, within_s: float
) -> None:
    one = desk(Slowly(POLICY), within_s)
    before: dict[str, Any] = {"ana": {}, "ben": {"manager_id": None}}
    people = Slowly({**before, "ben": {"manager_id": manager}}, 2, before)
    one.around.people = people  # type: ignore[assignment]
    asked = {"requestType": "onBehalfAdd", "assignment": {"targetId": "ben", "accessPackageId": "p"}}
    ask = await one.ask_of(RequestIn.model_validate(asked), ANA, "r")
    assert (ask.person_id, ask.requestor_id) == ("ben", "ana"), "whose report it is, the decision says"
    assert people.after < 0, "it was looked for until it was there"
