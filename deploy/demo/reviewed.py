"""The reviews of the demo: what is reviewed, who says what of whom, and what must come of it.

Pure: the same for the same company and seed; `reviewing` plays it. What is reviewed lies in a catalog and in groups of
its own, so that the history judges none of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.demo.catalog import quoted

CATALOG = "Under review"
GUESTS, TEAM, APPLICATION = "Visitors", "Project team", "Expenses"
FEWEST = 8
"""People of the department, if there is one that large."""
SCRIPTED = 24
"""People of the department that somebody decides about; all others are left open."""
TEAM_OF = 6
USERS = 4
"""Of the application."""
FEW = 3
"""So many who do a job are too few to say what is usual among them."""

Who = int | str
"""An employee's number, or a guest's name."""
Job = tuple[str, str | None]
"""Department and title."""


class Review(StrEnum):
    """What each of them is called."""

    PACKAGES = "A department's packages, each quarter"
    GUESTS = "Guests, each quarter"
    TEAM = "Who belongs to the team"
    APPLICATION = "Who uses the application"


class Say(StrEnum):
    """What a reviewer says; `OPEN` is not said."""

    APPROVE = "Approve"
    DENY = "Deny"
    DONT_KNOW = "DontKnow"
    OPEN = "NotReviewed"


@dataclass(frozen=True, slots=True)
class Advice:
    """What must be recommended, and some of its words."""

    decision: str
    words: str


SIGNED_IN = Advice("Approve", "Last signed in on")
NOT_SIGNED_IN = Advice("Deny", "Last signed in on")
NO_PEER = Advice("Deny", "None of the")
SPONSOR_LEFT = Advice("Deny", "sponsor has left")
USED, NEVER_USED = Advice("Approve", "Used, last on"), Advice("Deny", "Not used since")
CLOSE, FAR = Advice("Approve", "steps in the reporting tree"), Advice("Deny", "far: more than")


@dataclass(frozen=True, slots=True)
class Figure:
    """What a sign that never approves by itself must show beside the recommendation."""

    name: str
    above_zero: bool
    words: str


PEERS_HAVE_IT = Figure("shareOfPeers", True, "a share of the peers has it")
NO_PEER_HAS_IT = Figure("shareOfPeers", False, "none of the peers has it")
SPONSOR_THERE = Figure("sponsorsThere", True, "a sponsor is here")
SPONSOR_GONE = Figure("sponsorsThere", False, "no sponsor is here")


@dataclass(frozen=True, slots=True)
class Line:
    """One person and one thing, in one review."""

    review: Review
    thing: str
    """Name of the package, group or application."""
    who: Who
    by: int
    """Number of the reviewer."""
    say: Say
    advice: Advice | None = None
    figure: Figure | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    name: str
    sponsor: int | None
    """None: somebody who has left."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything that is reviewed, and what is said of it."""

    department: str
    owner: int
    """Of the groups and the application; decides for those who have no manager."""
    packages: tuple[str, str]
    outsiders: tuple[int, ...]
    """Have the first package by hand, and nobody in their job has it."""
    guests: tuple[Guest, ...]
    team: tuple[int, ...]
    users: tuple[int, ...]
    """Of the application."""
    recent: frozenset[Who]
    """Have signed in of late; others of `old` long ago."""
    old: frozenset[Who]
    lines: tuple[Line, ...]

    @property
    def people(self) -> set[int]:
        """Numbers of everybody who is named."""
        named = {one for line in self.lines for one in (line.who, line.by)} | {*self.outsiders, *self.team, *self.users}
        named |= {guest.sponsor for guest in self.guests if guest.sponsor is not None} | self.recent | self.old
        return {one for one in named if isinstance(one, int)} | {self.owner}


@dataclass(frozen=True, slots=True)
class Employee:
    """Somebody who works there."""

    department: str
    title: str | None
    manager: int | None


def group_of(thing: str) -> str:
    """The name of the group that is reviewed, or that a package under review brings people into."""
    return f"{CATALOG}: {thing}"


def has_package(body: Mapping[str, Any]) -> bool:
    """Whether that accessPackage, with its catalog, is one of these."""
    return bool((body["catalog"] or {}).get("displayName") == CATALOG)


def has_group(body: Mapping[str, Any]) -> bool:
    """Whether that group is one of these."""
    return str(body["displayName"]).startswith(f"{CATALOG}: ")


def document(cast: Cast) -> dict[str, Any]:
    """The packages as `tenure apply` reads them: by rule for the department, and by hand for anybody."""
    rule = f"user.department -eq {quoted(cast.department)}"
    return {
        "name": "under review",
        "groups": [{"name": group_of(name)} for name in cast.packages],
        "catalogs": [
            {
                "name": CATALOG,
                "description": "What the department's managers look through each quarter.",
                "packages": [
                    {
                        "name": name,
                        "description": f"For the department {cast.department}.",
                        "roles": [{"group": group_of(name), "role": "Member"}],
                        "policies": [
                            {"name": f"{name}, by department", "automatic": rule},
                            {"name": by_hand(name), "direct": True},
                        ],
                    }
                    for name in cast.packages
                ],
            }
        ],
    }


def by_hand(package: str) -> str:
    """The name of the policy under which administrators give it."""
    return f"{package}, by hand"


def cast(people: Mapping[int, Employee]) -> Cast | None:
    """Who plays, of those who work there now; None if they are too few."""
    size = Counter(one.department for one in people.values())
    managed = {one.department for one in people.values() if one.manager is not None}
    fit = sorted((count, name) for name, count in size.items() if name in managed)
    if not fit or len(people) < 4 * FEWEST:
        return None
    department = next((name for count, name in fit if count >= FEWEST), fit[-1][1])
    inside = sorted(number for number, one in people.items() if one.department == department)
    managers = {one.manager for one in people.values()}
    others = sorted(number for number in people if number not in {*inside, *managers})
    owner, *others = others
    jobs: Counter[Job] = Counter((one.department, one.title) for one in people.values() if one.title is not None)
    # Of a job that several do, each of another: nobody else in it has the package.
    alone = {(people[one].department, people[one].title): one for one in others if people[one].title}
    outsiders = tuple(sorted(one for job, one in alone.items() if jobs[job] > FEW))[:2]
    team = unsuspicious(people, jobs, [one for one in inside if people[one].manager is not None], TEAM_OF)
    users = unsuspicious(people, jobs, others, USERS)
    if not team or not users:
        return None
    apart = [one for one in others if people[one].manager is not None]
    far = next((one for one in apart if not {*above(people, one)} & {*above(people, team[0])}), None)
    guests = tuple(Guest(f"guest{n}", None if n % 3 == 2 else owner) for n in range(6))
    packages = (f"{department}: tools", f"{department}: archive")
    play = Cast(
        department, owner, packages, outsiders, guests, (*team, *([far] if far is not None else [])), users,
        recent=frozenset([*inside[:SCRIPTED:2], *outsiders, *(guest.name for guest in guests[:4])]),
        old=frozenset([*inside[1:SCRIPTED:2], *(guest.name for guest in guests[4:])]),
        lines=(),
    )  # fmt: skip
    said = (*_packages(play, people, inside), *_guests(play), *_team(play, far, len(team)), *_application(play))
    return Cast(**{name: getattr(play, name) for name in Cast.__slots__ if name != "lines"}, lines=tuple(said))


def unsuspicious(
    people: Mapping[int, Employee], jobs: Counter[Job], among: Sequence[int], number: int
) -> tuple[int, ...]:
    """So many of them, fewer if need be, of whom nobody is the only one of a job that several do: what they are given
    is unusual for none of them, so another sign than that of their peers can speak for keeping it."""
    crews: dict[Job, list[int]] = {}
    for one in among:
        crews.setdefault((people[one].department, people[one].title), []).append(one)
    chosen: list[int] = []
    for job, crew in sorted(crews.items(), key=lambda each: (jobs[each[0]] > FEW, -len(each[1]), each[1])):
        taken = crew[: number - len(chosen)]
        if len(taken) > 1 or jobs[job] <= FEW:
            chosen += taken
    return tuple(chosen)


def above(people: Mapping[int, Employee], one: int) -> Iterator[int]:
    """Their superiors, the next one first; each once."""
    seen: set[int] = set()
    while one in people and (manager := people[one].manager) is not None and manager not in seen:
        seen.add(manager)
        yield manager
        one = manager


def _packages(play: Cast, people: Mapping[int, Employee], inside: list[int]) -> Iterator[Line]:
    says = (Say.APPROVE, Say.APPROVE, Say.DENY, Say.OPEN, Say.APPROVE, Say.DONT_KNOW)
    jobs = Counter(people[one].title for one in inside)
    for package in play.packages:
        for number, one in enumerate(inside[:SCRIPTED]):
            manager = people[one].manager
            by = play.owner if manager is None else manager
            advice = SIGNED_IN if one in play.recent else NOT_SIGNED_IN
            # The rule gives it to all of them: whoever has a colleague in the same job has a peer who has it.
            shared = people[one].title is not None and jobs[people[one].title] > 1
            figure = PEERS_HAVE_IT if shared else None
            yield Line(Review.PACKAGES, package, one, by, says[number % len(says)], advice, figure)
    for one in play.outsiders:
        manager = people[one].manager
        by = play.owner if manager is None else manager
        yield Line(Review.PACKAGES, play.packages[0], one, by, Say.DENY, NO_PEER, NO_PEER_HAS_IT)


def _guests(play: Cast) -> Iterator[Line]:
    for number, guest in enumerate(play.guests):
        advice = SIGNED_IN if guest.name in play.recent else NOT_SIGNED_IN
        say = (Say.APPROVE, Say.APPROVE, Say.DENY, Say.OPEN, Say.DENY, Say.DONT_KNOW)[number]
        if guest.sponsor is None:
            yield Line(Review.GUESTS, GUESTS, guest.name, play.owner, say, SPONSOR_LEFT, SPONSOR_GONE)
        else:
            yield Line(Review.GUESTS, GUESTS, guest.name, play.owner, say, advice, SPONSOR_THERE)


def _team(play: Cast, far: int | None, close: int) -> Iterator[Line]:
    enough = far is not None and close + 1 > TEAM_OF
    for one in play.team:
        advice = (FAR if one == far else CLOSE) if enough else None
        yield Line(Review.TEAM, TEAM, one, play.owner, Say.DENY if one == far else Say.APPROVE, advice)


def _application(play: Cast) -> Iterator[Line]:
    for number, one in enumerate(play.users):
        used = number % 2 == 0
        say = Say.APPROVE if used else Say.DENY
        yield Line(Review.APPLICATION, APPLICATION, one, play.owner, say, USED if used else NEVER_USED)
