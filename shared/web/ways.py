"""The way from what a declared path answers to what lies behind it: along relations, which `$expand` follows, and by id
into a list.

    /accessPackages/{id}/catalog                      accessPackages/{id}?$expand=catalog
    /assignmentRequests/{id}/requestor/connectedOrganization
                                                      …?$expand=requestor($expand=connectedOrganization)
    /catalogs/{id}/accessPackages/{id}/catalog        catalogs/{id}/accessPackages?$filter=id eq '…'&$expand=catalog

So whoever may read an object with a relation expanded, and nobody else, may read the relation by its own path, and it
looks the same. What expanding does not show (a part of a list, by `$filter`; what lies too deep) is asked where the
last object on the way has a path of its own, and whoever may read that may read it:

    /accessPackages/{id}/catalog/resources?$filter=…  catalogs/{id of the catalog}/resources?$filter=…

Source: OData 4.01 part 2, 4.3, 4.9; the request builders of msgraph-sdk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.security.operations import EM
from shared.web.errors import NotFound, UnsupportedQuery
from shared.web.odata import EntitySet, read_query, read_shape
from shared.web.paging import context_url, slice_of

MOST_STEPS = 8
"""Behind the declared path; `$expand` is not nested deeper than four relations anyway."""
_RELATED = EntitySet("entity", {})
"""Of what is reached by a relation no more is known than that."""
_NAME = re.compile(r"[A-Za-z]\w{0,63}")
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_KEY = re.compile(f"{_GUID}(?:_{_GUID})?")
CONTEXT = re.compile(r"#(.*?)(?:\([^()']*\))?(?:/\$entity)?$")
"""Without the properties that were selected."""

Body = Mapping[str, Any]


def is_key(step: str) -> bool:
    """Whether it is an id, and no name of a relation."""
    return _KEY.fullmatch(step) is not None


_HOMES = {
    "accesspackage": "accessPackages",
    "accesspackages": "accessPackages",
    "accesspackagesincompatiblewith": "accessPackages",
    "assignment": "assignments",
    "assignmentpolicies": "assignmentPolicies",
    "assignmentpolicy": "assignmentPolicies",
    "catalog": "catalogs",
    "connectedorganization": "connectedOrganizations",
    "incompatibleaccesspackages": "accessPackages",
    "resource": "resources",
    "resources": "resources",
}
"""Name of a relation, in small letters -> the list that has what it leads to, under its own path."""


class Nowhere(Exception):
    """There is no such relation."""


@dataclass(frozen=True)
class Way:
    """What is asked for behind `path`: names of relations, and ids in the lists that they lead to."""

    path: str
    steps: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step for step in self.steps if not is_key(step))

    @property
    def key(self) -> str | None:
        """In the list that the path answers, if it does not answer one object."""
        return self.steps[0] if is_key(self.steps[0]) else None

    @property
    def shaped_by(self) -> tuple[str, ...]:
        """Options that say what is in the answer; of lists that expanding shows, also which of them."""
        shape = ("$select", "$expand")
        return shape if is_key(self.steps[-1]) else (*shape, "$filter", "$orderby")

    def homes(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Where the way leads past something that has a path of its own, the farthest first: the path up to it, the
        list that it is in, and what is left of the way behind it."""
        for at in range(len(self.steps) - 1, 0, -1):
            before, behind = self.steps[:at], self.steps[at:]
            named = (self.path.rpartition("/")[2], *before)
            name = named[-2] if is_key(before[-1]) else before[-1]
            if home := _HOMES.get(name.lower()):
                yield "/".join((self.path, *before)), f"{EM}/{home}", behind

    def options(self, inner: Mapping[str, str]) -> dict[str, str]:
        """What the path is asked with, so that what is asked for is in the answer, shaped by `inner`."""
        found = {"$filter": f"id eq '{self.key}'"} if self.key else {}
        if "$select" in inner and is_key(self.steps[-1]):
            inner = {**inner, "$select": f"{inner['$select']},id"}  # it is found by that
        if not self.names:
            return {**found, **inner}
        *outer, last = self.names
        shape = ";".join(f"{name}={text}" for name, text in inner.items())
        expand = f"{last}({shape})" if shape else last
        for name in reversed(outer):
            expand = f"{name}($expand={expand})"
        return {**found, "$select": "id", "$expand": expand}

    def follow(self, body: Body) -> tuple[Any, str]:
        """What it leads to in the answer, and how the context of that is called. Raises Nowhere, and NotFound for what
        lies behind nothing."""
        of = CONTEXT.search(body.get("@odata.context", ""))
        context = of[1] if of else ""
        found: Any = body
        if self.key:
            found = body.get("value")
        else:
            context = f"{context}('{_quoted(body.get('id'))}')"
            if {name.lower() for name in body if "@" not in name} != {"id", self.steps[0].lower()}:
                raise Nowhere  # a route that heeds no options shows its properties, whatever they are called
        before = context
        for step in self.steps:
            before = context
            if is_key(step):
                found, context = _item(found, step), f"{context}('{step}')"
            else:
                name, found = _related(found, step)
                context = before = f"{context}/{name}"
        return found, before


def way_of(path: str, rest: Sequence[str]) -> Way | None:
    """The way behind a declared path, by what follows; None if they cannot be one."""
    fit = all(is_key(step) or _NAME.fullmatch(step) for step in rest)
    return Way(path, tuple(rest)) if rest and len(rest) <= MOST_STEPS and fit else None


def shown(request: Request, value: Any, context: str, given: Mapping[str, str], select: str | None) -> Response:
    """What a relation leads to, by itself. Raises UnsupportedQuery for options that it does not take."""
    selected = frozenset(map(str.strip, select.split(","))) if select else None
    if not isinstance(value, list):
        read_shape(_RELATED, given.items())
        if value is None:
            return Response(status_code=204)
        with_id = selected is None or {name.lower() for name in selected} & {"id", "*"}
        body = {name: one for name, one in value.items() if name != "id" or with_id}
        return JSONResponse({"@odata.context": context_url(request, f"{context}/$entity", selected), **body})
    _refuse(given, "$filter", "$orderby", "$search", "$skiptoken")
    page, about = slice_of(request, read_query(_RELATED, given.items()), value)
    return JSONResponse({"@odata.context": context_url(request, context, selected), **about, "value": page})


def length_of(value: Any, given: Mapping[str, str]) -> Response | None:
    """Of a list; None for anything else. Raises UnsupportedQuery for what would count some of it."""
    if not isinstance(value, list):
        return None
    _refuse(given, "$filter", "$search")
    return Response(str(len(value)), media_type="text/plain")


def _refuse(given: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name in given:
            raise UnsupportedQuery(f"The query option '{name}' is not supported here.", target=name)


def _related(found: Any, name: str) -> tuple[str, Any]:
    if found is None:
        raise NotFound("The resource was not found.")
    if isinstance(found, Mapping):
        for key, value in found.items():
            if key.lower() == name.lower() and (value is None or isinstance(value, Mapping | list)):
                return key, value
    raise Nowhere


def _item(found: Any, key: str) -> Body:
    if not isinstance(found, list):
        raise Nowhere
    for one in found:
        if isinstance(one, Mapping) and str(one.get("id")).lower() == key.lower():
            return one
    raise NotFound("The resource was not found.")


def _quoted(id: Any) -> str:
    return str(id).replace("'", "''")
