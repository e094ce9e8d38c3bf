"""The catalog of a history's company as the document that `tenure apply` reads.

    python -m deploy.demo.catalog DIR > catalog.yaml

Rules name `department`, `jobTitle` and `extensionAttribute1` ("manager" for whoever manages a department), as the HR
feed fills them. Where the history puts people in several departments (titles) at once, the single-valued property
cannot hold them all; the feed lists them in extensionAttribute2 (3) as "|One|Other|", and the rules look there too.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from deploy.demo.history import HistoryError, listed, read_company, several_at_once
from deploy.demo.packages import LONGEST_NAME, Both, Either, InDepartment, Manages, Not, Who, WithTitle, packages_of
from shared.rules.text import fold


class NamesTooAlikeError(HistoryError):
    """Rules compare without case and in one Unicode form, so names that differ by that alone cannot be told apart."""


def document(folder: Path) -> dict[str, Any]:
    """Groups, then one catalog with a package for each, as plain values; the same for the same folder."""
    packages = packages_of(folder)
    _refuse_unfit_names([package.name for package in packages])
    people = read_company(folder).people.values()
    write = _Writer(
        many_departments=any(several_at_once(person.departments) for person in people),
        many_titles=any(several_at_once(person.titles) for person in people),
    )
    return {
        "groups": [{"name": package.name} for package in packages],
        "catalogs": [
            {
                "name": "Company",
                "description": "Every department and job title of the company, made from its HR history.",
                "packages": [
                    {
                        "name": package.name,
                        "description": package.description,
                        "roles": [{"group": package.name, "role": "Member"}],
                        "policies": [{"name": name, "automatic": write.rule(who)} for name, who in package.policies],
                    }
                    for package in packages
                ],
            }
        ],
    }


def as_yaml(folder: Path) -> str:
    """The document as a file's text."""
    return yaml.safe_dump(document(folder), allow_unicode=True, sort_keys=False, width=120)


def quoted(text: str) -> str:
    """A string of the rule language: in double quotes, where a double quote is escaped and a single one doubled."""
    single = text.replace("'", "''")
    if text.endswith(("\\", "`")):
        return f"'{single}'"  # in double quotes this last character would escape the closing one
    return '"' + single.replace('"', '\\"') + '"'


class _Writer:
    """Writes a wish as a membership rule."""

    def __init__(self, *, many_departments: bool, many_titles: bool) -> None:
        self._also_in = {
            "department": "extensionAttribute2" if many_departments else None,
            "jobTitle": "extensionAttribute3" if many_titles else None,
        }

    def rule(self, who: Who) -> str:
        match who:
            case InDepartment(names):
                return self._one_of("department", names)
            case WithTitle(names):
                return self._one_of("jobTitle", names)
            case Manages():
                return 'user.extensionAttribute1 -eq "manager"'
            case Both(left, right):
                return f"({self.rule(left)}) -and ({self.rule(right)})"
            case Either(left, right):
                return f"({self.rule(left)}) -or ({self.rule(right)})"
            case Not(whom):
                return f"-not ({self.rule(whom)})"

    def _one_of(self, attribute: str, names: tuple[str, ...]) -> str:
        if len(names) == 1:
            rule = f"user.{attribute} -eq {quoted(names[0])}"
        else:
            rule = f"user.{attribute} -in [{', '.join(map(quoted, names))}]"
        if (also := self._also_in[attribute]) is None:
            return rule
        among = [f"(user.{also} -contains {quoted(listed([name]))})" for name in names]
        return " -or ".join([f"({rule})", *among])


def _refuse_unfit_names(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if len(name) > LONGEST_NAME:
            raise HistoryError(f"{name[:40]!r}… is longer than a group's name can be ({LONGEST_NAME} characters).")
        if (other := seen.setdefault(fold(name), name)) != name:
            raise NamesTooAlikeError(
                f"{other!r} and {name!r} differ only by case or Unicode form, which no rule can tell apart."
            )


if __name__ == "__main__":
    sys.stdout.write(as_yaml(Path(sys.argv[1])))
