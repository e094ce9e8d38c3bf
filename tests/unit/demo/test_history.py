"""Reading a history: order does not matter, and what is wrong is named with its line."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from deploy.demo.history import STILL_TRUE, HistoryError, Spell, last_day, read_company, several_at_once

Write = Callable[..., Path]


def test_spells_are_put_in_order_and_any_date_of_the_year_9999_is_still_true(write: Write) -> None:
    folder = write(["1,d2,1990-01-01,9999-12-31", "1,d1,1985-01-01,1990-01-01"], ["1,Staff,1985-01-01,9999-01-01"])
    person = read_company(folder).people[1]
    assert [spell.name for spell in person.departments] == ["Sales", "Research"]
    assert person.departments[-1].ends == STILL_TRUE
    assert last_day(folder) == date(1990, 1, 1)


def test_a_byte_order_mark_more_columns_blank_lines_and_blank_titles_are_taken_as_they_come(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"], ["1,,1985-01-01,9999-01-01"])
    (folder / "department.csv").write_text("﻿site,dept_name,dept_no\nRome,Sales,d1\n\n", encoding="utf-8")
    person = read_company(folder).people[1]
    assert (person.departments[0].name, person.titles) == ("Sales", ())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1,d1,1985-02-30,9999-01-01", "dept_emp.csv line 2: '1985-02-30' is not a date"),
        ("1,d9,1985-02-01,9999-01-01", "dept_emp.csv line 2: department 'd9' does not stand in department.csv"),
        ("x,d1,1985-02-01,9999-01-01", "emp_no 'x' is not a whole number"),
        ("1,d1,1985-02-01", "3 fields under 4 columns"),
        ("7,d1,1985-02-01,9999-01-01", "7 has spells but no row in employee.csv"),
    ],
)
def test_a_bad_row_is_named(row: str, says: str, write: Write) -> None:
    folder = write([row], employee=["1,1960-01-01,Ana,Kovač,F,1985-01-01"])
    with pytest.raises(HistoryError, match=says):
        read_company(folder)


def test_a_missing_file_or_column_is_named(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"])
    (folder / "title.csv").write_text("emp_no,title,from_date\n")
    with pytest.raises(HistoryError, match=r"title.csv: the first line lacks the column to_date"):
        read_company(folder)
    (folder / "title.csv").unlink()
    with pytest.raises(HistoryError, match=r"title.csv: No such file"):
        read_company(folder)


@pytest.mark.parametrize(
    ("spells", "several"),
    [
        ([("A", 1, 3), ("B", 3, 5)], False),
        ([("A", 1, 4), ("B", 3, 5)], True),
        ([("A", 1, 4), ("A", 3, 5)], False),
        ([("A", 1, 9), ("B", 3, 3)], False),
        ([("A", 1, 9), ("A", 2, 3), ("B", 5, 6)], True),
    ],
)
def test_two_names_on_one_day_are_several_at_once(spells: list[tuple[str, int, int]], several: bool) -> None:
    made = [Spell(name, date(1990, 1, begins), date(1990, 1, ends)) for name, begins, ends in spells]
    assert several_at_once(made) is several
