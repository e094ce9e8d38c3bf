"""`$search`, the part that callers use: `"displayName:ana"`, `"mail:x" OR "displayName:y"`, bare words, AND before OR.

Every word of a clause has to begin a word of the property, without regard to case.
"""

import re

from shared.web.errors import UnsupportedQuery
from shared.web.odata.fields import EntitySet, Enumeration, Field, find
from shared.web.odata.mongo import MongoFilter

MAX_LENGTH = 256
MAX_WORDS = 8
_TOKEN = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))')


def search_filter(text: str, entities: EntitySet) -> MongoFilter:
    """The MongoDB filter of a `$search`. Raises UnsupportedQuery (400): not searchable, unknown property, malformed."""
    if not entities.searchable:
        raise UnsupportedQuery(f"$search is not supported for {entities.type_name}.", target="$search")
    if len(text) > MAX_LENGTH or not text.strip() or "\0" in text:
        raise UnsupportedQuery(f"$search takes 1 to {MAX_LENGTH} characters.", target="$search")
    alternatives: list[list[MongoFilter]] = [[]]
    wants_clause = True
    for clause, keyword in _tokens(text):
        if keyword in {"AND", "OR"}:
            if wants_clause:
                raise UnsupportedQuery(f"$search: {keyword} stands between two clauses.", target="$search")
            if keyword == "OR":
                alternatives.append([])
            wants_clause = True
        else:
            alternatives[-1].append(_clause(clause, entities))
            wants_clause = False
    if wants_clause:
        raise UnsupportedQuery("$search ends too early.", target="$search")
    return {"$or": [{"$and": clauses} for clauses in alternatives]}


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if not match:
            raise UnsupportedQuery(f"$search is not understood at position {at}.", target="$search")
        bare = match["bare"] or ""
        tokens.append((bare or re.sub(r"\\(.)", r"\1", match["quoted"]), bare.upper()))
        at = match.end()
    return tokens


def _clause(text: str, entities: EntitySet) -> MongoFilter:
    name, colon, rest = text.partition(":")
    if colon:
        field = find(entities.fields, name)
        searchable = {one.lower() for one in entities.searchable}
        if not isinstance(field, Field) or isinstance(field.kind, Enumeration) or name.lower() not in searchable:
            raise UnsupportedQuery(f"$search does not look through '{name[:64]}'.", target=name[:64])
        return _words(rest, field)
    return {"$or": [_words(text, entities.fields[one]) for one in entities.searchable]}


def _words(text: str, field: Field | object) -> MongoFilter:
    assert isinstance(field, Field)
    words = text.split()
    if not 0 < len(words) <= MAX_WORDS:
        raise UnsupportedQuery(f"A clause of $search has 1 to {MAX_WORDS} words.", target="$search")
    # A word begins where no letter or digit stands before it, in any script.
    return {
        "$and": [{field.path: {"$regex": r"(?<![\p{L}\p{N}])" + re.escape(word), "$options": "i"}} for word in words]
    }
