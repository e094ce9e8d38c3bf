"""A sample HR integration: a company's history, published as changes to Tenure's topic `hr.attribute-changes`.

    python -m deploy.demo.hr_feed DIR --kafka HOST:PORT [--topic NAME] [--until DATE] [--rough SEED] [--rate N]

All it knows of Tenure is that topic's contract: the key is the employee id; the value says what became true of that
person, and when. Sending everything again is harmless, for a change's id depends on nothing but the change.
"""

import argparse
import asyncio
import re
import sys
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from deploy.demo.history import Company, Person, Spell, listed, read_company
from deploy.demo.rough import roughen

Change = dict[str, Any]
"""The message's value: changeId, employeeId, source, kind, effectiveAt, attributes; sometimes sequence, rescinds."""


def changes(folder: Path, until: date | None = None, rough: int | None = None) -> Iterator[Change]:
    """All changes up to and including `until`, by date; with a seed in `rough`, as disorderly as HR systems are."""
    smooth = _in_order(read_company(folder), until or date.max)
    return smooth if rough is None else roughen(smooth, rough)


def _in_order(company: Company, until: date) -> Iterator[Change]:
    days = company.turning_points()
    for day in sorted(day for day in days if day <= until):
        for emp_no in sorted(days[day]):
            yield from _on(day, company.people[emp_no], company)


def _on(day: date, person: Person, company: Company) -> Iterator[Change]:
    """The difference to the day before: one change, however many spells began or ended."""
    before = _known(person, company, day - timedelta(days=1)) if day > date.min else None
    now = _known(person, company, day)
    if now and before:
        if moved := {name: value for name, value in now.items() if value != before[name]}:
            yield _change(person, day, "changed", moved)
    elif now:
        yield _change(person, day, "joined", now)
    elif before:
        yield _change(person, day, "left", _leaving(day))
    elif brief := [spell for spell in person.departments if spell.begins == spell.ends == day]:
        # Hired and gone within a day: HR has both on record, so their order has to be said.
        titles = [spell for spell in person.titles if spell.begins == spell.ends == day]
        yield _change(person, day, "joined", _attributes(person, company, day, brief, titles)) | {"sequence": 1}
        yield _change(person, day, "left", _leaving(day)) | {"sequence": 2}


def _change(person: Person, day: date, kind: str, attributes: dict[str, Any]) -> Change:
    about = {"changeId": f"{person.emp_no}:{day}:{kind}", "employeeId": str(person.emp_no), "source": "hr"}
    return about | {"kind": kind, "effectiveAt": day.isoformat(), "attributes": attributes}


def _leaving(day: date) -> dict[str, Any]:
    return {"employeeLeaveDateTime": f"{day}T00:00:00Z"}


def _known(person: Person, company: Company, day: date) -> dict[str, Any] | None:
    """What HR knows on that day of someone who is employed; None of anyone else."""
    departments = [spell for spell in person.departments if spell.covers(day)]
    titles = [spell for spell in person.titles if spell.covers(day)]
    return _attributes(person, company, day, departments, titles) if departments else None


def _attributes(
    person: Person, company: Company, day: date, departments: Sequence[Spell], titles: Sequence[Spell]
) -> dict[str, Any]:
    department = departments[-1].name  # of several at once, the one that began last
    manager = company.manager_of(department, day)
    address = f"{_slug(person.first_name)}.{_slug(person.last_name)}.{person.emp_no}@company.example"
    return {
        "displayName": f"{person.first_name} {person.last_name}",
        "givenName": person.first_name,
        "surname": person.last_name,
        "userPrincipalName": address,
        "mail": address,
        "userType": "Member",
        "employeeHireDate": f"{person.hired}T00:00:00Z",
        "employeeLeaveDateTime": None,
        "department": department,
        "jobTitle": titles[-1].name if titles else None,
        # Nobody is their own manager; whether the manager is hired yet is not for HR's feed to judge.
        "managerEmployeeId": None if manager in (None, person.emp_no) else str(manager),
        "onPremisesExtensionAttributes": {
            "extensionAttribute1": "manager" if company.manages_something(person.emp_no, day) else None,
            "extensionAttribute2": _several(departments),
            "extensionAttribute3": _several(titles),
        },
    }


def _several(spells: Sequence[Spell]) -> str | None:
    """Departments or titles held at once, as |One|Other|; None unless there are several."""
    names = sorted({spell.name for spell in spells})
    return listed(names) if len(names) > 1 else None


@lru_cache(maxsize=1 << 16)
def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z]+", "", plain) or "x"  # the number in the address is what makes it unique


async def publish(what: Iterable[Change], kafka: str, topic: str, rate: float | None = None) -> int:
    """Send in this order, acknowledged by all replicas, at most `rate` a second; how many. Raises what Kafka raises."""
    clock, sent = asyncio.get_running_loop().time, 0
    in_flight: deque[asyncio.Future[Any]] = deque()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", linger_ms=10)
    async with producer:
        began = clock()
        for sent, change in enumerate(what, start=1):
            key, value = change["employeeId"].encode(), orjson.dumps(change)
            in_flight.append(await producer.send(topic, value, key=key))
            if len(in_flight) >= 10_000:
                await in_flight.popleft()
            if rate and (ahead := began + sent / rate - clock()) > 0:
                await asyncio.sleep(ahead)
        await asyncio.gather(*in_flight)
    return sent


def main() -> None:
    parser = argparse.ArgumentParser(prog="hr_feed", description="Publish a company's history as HR changes.")
    parser.add_argument("folder", type=Path, help="with department, dept_emp, dept_manager, employee and title .csv")
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT")
    parser.add_argument("--topic", default="hr.attribute-changes")
    parser.add_argument("--until", type=date.fromisoformat, help="the last day whose changes are sent")
    parser.add_argument("--rough", type=int, metavar="SEED", help="some late, twice, corrected or rescinded")
    parser.add_argument("--rate", type=float, metavar="N", help="at most so many changes a second")
    asked = parser.parse_args()
    sent = asyncio.run(publish(changes(asked.folder, asked.until, asked.rough), asked.kafka, asked.topic, asked.rate))
    sys.stdout.write(f"{sent} changes sent to {asked.topic}.\n")


if __name__ == "__main__":
    main()
