"""What was just made or changed elsewhere is waited for before a request is decided, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.request.api import Desk
from services.request.graph import RequestIn
from services.request.model import Request, Terms
from shared.contracts import topics
from shared.contracts.base import Cause, Refusal
from shared.contracts.request import RequestStatus, RequestType
from shared.contracts.topics import Topic
from shared.hearing import Hearing, Taken
from shared.messaging.decision import Decision
from shared.security.caller import Caller
from shared.web.errors import Forbidden, NoRight, NotFound


class Slowly:
    """A replica that knows something after some looks at it."""

    def __init__(self, known: dict[str, Any], after: int = 0) -> None:
        self.known = known
        self.after = after

    def _now(self) -> dict[str, Any]:
        self.after -= 1
        return self.known if self.after < 0 else {}

    async def get(self, ids: Iterable[str]) -> dict[str, Any]:
        wanted = set(ids)
        return {id: one for id, one in self._now().items() if id in wanted} if wanted else {}

    async def find(self, query: dict[str, Any], *, limit: int = 0) -> list[dict[str, Any]]:
        return [one for one in self._now().values() if one["package_id"] == query["package_id"]]


PACKAGE: dict[str, Any] = {"incompatible_groups": []}


def at(platform: Any, policies: Slowly, **package: Any) -> Desk:
    around: Any = SimpleNamespace(
        people=Slowly({"ana": {}}), packages=Slowly({"p": PACKAGE | package}), policies=policies
    )
    nothing: Any = None
    return Desk(platform, nothing, nothing, around)


def desk(policies: Slowly, within_s: float = 5.0) -> Desk:
    return at(SimpleNamespace(hearing=Hearing(within_s)), policies)


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


class Deciding:
    """A platform that refuses until all has been heard of these topics."""

    def __init__(self, behind: frozenset[Topic], code: str = "notInScope") -> None:
        self.decided = 0
        self._code = code
        self.waited_for: list[Topic] = []
        self._behind = set(behind)
        self.hearing = Hearing(5.0, said_so_far=self._said_so_far)

    async def _said_so_far(self, about: Mapping[str, Any]) -> Taken:
        asked = {topics.BY_NAME[name] for name in about}
        self.waited_for += asked
        looks = iter([not asked & self._behind])

        async def taken() -> bool:
            self._behind -= asked
            return next(looks, True)

        return taken

    async def run_one(self, _loop: Any, _handler: Any, ask: Any, _cause: Any) -> Any:
        self.decided += 1
        refusal = Refusal(code=self._code, message="Not for you.") if self._behind else None
        return SimpleNamespace(decision=Decision("made", refusal=refusal))


async def submitted(platform: Deciding) -> Any:
    request: Any = SimpleNamespace(state=SimpleNamespace(caller=ANA), headers={}, scope={})
    admitted: Any = SimpleNamespace(standing=SimpleNamespace(caller=ANA))
    return await at(platform, Slowly(POLICY)).submitted(request, ASKED, admitted, "r")


@pytest.fixture(autouse=True)
def _no_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.request.api.cause_of", lambda _request: None)


@pytest.mark.parametrize("behind", [topics.MEMBERSHIP_FACTS, topics.PERSON_FACTS, topics.HOLDING_FACTS])
async def test_whoever_was_just_let_in_is_not_refused_by_what_was_so_before(behind: Topic) -> None:
    platform = Deciding(frozenset({behind}))
    assert await submitted(platform) == "made"
    assert platform.decided == 2


async def test_what_is_refused_by_all_that_was_said_is_refused() -> None:
    platform = Deciding(frozenset({topics.GROUP_FACTS}))
    with pytest.raises(Forbidden, match="Not for you"):
        await submitted(platform)


async def test_what_is_not_there_is_not_waited_for_twice() -> None:
    platform = Deciding(frozenset({topics.PERSON_FACTS}), "personNotFound")
    with pytest.raises(NotFound):
        await submitted(platform)
    assert platform.decided == 1


async def test_what_is_offered_is_waited_for_before_anything_is_decided_and_floods_are_not() -> None:
    platform = Deciding(frozenset({topics.POLICY_FACTS}))
    assert await submitted(platform) == "made"
    assert platform.decided == 1
    assert topics.MEMBERSHIP_FACTS not in platform.waited_for


async def test_where_duties_are_separated_by_groups_memberships_are_waited_for() -> None:
    platform = Deciding(frozenset())
    await at(platform, Slowly(POLICY), incompatible_groups=["g"]).ask_of(ASKED, ANA, "r")
    assert topics.MEMBERSHIP_FACTS in platform.waited_for


WAITING = Request(
    id="r",
    type=RequestType.USER_ADD,
    status=RequestStatus.PENDING_APPROVAL,
    person_id="ana",
    requestor_id="ana",
    package_id="p",
    policy_id="o",
    terms=Terms(),
    assignment_id="a",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    cause=Cause(id="http:1", correlation="http:1", actor="person:ana"),
)


class Asking(Deciding):
    """What is kept of a request before and after all was heard of its approval."""

    async def states(self, _query: Any, *, limit: int) -> list[dict[str, Any]]:
        request = WAITING if self._behind else WAITING.having(approvers=("boss",))
        return [{"_id": "r", **request.model_dump(by_alias=False)}][:limit]


async def shown(person: str) -> dict[str, Any]:
    platform: Any = Asking(frozenset({topics.APPROVAL_FACTS}))
    around: Any = SimpleNamespace(packages=Slowly({"p": {"catalog_id": "c"}}))

    class Nowhere:
        standing = SimpleNamespace(caller=Caller(actor=f"person:{person}", person_id=person), everywhere=False)

        async def full(self) -> Any:
            return SimpleNamespace(at=lambda _catalog: False)

        async def at(self, _catalog: str | None) -> None:
            raise NoRight

    nothing: Any = None
    admitted: Any = Nowhere()
    return await Desk(platform, nothing, platform, around).shown("R", admitted)


async def test_whoever_was_just_asked_to_approve_it_is_shown_the_request() -> None:
    assert (await shown("boss"))["approvers"] == ("boss",)
    with pytest.raises(NoRight):
        await shown("stranger")
