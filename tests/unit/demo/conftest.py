"""A small made company, and histories written by hand."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from deploy.demo import company

Write = Callable[..., Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made company of 3,000, for tests that only read it."""
    folder = tmp_path_factory.mktemp("made")
    company.make(folder, people=3_000, seed=7)
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a history by hand: rows as text, and one employee a number that the spells name."""

    def rows(file: str, lines: Iterable[str]) -> None:
        header = ",".join(company.COLUMNS[file])
        (tmp_path / file).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")

    def folder(
        dept_emp: Iterable[str] = (),
        title: Iterable[str] = (),
        dept_manager: Iterable[str] = (),
        department: Iterable[str] = ("d1,Sales", "d2,Research"),
        employee: Iterable[str] | None = None,
    ) -> Path:
        numbers = sorted({line.split(",")[0] for line in (*dept_emp, *title)})
        rows("employee.csv", employee or [f"{no},1960-01-01,Ana,Kovač,F,1985-01-01" for no in numbers])
        rows("dept_emp.csv", dept_emp)
        rows("title.csv", title)
        rows("dept_manager.csv", dept_manager)
        rows("department.csv", department)
        return tmp_path

    return folder
