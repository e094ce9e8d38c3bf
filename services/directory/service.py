"""The wiring of the directory: which message, date or route goes to which decision."""

from __future__ import annotations

from services.directory import messages
from services.directory.model import Person, dump_person, load_person
from services.directory.sources import read_sources
from services.directory.store import People
from shared.contracts import topics
from shared.contracts.directory import PersonFact, PersonState, SourceIdentity
from shared.messaging.decision import AggregateKind
from shared.messaging.service import Platform, Service, Timer


def shown(person: Person) -> PersonState:
    """A person as others hear of them."""
    return PersonState.model_construct(
        id=person.id,
        status=person.status,
        attributes=person.attributes,
        manager_id=person.manager_id,
        identities=tuple(
            SourceIdentity.model_construct(source=source, id=id)
            for source, _, id in (one.partition(":") for one in person.identities)
        ),
        suspended_by=person.holds,
    )


PERSON = AggregateKind[Person](
    name="person",
    owner="directory",
    dump=dump_person,
    load=load_person,
    topic=topics.PERSON_FACTS,
    fact=PersonFact,
    public=shown,
    due_at=lambda person: person.due_at,
)


def assemble(platform: Platform) -> Service:
    sources = read_sources(platform.settings.sources_file)
    people = People(platform.database, sources)
    person_loop = platform.loop(PERSON, people)
    return Service(
        name="directory",
        stores=[people],
        subscriptions=messages.subscriptions(platform, person_loop, people, sources),
        timers=[Timer(person_loop, messages.dates(people))],
        loops=[person_loop],
    )
