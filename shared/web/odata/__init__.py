"""OData query options as Graph has them: `$filter $search $orderby $select $expand $top $skip $skiptoken $count`.

A list says once what may be asked of it (`EntitySet`: the public properties, where they lie, of what kind); everything
that is asked is read against that. So a caller can name neither a field that is not public nor a database operator.

    PACKAGES = EntitySet("accessPackage", {"id": Field("_id", GUID), "displayName": Field("display_name", STRING), …})
    query = read_query(PACKAGES, request.query_params.multi_items())
    docs = await store.find(query.mongo_filter(), query.sort, query.skip, query.limit)

A single object takes `$select` and `$expand`: `read_shape`. Routes get both by `shared.web.paging`.
"""

from shared.web.odata.fields import (
    BOOLEAN,
    DATE_TEXT,
    DATETIME,
    GUID,
    INTEGER,
    NUMBER,
    STRING,
    EntitySet,
    Enumeration,
    Field,
    Kind,
    Many,
    Through,
)
from shared.web.odata.mongo import lets_through, mongo_filter, only_value
from shared.web.odata.options import Expand, ListQuery, Shape, read_query, read_shape
from shared.web.odata.parse import parse_filter
from shared.web.odata.through import found_first

__all__ = [
    "BOOLEAN",
    "DATETIME",
    "DATE_TEXT",
    "GUID",
    "INTEGER",
    "NUMBER",
    "STRING",
    "EntitySet",
    "Enumeration",
    "Expand",
    "Field",
    "Kind",
    "ListQuery",
    "Many",
    "Shape",
    "Through",
    "found_first",
    "lets_through",
    "mongo_filter",
    "only_value",
    "parse_filter",
    "read_query",
    "read_shape",
]
