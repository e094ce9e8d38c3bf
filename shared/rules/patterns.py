r"""`-match` patterns: which regular expression Python runs, and which one MongoDB can be trusted with.

Patterns search anywhere and run on folded text. The dialect is that of the `regex` library (in its `re`-compatible
mode), without regard to case. A *plain* pattern (literals, `.`, `.*`, `.+`, `|`, `^` first, `$` last) is translated
into folded literals for both Python and MongoDB, so that both see the very same automaton; of any other pattern
MongoDB is not asked, because the dialects differ in small print (case tables, classes, `\d`, lookbehind).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import lru_cache

import regex  # type: ignore[import-untyped]

from shared.rules.errors import PatternTooSlow
from shared.rules.text import fold

TIME_OUT = 0.1  # seconds of processor time on one value; a sane pattern takes microseconds
_PROBE_TIME_OUT = 0.02
_MAX_PROBES = 12

_SPECIAL = frozenset(r".^$*+?{}[]\|()")
_PIECES = re.compile(r"\\[^\w\s]|\.[*+]?(?![*+?{])|[^\W_]+|[^\w.^$*+?{}\[\]\\|()]+|_+")


def escape(text: str) -> str:
    """`text` as a literal for Python's `regex` and MongoDB's PCRE alike."""
    return "".join(
        "\\x00" if char == "\0" else f"\\{char}" if char in string.punctuation and char != "_" else char
        for char in text
    )


def plain(pattern: str, end: str) -> str | None:
    r"""`pattern` over folded text, case-sensitive, if it is plain; else None. `end` is the dialect's end of text."""
    branches = []
    for branch in _split(pattern):
        body, start, finish = branch, "", ""
        if body.startswith("^"):
            body, start = body[1:], "^"
        if body.endswith("$") and not body.endswith("\\$"):
            body, finish = body[:-1], rf"\n?{end}"  # as in Python, `$` also matches before a last newline
        translated = _pieces(body)
        if translated is None:
            return None
        branches.append(f"{start}{translated}{finish}")
    return "|".join(branches)


def _split(pattern: str) -> list[str]:
    return re.split(r"(?<!\\)\|", pattern)


def _pieces(body: str) -> str | None:
    out, at, literal = [], 0, ""
    while at < len(body):
        found = _PIECES.match(body, at)
        if not found:
            return None
        piece = found.group()
        at = found.end()
        if piece[0] == ".":
            out += [escape(fold(literal)), "[^\\n]" + piece[1:]]
            literal = ""
        elif at < len(body) and body[at] in "*+?{":
            return None  # a repeated literal: folding could change how many characters it is
        else:
            literal += piece[1:] if piece[0] == "\\" else piece
    return "".join([*out, escape(fold(literal))])


def problem(pattern: str) -> str | None:
    """Why `pattern` cannot be accepted, as the end of a sentence; None if it can.

    Patterns that explode are found by trying them on texts made of their own characters. That is a courtesy to the
    writer, not the safeguard: the safeguard is the time limit of every search.
    """
    try:
        search = _searcher(pattern, _PROBE_TIME_OUT)
    except (regex.error, RecursionError, OverflowError) as error:
        return f"is not a valid regular expression: {error}"
    letters = dict.fromkeys(char for char in fold(pattern) if char.isalnum() or char in "@ .-_")
    for char in ["a", "0", *letters][:_MAX_PROBES]:
        try:
            search(char * 40 + "\x01")
        except PatternTooSlow:
            return "takes too long on some texts (repetition inside repetition)"
    return None


@lru_cache(maxsize=4096)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Whether folded text contains `pattern`. The result raises PatternTooSlow; this raises regex.error."""
    return _searcher(pattern, TIME_OUT)


def _searcher(pattern: str, time_out: float) -> Callable[[str], bool]:
    compiled = regex.compile(pattern, regex.IGNORECASE | (0 if pattern.isascii() else regex.FULLCASE))
    if (same := plain(pattern, r"\Z")) is not None:
        compiled = regex.compile(same)
    search = compiled.search

    def found(text: str) -> bool:
        try:
            return search(text, timeout=time_out) is not None
        except TimeoutError:
            raise PatternTooSlow(pattern) from None

    return found
