"""Delta queries: what a token carries, which filters are understood, what of an object is shown."""

from __future__ import annotations

import pytest

from services.directory.delta import MOST_IDS, Asked, Token, narrowed, read_ids
from services.directory.graph import USERS
from shared.web.errors import BadRequest, UnsupportedQuery

ONE, TWO = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
USERS_ASKED = Asked("users", "manager", USERS)


def test_a_token_comes_back_as_it_was_given() -> None:
    token = Token("users", "8263", 12, "members", ONE, ("displayName",), (ONE, TWO))
    assert Token.read(token.text(), "users") == token


@pytest.mark.parametrize("text", ["x", "!!!", "bnVsbA", "e30", Token("users", "82", 1).text(), "0" * 4000])
def test_what_is_no_token_of_the_list_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Token.read(text, "groups")


def test_a_filter_names_ids_and_nothing_else() -> None:
    assert read_ids(f"id eq '{ONE}' or id eq '{TWO}' or id eq '{ONE}'") == (ONE, TWO)
    assert read_ids(f"id in ('{ONE}')") == (ONE,)
    for wrong in ("displayName eq 'Ana'", f"id ne '{ONE}'", f"id eq '{ONE}' and id eq '{TWO}'", "id eq null"):
        with pytest.raises(UnsupportedQuery):
            read_ids(wrong)
    with pytest.raises(UnsupportedQuery, match="at most"):
        read_ids(" or ".join(f"id eq '{number}'" for number in range(MOST_IDS + 1)))


def test_the_first_call_says_what_all_rounds_show() -> None:
    token = USERS_ASKED.first([("$select", "DisplayName,manager"), ("$filter", f"id eq '{ONE}'")], "82")
    assert (token.phase, token.at, token.select, token.ids) == ("objects", "82", ("displayName", "manager"), (ONE,))
    for wrong in (("$top", "5"), ("$expand", "manager"), ("$orderby", "id"), ("$select", "madeUp")):
        with pytest.raises(UnsupportedQuery):
            USERS_ASKED.first([wrong], "82")


def test_unset_properties_are_absent_and_the_id_never_is() -> None:
    shown = {"id": ONE, "displayName": "Ana", "mail": None, "city": "Rome"}
    assert narrowed(shown, None) == {"id": ONE, "displayName": "Ana", "city": "Rome"}
    assert narrowed(shown, ("displayName", "mail")) == {"id": ONE, "displayName": "Ana"}
