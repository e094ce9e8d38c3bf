"""The collection of sign-ins, and whose a report is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.directory.decide.sign_ins import HeardSignIn, who_signed_in
from services.directory.store import JOINED, People
from shared.contracts.signins import SignInsState
from shared.storage import Database, MongoAggregates

NOBODY = "nobody"
"""Where a report is decided whose person is unknown: it is answered and nothing is kept."""


class SignIns(MongoAggregates):
    """`sign_ins`, by person id."""

    def __init__(self, database: Database, people: People) -> None:
        super().__init__(database, "sign_ins")
        self._people = people

    async def locate(self, messages: Sequence[HeardSignIn]) -> Sequence[str]:
        """Whose each report is: one query for employee ids and one for names. Sets `person_id` and `unknown`."""
        said = [heard.said for heard in messages]
        numbers = {one.employee_id.casefold() for one in said if one.employee_id is not None}
        names = {one.user_principal_name.casefold() for one in said if one.user_principal_name is not None}
        numbered = await self._people_by("state.number", numbers)
        named = await self._people_by("state.name", names)
        for heard in messages:
            number, name = heard.said.employee_id, heard.said.user_principal_name
            who_signed_in(
                heard,
                numbered.get(number.casefold(), ()) if number is not None else (),
                next(iter(named.get(name.casefold(), ())), None) if name is not None else None,
            )
        return [NOBODY if heard.unknown else heard.person_id for heard in messages]

    async def _people_by(self, field: str, values: Collection[str]) -> Mapping[str, list[str]]:
        """Value -> ids of the people who have joined and have it, by index."""
        found: dict[str, list[str]] = {}
        if values:
            for id, value in await self._people.pairs({field: {"$in": sorted(values)}, **JOINED}, field):
                found.setdefault(value, []).append(id)
        return found

    async def last_of(self, people: Collection[str]) -> dict[str, Any]:
        """Person id -> when they last signed in, of those of whom it is known."""
        return dict(await self.pairs({"_id": {"$in": list(people)}}, "state.last_at"))


def dump_sign_ins(state: SignInsState) -> dict[str, Any]:
    return state.model_dump(by_alias=False)


def load_sign_ins(document: Mapping[str, Any]) -> SignInsState:
    return SignInsState.model_validate(document)
