"""A service on one card: what `services/<name>/__init__.py` says it hears and says is what it is wired to.

"Hears:" and "Says:" name topics by their names in `shared/contracts/topics.py`, each for all of its lanes.
"Hears: every topic but …" is for whoever hears the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module

import pytest

from deploy.run.registry import assembled, built
from shared.contracts import topics
from shared.contracts.topics import Topic
from shared.messaging.service import Service
from shared.settings import Settings

TABLE = {name: topic for name, topic in vars(topics).items() if isinstance(topic, Topic)}
COMMANDS = {
    "MEMBERSHIP_COMMANDS",
    "HELD_ROLE_COMMANDS",
    "GUEST_COMMANDS",
    "GROUP_COMMANDS",
    "ROLE_ASSIGNMENT_COMMANDS",
    "CATALOG_ROSTER_QUESTIONS",
    "APPROVAL_COMMANDS",
    "ASSIGNMENT_COMMANDS",
    "ANSWER_COMMANDS",
    "DIRECTORY_ROSTER_QUESTIONS",
    "ASSIGNMENT_ROSTER_QUESTIONS",
}
"""Said by whoever asks and not by the owner."""
SAID_BY_SEVERAL = {"MEMBERSHIP_COMMANDS", "HELD_ROLE_COMMANDS", "ASSIGNMENT_COMMANDS"}
"""Reviews take away what they deny."""


@pytest.fixture(scope="module")
def services() -> Mapping[str, Service]:
    """As values, connected to nothing."""
    return assembled(Settings())


def named(service: str, heading: str) -> set[str]:
    """Names of the topics that the card has under this heading, which goes on to the next heading or an empty line."""
    card = import_module(f"services.{service}").__doc__ or ""
    found = re.search(rf"^{heading}: (.*?)(?=^\w[\w ]*: |^$|\Z)", card, re.MULTILINE | re.DOTALL)
    assert found, f"services/{service}/__init__.py lacks a line '{heading}: …'"
    words = set(re.findall(r"\b[A-Z][A-Z_]+\b", found[1]))
    unknown = {word for word in words if "_" in word} - TABLE.keys()
    assert not unknown, f"services/{service}/__init__.py names {unknown}, which topics.py does not"
    topics_named = words & TABLE.keys()
    return TABLE.keys() - topics_named if found[1].startswith("every topic but ") else topics_named


def every_lane(names: set[str]) -> set[str]:
    return {lane.name for name in names for lane in topics.lanes_of(TABLE[name])}


@pytest.mark.parametrize("service", built())
def test_a_card_lists_what_the_service_hears(service: str, services: Mapping[str, Service]) -> None:
    heard = {topic.name for one in services[service].subscriptions for topic in one.topics}
    assert every_lane(named(service, "Hears")) == heard


@pytest.mark.parametrize("service", built())
def test_a_card_lists_the_facts_that_the_service_says(service: str, services: Mapping[str, Service]) -> None:
    facts = {loop.kind.topic.name for loop in services[service].loops if loop.kind.topic is not None}
    assert facts <= every_lane(named(service, "Says"))


def test_every_topic_that_is_ours_is_said_by_one_service_or_asked_by_several() -> None:
    sayers = {name: [one for one in built() if name in named(one, "Says")] for name in TABLE}
    ours = {name: said for name, said in sayers.items() if not TABLE[name].inbound}
    assert {name for name, said in ours.items() if len(said) != 1} == SAID_BY_SEVERAL
    assert all(ours[name][-1] == "review" for name in SAID_BY_SEVERAL)
    assert {name for name, said in ours.items() if said != [TABLE[name].owner]} == COMMANDS
