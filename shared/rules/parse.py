"""Text to rule: the grammar's tree becomes the AST, and what the grammar cannot say is checked here.

The grammar is compiled once a process. Checks raise RuleError at the token that is wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, NoReturn

from lark import Lark, Token, Tree, UnexpectedInput
from lark.exceptions import UnexpectedToken

from shared.rules import ast, patterns, properties
from shared.rules.ast import And, Compare, DirectReports, Expr, MemberOf, Not, Now, Op, Or, Quantified, Quantifier, Rule
from shared.rules.errors import RuleError
from shared.rules.properties import Kind, Property
from shared.rules.text import parse_instant

MAX_CHARACTERS = 3072
MAX_GROUPS = 50
MAX_DEPTH = 32  # MongoDB refuses filters nested deeper than 100, and one level here can be three there

_DASHES = "-–—−"
_CURLY = "“”„«»‘’"
_ORDERINGS = frozenset({Op.LE, Op.GE, Op.LT, Op.GT})
_EQUALITIES = frozenset({Op.EQ, Op.NE})
_LISTS = frozenset({Op.IN, Op.NOT_IN})
_ALLOWED = {
    Kind.TEXT: frozenset(Op) - _ORDERINGS,
    Kind.TEXTS: frozenset(Op) - _ORDERINGS,
    Kind.BOOLEAN: _EQUALITIES,
    Kind.INSTANT: _EQUALITIES | _ORDERINGS,
    Kind.PLANS: frozenset[Op](),
    Kind.GROUPS: frozenset[Op](),
}
_OPS = {op.value.lower(): op for op in Op}
_ELSEWHERE = {  # what people bring along from other languages, without hyphen
    "=": "-eq", "==": "-eq", "===": "-eq", "!=": "-ne", "<>": "-ne", "<": "-lt", ">": "-gt", "<=": "-le", ">=": "-ge",
    "&&": "-and", "||": "-or", "!": "-not", "like": "-contains or -match", "notlike": "-notContains or -notMatch",
    "equal": "-eq", "equals": "-eq", "is": "-eq", "isnot": "-ne", "regex": "-match", "matches": "-match",
}  # fmt: skip
_DURATION = re.compile(r"p(?:(\d+)w)?(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Literal:
    """A value as it stood in the text, before its property says what it means."""

    kind: str  # the terminal's name
    value: Any
    token: Token


def parse(text: str) -> Rule:
    """The rule that `text` writes. Raises RuleError with place and hint; accepts at most 3,072 characters."""
    if not text.strip():
        raise RuleError("The rule is empty.", text=text, hint='Write for example: user.department -eq "Sales"')
    if len(text) > MAX_CHARACTERS:
        raise RuleError(
            f"The rule has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed.",
            text=text,
            at=MAX_CHARACTERS,
            hint="Use -in [..] instead of many -or, or split the rule into two populations.",
        )
    if not text.isascii() and (lone := re.search("[\ud800-\udfff]", text)):
        raise RuleError("This is half a character (a lone surrogate).", text=text, at=lone.start())
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    root: Expr = _Builder(text).build(tree)
    _check_whole(text, root)
    return Rule(root, text)


@cache
def _grammar() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", lexer="basic", propagate_positions=False)


def _at(token: Token) -> int:
    return token.start_pos or 0


class _Builder:
    """The grammar's tree, bottom up, into the AST: one method for each kind of node."""

    def __init__(self, text: str) -> None:
        self._text = text

    def build(self, tree: Tree[Token]) -> Any:
        # Not lark's Transformer: that recurses as deep as the rule is nested.
        done: dict[int, Any] = {}
        for node in tree.iter_subtrees():  # children first
            arguments = [child if isinstance(child, Token) else done[id(child)] for child in node.children]
            method: Callable[..., Any] = getattr(self, node.data)
            done[id(node)] = method(*arguments)
        return done[id(tree)]

    def start(self, root: Expr) -> Expr:
        return root

    def direct_reports(self, words: Token, value: Token | _Literal) -> Expr:
        literal = self._literal(value)
        if literal.kind != "TEXT" or not literal.value:
            self._refuse(literal.token, "Direct Reports needs the manager's id.", 'Direct Reports for "<object id>"')
        return DirectReports(literal.value)

    def either(self, *parts: Expr | Token) -> Expr:
        return ast.disjunction(part for part in parts if not isinstance(part, Token))

    def both(self, *parts: Expr | Token) -> Expr:
        return ast.conjunction(part for part in parts if not isinstance(part, Token))

    def negation(self, word: Token, term: Expr) -> Expr:
        if isinstance(term, Compare) and term.value is None:
            other = "-ne" if term.op is Op.EQ else "-eq"
            self._refuse(word, "-not cannot be used with null.", f"Write {term.subject.label} {other} null")
        return Not(term, _at(word))

    def comparison(self, name: Token, op: Token, value: Token | _Literal) -> Expr:
        subject = self._property(name)
        operator = _OPS[op.lower().lstrip(_DASHES)]
        literal = self._literal(value)
        self._check_operator(subject, operator, name, op)
        return Compare(subject, operator, self._value(subject, operator, op, literal), _at(name))

    def membership(self, name: Token, op: Token, *values: Token | _Literal) -> Expr:
        subject = self._property(name)
        operator = _OPS[op.lower().lstrip(_DASHES)]
        self._check_operator(subject, operator, name, op)
        items = tuple(self._text_value(subject, self._literal(value)) for value in values)
        return Compare(subject, operator, items, _at(name))

    def quantified(self, name: Token, word: Token, body: Expr) -> Expr:
        subject = self._property(name)
        quantifier = Quantifier(word.lower().lstrip(_DASHES))
        if subject.kind is Kind.GROUPS:
            return self._member_of(name, word, quantifier, body)
        if subject.kind not in (Kind.TEXTS, Kind.PLANS):
            self._refuse(
                word,
                f"{subject.label} has a single value; -any and -all are for collections.",
                f'Write {subject.label} -eq "…"; collections are otherMails, proxyAddresses and assignedPlans.',
            )
        self._check_body(subject, body)
        return Quantified(subject, quantifier, body, _at(name))

    def now(self, word: Token, sign: Token | None = None, duration: Token | None = None) -> _Literal:
        shift = timedelta()
        if sign is not None and duration is not None:
            found = _DURATION.fullmatch(duration)
            parts = [int(part or 0) for part in found.groups()] if found else [0] * 5
            try:
                shift = timedelta(**dict(zip(("weeks", "days", "hours", "minutes", "seconds"), parts, strict=True)))
            except OverflowError:
                self._refuse(duration, "This is longer than time itself.", "Durations look like p1d or pt12h.")
            if sign.lower().lstrip(_DASHES) == "minus":
                shift = -shift
        return _Literal("NOW", Now(shift), word)

    def _member_of(self, name: Token, word: Token, quantifier: Quantifier, body: Expr) -> Expr:
        listed = isinstance(body, Compare) and body.subject is properties.GROUP_ID and body.op is Op.IN
        if quantifier is not Quantifier.ANY or not listed or not isinstance(body, Compare):
            self._refuse(word, "memberOf knows one form only.", "user.memberof -any (group.objectId -in ['<id>', …])")
        assert isinstance(body.value, tuple)
        if len(body.value) > MAX_GROUPS:
            self._refuse(
                name,
                f"memberOf lists {len(body.value)} groups; at most {MAX_GROUPS} are allowed.",
                "Split the rule into two populations.",
            )
        return MemberOf(body.value, _at(name))

    def _check_body(self, subject: Property, body: Expr) -> None:
        """A condition on an item speaks of that item alone."""
        item = "_" if subject.kind is Kind.TEXTS else "assignedPlan."
        for node, _ in ast.walk(body):
            if isinstance(node, Quantified | MemberOf):
                self._refuse_at(
                    node.at, 5, "A collection cannot be asked about inside another.", "Combine them by -and."
                )
            if isinstance(node, Compare) and not node.subject.label.startswith(item):
                self._refuse_at(
                    node.at,
                    len(node.subject.label),
                    f"Inside {subject.label} -any or -all only {item.rstrip('.')} can be asked about.",
                    f"Close the parenthesis before {node.subject.label}, or put the whole condition into parentheses.",
                )

    def _property(self, name: Token) -> Property:  # noqa: RET503 (_refuse never returns)
        if name.lower().startswith("device."):
            self._refuse(name, "Rules here are about people, not devices.", "Use a property of user.")
        if found := properties.find(name):
            return found
        near = properties.nearest(name)
        hint = f"Did you mean {near}?" if near else "See shared/rules/README.md for all properties."
        self._refuse(name, f"Unknown property {name}.", hint)

    def _check_operator(self, subject: Property, op: Op, name: Token, token: Token) -> None:
        if subject.kind is Kind.GROUPS:
            self._refuse(name, "memberOf knows one form only.", "user.memberof -any (group.objectId -in ['<id>', …])")
        if subject.kind is Kind.PLANS:
            self._refuse(
                name,
                "assignedPlans is a collection of objects.",
                'user.assignedPlans -any (assignedPlan.service -eq "SCO")',
            )
        if op not in _ALLOWED[subject.kind]:
            allowed = ", ".join(f"-{each.value}" for each in Op if each in _ALLOWED[subject.kind])
            message = f"-{op.value} does not fit {subject.label}, which is {_kind(subject)}."
            self._refuse(token, message, f"Use one of {allowed}.")

    def _value(self, subject: Property, op: Op, op_token: Token, literal: _Literal) -> ast.Value:
        if literal.kind == "NULL":
            if op not in _EQUALITIES:
                self._refuse(literal.token, "null can only be compared with -eq or -ne.", 'The text null is "null".')
            return None
        match subject.kind:
            case Kind.BOOLEAN:
                if str(literal.value).lower() not in ("true", "false") or literal.kind not in ("BOOLEAN", "TEXT"):
                    self._refuse(literal.token, f"{subject.label} is true or false.", f"{subject.label} -eq true")
                return str(literal.value).lower() == "true"
            case Kind.INSTANT:
                return self._instant(subject, literal)
        text = self._text_value(subject, literal)
        if op.positive is Op.MATCH:
            self._check_pattern(text, literal.token)
        return text

    def _instant(self, subject: Property, literal: _Literal) -> ast.Value:
        if isinstance(literal.value, Now):
            return literal.value
        try:
            return parse_instant(str(literal.value))
        except ValueError:
            hint = f"Write {subject.label} -ge 2020-06-10T18:13:20Z, or system.now -plus p1d."
            self._refuse(literal.token, f"{literal.token} is no date.", hint)

    def _text_value(self, subject: Property, literal: _Literal) -> str:  # noqa: RET503 (_refuse never returns)
        if literal.kind in ("TEXT", "NUMBER"):
            return str(literal.value)
        if literal.kind == "NULL":
            self._refuse(literal.token, "null can only be compared with -eq or -ne.", 'The text null is "null".')
        if literal.kind == "NOW":
            self._refuse(literal.token, f"{subject.label} is {_kind(subject)}, not a date.", "system.now is for dates.")
        self._refuse(
            literal.token, "A text goes into straight double quotes.", f'Write "{literal.token.strip(_CURLY)}"'
        )

    def _check_pattern(self, pattern: str, token: Token) -> None:
        if problem := patterns.problem(pattern):
            self._refuse(
                token, f"The pattern {problem}.", "Use -startsWith, -endsWith or -contains where they will do."
            )

    def _literal(self, value: Token | _Literal) -> _Literal:
        if isinstance(value, _Literal):
            return value
        match value.type:
            case "TEXT":
                return _Literal("TEXT", re.sub(r"[`\\]\"", '"', value[1:-1]).replace("''", "'"), value)
            case "QUOTED_TEXT":
                return _Literal("TEXT", '"' + value[2:-2].replace("''", "'") + '"', value)
            case "SINGLE_QUOTED":
                return _Literal("TEXT", value[1:-1].replace("''", "'"), value)
            case "BOOLEAN":
                return _Literal("BOOLEAN", value.lstrip("$").lower(), value)
            case kind:
                return _Literal(kind, str(value), value)

    def _refuse(self, token: Token, message: str, hint: str) -> NoReturn:
        self._refuse_at(_at(token), len(token), message, hint)

    def _refuse_at(self, at: int, length: int, message: str, hint: str) -> NoReturn:
        raise RuleError(message, text=self._text, at=at, length=length, hint=hint)


def _kind(subject: Property) -> str:
    return f"a {subject.kind.value}" if subject.kind is not Kind.BOOLEAN else subject.kind.value


def _check_whole(text: str, root: Expr) -> None:
    """What depends on where in the rule something stands."""
    for node, depth in ast.walk(root):
        if depth > MAX_DEPTH:
            raise RuleError(f"The rule is nested more than {MAX_DEPTH} deep.", text=text, hint="Split or flatten it.")
        if isinstance(node, MemberOf) and node is not root:
            raise RuleError(
                "memberOf cannot be combined with other conditions.",
                text=text,
                at=node.at,
                length=len("user.memberof"),
                hint="Give it a population or policy of its own.",
            )
    _check_items(text, root)


def _check_items(text: str, expr: Expr) -> None:
    match expr:
        case And(terms) | Or(terms):
            for term in terms:
                _check_items(text, term)
        case Not(term):
            _check_items(text, term)
        case Compare(subject=subject, at=at) if not subject.label.startswith("user."):
            raise RuleError(
                f"{subject.label} stands for an item of a collection and has a meaning only inside -any or -all.",
                text=text,
                at=at,
                length=len(subject.label),
                hint='Write for example: user.otherMails -any (_ -startsWith "ana" -and _ -endsWith "@contoso.com")',
            )


_EXPECTED: Sequence[tuple[frozenset[str], str, str]] = (
    (frozenset({"OP", "IN", "QUANTIFIER"}), "an operator", "Use -eq, -ne, -startsWith, -contains, -match, -in, …"),
    (frozenset({"OP", "IN"}), "an operator", "Use -eq, -ne, -startsWith, -contains, -match, -in, …"),
    (frozenset({"DURATION"}), "a duration", "Durations look like p1d, p2w or pt12h; months and years vary in length."),
    (frozenset({"LSQB"}), "a list", 'Write -in ["Rome", "Oslo"]'),
    (frozenset({"TEXT", "NULL"}), "a value", 'A text goes into double quotes: "Sales"'),
    (frozenset({"PROPERTY"}), "a condition", 'Write for example: user.department -eq "Sales"'),
    (frozenset({"COMMA", "RSQB"}), "a comma or ]", 'Write -in ["Rome", "Oslo"]'),
    (frozenset({"AND", "RPAR"}), "-and, -or or )", "Is a parenthesis missing?"),
    (frozenset({"AND", "$END"}), "-and, -or or the end", "Is a -and or -or missing?"),
    (frozenset({"$END"}), "the end", "Is there a parenthesis too many?"),
    (frozenset({"RPAR"}), "a closing parenthesis", "Every ( needs its )."),
)


def _syntax_error(text: str, error: UnexpectedInput) -> RuleError:
    """What the parser stumbled over, in the words of whoever wrote the rule."""
    if not isinstance(error, UnexpectedToken):
        return _unreadable(text, error.pos_in_stream or 0)
    token, expected = error.token, error.accepts or error.expected
    at_end = token.type == "$END"
    what = "Something is missing at the end" if at_end else f"{token} is not expected here"
    wanted, hint = "", ""
    for terminals, words, advice in _EXPECTED:
        if terminals <= expected:
            wanted, hint = words, advice
            break
    if not at_end:
        hint = _special_hint(token, expected) or hint
    at = len(text.rstrip()) if at_end else _at(token)
    message = f"{what}: expected {wanted}." if wanted else f"{what}."
    return RuleError(message, text=text, at=at, length=len(token) or 1, hint=hint)


def _special_hint(token: Token, expected: set[str]) -> str:  # noqa: PLR0911 (one a kind of slip)
    word = token.lower().lstrip(_DASHES)
    if word in _ELSEWHERE:
        return f"Write {_ELSEWHERE[word]}"
    if any(quote in token for quote in _CURLY):
        return 'Use straight double quotes: "Sales"'
    if "OP" in expected:
        if token.type == "NOT":
            return "With null write -ne null; to negate a condition put -not before it."
        near = difflib.get_close_matches(word, _OPS, n=1, cutoff=0.6)
        return f"Did you mean -{_OPS[near[0]].value}?" if near else ""
    if token.type == "IN" or (token.type in ("OP", "QUANTIFIER") and "PROPERTY" in expected):
        return 'A condition begins with its property: user.department -eq "Sales"'
    if (
        token.type == "WORD"
        and token.isidentifier()
        and "PROPERTY" in expected
        and (near_name := properties.nearest(f"user.{token}"))
    ):
        return f"Did you mean {near_name}?"
    return ""


def _unreadable(text: str, at: int) -> RuleError:
    quote = text[at : at + 1]
    if quote in "\"'" or text[at : at + 2] in ('\\"', '`"'):
        hint = "A backslash or backtick before a quote makes it part of the text; end such texts in single quotes."
        hint = hint if re.search(r"[\\`][\"']", text[at + 1 :]) else "Add the closing quote."
        return RuleError("This text has no closing quote.", text=text, at=at, length=len(text) - at, hint=hint)
    return RuleError(f"{quote!r} is not part of the rule language.", text=text, at=at)
