r"""The rule language: Entra's membership rules, parsed once and read in three ways that agree.

    rule = parse('(user.department -eq "Sales") -and (user.city -in ["Rome", "Oslo"])')
    person = facets(graph_user, memberships=group_ids, manager_id=manager)
    compile(rule)(person, now)                    # does this person match?
    RuleSet(rules).matches(person, now)           # which of 10,000 rules does this person match?
    people.find(to_mongo(rule, now).filter)       # whom does this rule match?

Pure: no input or output, no clock, no randomness; `now` comes in. `facets` is computed once a person and may be stored
beside them, for `to_mongo` reads those very values. Whoever has left matches no rule: callers do not ask about them.

Where Entra's documentation is silent, this is what holds (each has a case in `tests/unit/rules/cases.yaml`):

- **Two-valued logic.** A missing attribute is null, and null is just a value that equals no text. Every negative
  operator is the exact opposite of its positive one, so `-ne "x"`, `-notIn`, `-notContains`, `-notStartsWith`,
  `-notEndsWith` and `-notMatch` are true for null; `-le -ge -lt -gt` are false for it. `""` is a text, not null.
- **Collections, bare.** A positive operator asks for some item, a negative one for no item:
  `user.proxyAddresses -notEndsWith "@outlook.com"` means that none ends so. `-eq null` means that there is no item.
- **Collections, -any and -all.** -all of an empty collection is true, -any of it false; both may hold -and, -or, -not.
- **-not and null.** An error where the negated condition itself is a comparison with null (also `-not null` in the
  place of an operator); a -not around a larger condition with null somewhere inside is allowed.
- **Case.** Property names, operators and values in any case; texts by Unicode case folding and normalisation
  ("STRASSE" equals "Straße"). -match ignores case too and searches anywhere; anchors are up to the writer.
- **-match** is the dialect of Python's `regex`, run on the folded text. Patterns that explode are refused by `parse`
  where a trial finds it, else stopped after 0.1 s (`PatternTooSlow`).
- **Quoting.** Both quotes may delimit a text. Within double quotes `\"` and `` `" `` are a quote and `''` is `'`; a
  backslash is otherwise itself. Unquoted numbers are texts; unquoted words are an error that says so.
- **Dates** are compared as instants to the millisecond; a date without time is its midnight in UTC. Durations have
  weeks, days, hours, minutes, seconds; no months or years, whose length varies. -lt and -gt are our addition.
- **Defaults.** No userType: Member. No accountEnabled: true. businessPhones is a text, the first of the list.
- **memberOf** and **Direct Reports** stand alone, as in Entra; unlike there, leaving a listed group is noticed.
- Depth: at most 32 levels of alternating -and, -or, -not. Device rules are refused.
"""

from shared.rules.ast import References, Rule
from shared.rules.candidates import CandidateIndex
from shared.rules.clock import next_change
from shared.rules.errors import PatternTooSlow, RuleError
from shared.rules.evaluate import Verdict, compile
from shared.rules.facets import Facets, facets
from shared.rules.mongo import MongoFilter, to_mongo
from shared.rules.parse import MAX_CHARACTERS, parse
from shared.rules.ruleset import RuleSet
from shared.rules.unparse import unparse

__all__ = [
    "MAX_CHARACTERS",
    "CandidateIndex",
    "Facets",
    "MongoFilter",
    "PatternTooSlow",
    "References",
    "Rule",
    "RuleError",
    "RuleSet",
    "Verdict",
    "compile",
    "facets",
    "next_change",
    "parse",
    "to_mongo",
    "unparse",
]
