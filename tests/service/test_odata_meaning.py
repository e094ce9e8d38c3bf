"""A filter finds on a real MongoDB what the reference says that it means, for random filters over random documents."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection

from deploy.embedded import Servers
from shared.web.errors import UnsupportedQuery
from shared.web.odata import parse_filter, read_query
from shared.web.odata.ast import Node
from tests.unit.web import odata_reference
from tests.unit.web.odata_strategies import PEOPLE, document_of, filters, people, text_of


@pytest.fixture(scope="module")
def stored(servers: Servers) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](servers.endpoints.mongo) as client:
        yield client["odata_meaning"]["people"]
        client.drop_database("odata_meaning")


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(book=st.lists(filters, min_size=1, max_size=8), crowd=st.lists(people, min_size=1, max_size=8))
def test_filters_find_whom_the_reference_finds(stored, book: list[Node], crowd: list[dict[str, Any]]) -> None:
    named = {str(number): {"id": str(number), **body} for number, body in enumerate(crowd)}
    stored.delete_many({})
    stored.insert_many([document_of(id, body) for id, body in named.items()])
    for node in book:
        text = text_of(node)
        try:
            query = read_query(PEOPLE, [("$filter", text)])
        except UnsupportedQuery as refused:
            expect_too_much(refused, text)
            continue
        hits = {person["_id"] for person in stored.find(query.mongo_filter(), {"_id": 1})}
        meant = {id for id, body in named.items() if odata_reference.matches(node, body)}
        assert hits == meant, text


@settings(max_examples=300, deadline=None)
@given(node=filters)
def test_what_is_written_is_what_is_read(node: Node) -> None:
    text = text_of(node)
    try:
        again = parse_filter(text)
    except UnsupportedQuery as refused:
        expect_too_much(refused, text)
        return
    assert parse_filter(text_of(again)) == again


def expect_too_much(refused: UnsupportedQuery, text: str) -> None:
    assert re.search("too many alternatives|nested deeper|longer than|more than", refused.message), text
