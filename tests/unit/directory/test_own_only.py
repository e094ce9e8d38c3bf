"""Who may see nobody but themself: themself, by whatever name. Who may see little of everybody: no more than that."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi import Request

from services.directory.api import as_far_as_read, own_only
from services.directory.graph import USERS_RELATED
from services.directory.store import People
from shared.security.caller import Caller
from shared.security.operations import PEOPLE_READ, USERS_READ, Rule
from shared.web.errors import Forbidden
from shared.web.guard import Admission, FromToken
from shared.web.odata import ListQuery, read_query

NAMES = {"ana": "ana@example.com", "ben": "ben@example.com"}


class Directory:
    """Two people, found as `People` finds them."""

    async def by_name_or_id(self, key: str) -> dict[str, Any] | None:
        return next(({"_id": id} for id, name in NAMES.items() if key.lower() in {id, name}), None)


async def sees(rule: Rule, path: str, id: str | None, upn: str | None) -> bool:
    """Whether Ana does, whose token lets an application read herself."""
    ana = Caller("person:ana", "ana", upn, app_id="app", scopes=frozenset({"User.Read"}))
    request = Request({"type": "http", "path": path, "path_params": {"id": id} if id else {}, "headers": []})
    admission = Admission(rule, ana, FromToken())
    await admission.enter(request)
    try:
        await own_only(cast(People, Directory()))(request, admission)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("upn", ["ana@example.com", None, "ben@example.com"])
@pytest.mark.parametrize(("rule", "path"), [(USERS_READ, "/v1.0/users"), (PEOPLE_READ, "/v1.0/tenure/people")])
async def test_a_token_for_oneself_shows_oneself_whatever_name_it_gives(rule: Rule, path: str, upn: str | None) -> None:
    for own in ("ana", "ANA", "ana@example.com", "Ana@Example.com"):
        assert await sees(rule, f"{path}/{own}", own, upn), own
    for other in ("ben", "ben@example.com", "nobody"):
        assert not await sees(rule, f"{path}/{other}", other, upn), other


@pytest.mark.parametrize("upn", ["ana@example.com", None])
@pytest.mark.parametrize(
    "path", ["/v1.0/users", "/v1.0/tenure/people", "/v1.0/tenure/identities", "/v1.0/tenure/sources"]
)
async def test_what_shows_everybody_is_not_ones_own(path: str, upn: str | None) -> None:
    assert not await sees(PEOPLE_READ, path, None, upn)


async def asked(options: str, *scopes: str) -> ListQuery:
    """What is asked of the list of users by somebody whose token allows these."""
    ana = Caller("person:ana", "ana", app_id="app", scopes=frozenset(scopes))
    request = Request({"type": "http", "path": "/v1.0/users", "query_string": options.encode(), "headers": []})
    admission = Admission(USERS_READ, ana, FromToken())
    await admission.enter(request)
    return as_far_as_read(request, admission, read_query(USERS_RELATED, request.query_params.multi_items()))


SHOWN = {"id": "ben", "displayName": "Ben", "mail": "ben@example.com", "department": "Sales", "jobTitle": "Clerk"}


@pytest.mark.parametrize("options", ["", "$select=*", "$filter=startswith(displayName,'b')&$search=\"mail:b\"&$top=5"])
async def test_who_may_read_the_basics_of_people_sees_no_more(options: str) -> None:
    basic = await asked(options, "User.ReadBasic.All")
    assert basic.selected(SHOWN).keys() == {"id", "displayName", "mail"}
    for scopes in (("User.Read.All",), ("Directory.Read.All",), ("User.ReadBasic.All", "User.ReadWrite.All")):
        assert (await asked(options, *scopes)).selected(SHOWN).keys() >= {"id", "displayName", "mail", "jobTitle"}


@pytest.mark.parametrize(
    "options",
    [
        "$select=id,department",
        "$select=signInActivity",
        "$filter=department eq 'Sales'",
        "$filter=id eq 'ben' and not(jobTitle eq null)",
        "$orderby=department",
        '$search="jobTitle:clerk"',
        "$expand=manager",
        "$expand=directReports($select=id)",
    ],
)
async def test_nor_asks_by_more(options: str) -> None:
    with pytest.raises(Forbidden):
        await asked(options, "User.Read", "User.ReadBasic.All")
    assert await asked(options, "User.Read.All")
