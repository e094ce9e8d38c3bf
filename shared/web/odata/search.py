"""`$search`, the part that callers use: `"displayName:ana"`, `"mail:x" OR "displayName:y"`, bare words, AND before OR,
and parentheses.

Every word of a clause has to begin a word of the property, without regard to case.
"""

import re

from shared.web.errors import UnsupportedQuery
from shared.web.odata.fields import EntitySet, Enumeration, Field, find
from shared.web.odata.mongo import MongoFilter

MAX_LENGTH = 256
MAX_WORDS = 8
MAX_DEPTH = 4
_TOKEN = re.compile(r'\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<sign>[()])|(?P<bare>[^\s"()]+))')

_Token = tuple[str, str]
"""What is searched for and '', or '' and a keyword or parenthesis."""


def search_filter(text: str, entities: EntitySet) -> MongoFilter:
    """The MongoDB filter of a `$search`. Raises UnsupportedQuery (400): not searchable, unknown property, malformed."""
    if not entities.searchable:
        raise UnsupportedQuery(f"$search is not supported for {entities.type_name}.", target="$search")
    if len(text) > MAX_LENGTH or not text.strip() or "\0" in text:
        raise UnsupportedQuery(f"$search takes 1 to {MAX_LENGTH} characters.", target="$search")
    tokens = _tokens(text)
    found = _alternatives(tokens, entities, depth=0)
    if tokens:
        raise UnsupportedQuery("$search has a ')' too many.", target="$search")
    return found


def _alternatives(tokens: list[_Token], entities: EntitySet, depth: int) -> MongoFilter:
    """Takes off the tokens what stands before the next parenthesis that closes, or the end."""
    alternatives: list[list[MongoFilter]] = [[]]
    wants_clause = True
    while tokens and tokens[0][1] != ")":
        clause, keyword = tokens.pop(0)
        if keyword in {"AND", "OR"}:
            if wants_clause:
                raise UnsupportedQuery(f"$search: {keyword} stands between two clauses.", target="$search")
            if keyword == "OR":
                alternatives.append([])
            wants_clause = True
        else:
            alternatives[-1].append(_group(tokens, entities, depth + 1) if keyword else _clause(clause, entities))
            wants_clause = False
    if wants_clause:
        raise UnsupportedQuery("$search ends too early.", target="$search")
    return {"$or": [{"$and": clauses} for clauses in alternatives]}


def _group(tokens: list[_Token], entities: EntitySet, depth: int) -> MongoFilter:
    if depth > MAX_DEPTH:
        raise UnsupportedQuery(f"$search is nested deeper than {MAX_DEPTH}.", target="$search")
    found = _alternatives(tokens, entities, depth)
    if not tokens:
        raise UnsupportedQuery("$search lacks a ')'.", target="$search")
    tokens.pop(0)
    return found


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if not match:
            raise UnsupportedQuery(f"$search is not understood at position {at}.", target="$search")
        bare, sign = match["bare"] or "", match["sign"] or ""
        keyword = bare.upper() if bare.upper() in {"AND", "OR"} else sign
        tokens.append(("", keyword) if keyword else (bare or re.sub(r"\\(.)", r"\1", match["quoted"]), ""))
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
