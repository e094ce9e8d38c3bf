"""What a rule may say, and that a refusal says what is wrong, where, and what to write instead."""

import pytest

from shared.rules import MAX_CHARACTERS, RuleError, parse
from shared.rules.ast import Compare, Op, References


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ('(user.departmnt -eq "Sales")', 2, "Unknown property user.departmnt", "Did you mean user.department?"),
        ('user.employeeOrgData.department -eq "x"', 1, "Unknown property", ""),
        ('department -eq "Sales"', 1, "department is not expected here: expected a condition", "user.department"),
        ("user.department -eq Sales", 21, "A text goes into straight double quotes", 'Write "Sales"'),
        ("user.department -eq “Sales”", 21, "A text goes into straight double quotes", 'Write "Sales"'),
        ("user.accountEnabled -eq 1", 25, "user.accountEnabled is true or false", "-eq true"),
        ('user.department = "Sales"', 17, "= is not expected here: expected an operator", "Write -eq"),
        ('user.department -equal "Sales"', 17, "-equal is not expected here", "Write -eq"),
        ('user.department -startWith "Sales"', 17, "expected an operator", "Did you mean -startsWith?"),
        ('user.department -eq "Sales', 21, "no closing quote", "Add the closing quote"),
        ('user.department -eq "CORP\\"', 21, "no closing quote", "single quotes"),
        ('(user.department -eq "a"', 25, "expected a closing parenthesis", "Every ( needs its )"),
        ('user.department -eq "a")', 24, ") is not expected here", "a parenthesis too many"),
        ('user.department -eq "a" user.city -eq "b"', 25, "expected -and, -or or the end", ""),
        ('user.department -eq "a" && user.city -eq "b"', 25, "&& is not expected", "Write -and"),
        ('user.department -eq "a" -and', 29, "Something is missing at the end", ""),
        ('-eq "a"', 1, "expected a condition", "begins with its property"),
        ('user.department -le "a"', 17, "-le does not fit user.department, which is a text", "-eq"),
        ("user.accountEnabled -contains true", 21, "does not fit user.accountEnabled", "-eq, -ne"),
        ('user.employeeHireDate -eq "soon"', 27, "is no date", "2020-06-10T18:13:20Z"),
        ("user.department -eq system.now", 21, "not a date", "system.now is for dates"),
        ("user.employeeHireDate -ge system.now -plus p1m", 44, "expected a duration", "p1d"),
        ("user.employeeHireDate -ge system.now -plus p9999999999d", 44, "longer than time itself", ""),
        ("user.mail -not null", 11, "-not is not expected here", "-ne null"),
        ("-not (user.mail -eq null)", 1, "-not cannot be used with null", "user.mail -ne null"),
        ("user.department -startsWith null", 29, "null can only be compared with -eq or -ne", '"null"'),
        ('user.department -in ["a", null]', 27, "null can only be compared", ""),
        ('user.department -in "a"', 21, "expected a list", '-in ["Rome", "Oslo"]'),
        ("user.department -in []", 22, "expected a value", ""),
        ('_ -eq "a"', 1, "has a meaning only inside -any or -all", ""),
        ('user.otherMails -any (_ -eq "a" -and user.city -eq "b")', 38, "only _ can be asked about", "parenthesis"),
        ('user.assignedPlans -any (_ -eq "a")', 26, "only assignedPlan can be asked about", ""),
        ('user.otherMails -any _ -startsWith "a" -and _ -endsWith "b"', 45, "only inside -any or -all", ""),
        ('user.department -any (_ -eq "a")', 17, "has a single value", ""),
        ('user.assignedPlans -eq "a"', 1, "collection of objects", "-any"),
        ("user.memberof -any (group.objectId -in ['a']) -and user.city -eq \"b\"", 1, "cannot be combined", ""),
        ("user.memberof -all (group.objectId -in ['a'])", 15, "one form only", "-any (group.objectId -in"),
        (f"user.memberof -any (group.objectId -in [{','.join(['1'] * 51)}])", 1, "lists 51 groups; at most 50", ""),
        ('Direct Reports for "a" -and user.city -eq "b"', 24, "-and is not expected here", ""),
        ("Direct Reports for a", 20, "needs the manager's id", ""),
        ('device.deviceModel -eq "x"', 1, "about people, not devices", ""),
        ('user.displayName -match "("', 25, "not a valid regular expression", ""),
        ('user.displayName -match "(a|aa)+$"', 25, "takes too long", ""),
        ("", 1, "The rule is empty", ""),
        (f'user.city -eq "{"x" * MAX_CHARACTERS}"', MAX_CHARACTERS + 1, "at most 3,072 are allowed", "-in"),
        ("-not " * 40 + 'user.city -eq "x"', 1, "nested more than 32 deep", ""),
    ],
)
@pytest.mark.spec("RUL-1", "RUL-6", "RUL-14", "RUL-15", "RUL-17")
def test_a_refusal_says_what_is_wrong_and_where_and_what_to_write_instead(text, column, message, hint) -> None:
    with pytest.raises(RuleError) as refused:
        parse(text)
    assert (refused.value.line, refused.value.column) == (1, column)
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_the_caret_stands_below_the_mistake() -> None:
    with pytest.raises(RuleError) as refused:
        parse('user.department -eq "Sales" -and\n  (user.cty -eq "Rome")')
    assert (refused.value.line, refused.value.column) == (2, 4)
    assert str(refused.value).splitlines() == [
        "Unknown property user.cty. (line 2, column 4)",
        '    (user.cty -eq "Rome")',
        "     ^^^^^^^^",
        "Did you mean user.city?",
    ]


def test_of_a_long_line_only_the_part_around_the_mistake_is_shown() -> None:
    with pytest.raises(RuleError) as refused:
        parse(
            " -or ".join(f'user.city -eq "{n}"' for n in range(100)) + " -or user.cty -eq null -or user.city -eq null"
        )
    line, carets = refused.value.snippet.splitlines()
    assert len(line) < 100
    assert line[carets.index("^") : carets.rindex("^") + 1] == "user.cty"


@pytest.mark.spec("RUL-1")
def test_a_rule_of_3072_characters_is_accepted() -> None:
    shell = 'user.city -eq ""'
    assert parse(shell[:-1] + "x" * (MAX_CHARACTERS - len(shell)) + '"')


def test_parentheses_cost_no_depth() -> None:
    assert parse("(" * 1000 + 'user.city -eq "x"' + ")" * 1000) == parse('user.city -eq "x"')


def refers_to(*properties: str, groups: str = "", managers: str = "", uses_clock: bool = False) -> References:
    return References(frozenset(properties), frozenset(groups), frozenset(managers), uses_clock)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('user.mobile -eq "1" -or user.city -ne null', refers_to("mobilePhone", "city")),
        ('user.otherMails -any (_ -eq "x")', refers_to("otherMails")),
        ("user.memberof -any (group.objectId -in ['a','b'])", refers_to("memberOf", groups="ab")),
        ('Direct Reports for "m"', refers_to("manager", managers="m")),
        ("user.employeeHireDate -le system.now", refers_to("employeeHireDate", uses_clock=True)),
    ],
)
def test_a_rule_knows_what_it_refers_to(text: str, expected: References) -> None:
    assert parse(text).references == expected


_OPERATORS = {
    "eq": '"a"', "ne": '"a"', "startsWith": '"a"', "notStartsWith": '"a"', "endsWith": '"a"', "notEndsWith": '"a"',
    "contains": '"a"', "notContains": '"a"', "match": '"a"', "notMatch": '"a"', "in": '["a"]', "notIn": '["a"]',
}  # fmt: skip


@pytest.mark.spec("RUL-2")
@pytest.mark.parametrize("name", _OPERATORS)
def test_each_operator_is_read_with_its_hyphen_and_without(name: str) -> None:
    value = _OPERATORS[name]
    rule = parse(f"user.city -{name} {value}")
    assert isinstance(rule.root, Compare)
    assert rule.root.op is Op(name)
    assert parse(f"user.city {name} {value}") == rule


@pytest.mark.spec("RUL-2")
@pytest.mark.parametrize("name", ["le", "ge"])
def test_dates_are_ordered_and_texts_are_not(name: str) -> None:
    assert parse(f"user.employeeHireDate -{name} 2020-06-10T18:13:20Z") == parse(
        f"user.employeeHireDate {name} 2020-06-10T18:13:20Z"
    )
    with pytest.raises(RuleError):
        parse(f'user.city -{name} "a"')


@pytest.mark.spec("RUL-2")
def test_logic_and_collections_are_read_with_their_hyphen_and_without() -> None:
    assert parse('not (user.city -eq "a") and (user.city -ne "b" or user.city -ne "c")') == parse(
        '-not (user.city -eq "a") -and (user.city -ne "b" -or user.city -ne "c")'
    )
    for word in ("any", "all"):
        condition = '(_ -startsWith "a")'
        assert parse(f"user.otherMails {word} {condition}") == parse(f"user.otherMails -{word} {condition}")
