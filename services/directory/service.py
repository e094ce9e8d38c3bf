"""The wiring of the directory: which message, date or route goes to which decision."""

from __future__ import annotations

from functools import lru_cache

from services.directory import decide, messages
from services.directory.api import Rooms, routes
from services.directory.belonging import belonging_routes
from services.directory.decide.conditional import conditionally
from services.directory.deleted import deleted_items
from services.directory.delta import delta_routes
from services.directory.dynamic import rules_followed
from services.directory.gone import memberships_followed
from services.directory.invitations import invitation_routes
from services.directory.model import (
    Memberships,
    Person,
    dump_group,
    dump_memberships,
    dump_person,
    load_group,
    load_memberships,
    load_person,
)
from services.directory.organizations.service import assemble_organizations
from services.directory.resources.service import assemble_resources
from services.directory.signins.api import Reports, sign_in_routes
from services.directory.signins.messages import sign_ins as sign_ins_handler
from services.directory.signins.messages import sign_ins_heard
from services.directory.signins.store import SignIns, dump_sign_ins, load_sign_ins
from services.directory.sources import read_sources
from services.directory.store import GroupStore, MembershipStore, People
from services.directory.writing import users_written
from shared.contracts import topics
from shared.contracts.base import made
from shared.contracts.directory import (
    GroupFact,
    GroupState,
    MembershipsFact,
    MembershipsState,
    PersonFact,
    PersonState,
    SourceIdentity,
)
from shared.contracts.signins import SignInsFact, SignInsState
from shared.messaging.decision import AggregateKind, Handler, by
from shared.messaging.service import Platform, Service, Timer
from shared.storage import Answers
from shared.web.idempotency import answering_once


@lru_cache(maxsize=1 << 14)
def _shown_identity(one: str) -> SourceIdentity:
    source, _, id = one.partition(":")
    return SourceIdentity(source=source, id=id)


def shown(person: Person) -> PersonState:
    """A person as others hear of them."""
    return made(
        PersonState,
        id=person.id,
        status=person.status,
        attributes=person.attributes,
        manager_id=person.manager_id,
        identities=tuple(map(_shown_identity, person.identities)),
        suspended_by=person.holds,
        answered=person.answered,
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


GROUP = AggregateKind[GroupState](
    name="group",
    owner="directory",
    dump=dump_group,
    load=load_group,
    topic=topics.GROUP_FACTS,
    fact=GroupFact,
    public=lambda group: group,
)


def shown_memberships(memberships: Memberships) -> MembershipsState:
    """What is, without what was: so a fact stays small, however many groups somebody has been through."""
    living = tuple(one for one in memberships.by_group.values() if one.member or one.by_grant)
    return made(MembershipsState, person_id=memberships.person_id, groups=living)


MEMBERSHIPS = AggregateKind[Memberships](
    name="memberships",
    owner="directory",
    dump=dump_memberships,
    load=load_memberships,
    topic=topics.MEMBERSHIP_FACTS,
    fact=MembershipsFact,
    public=shown_memberships,
)


SIGN_INS = AggregateKind[SignInsState](
    name="sign-ins",
    owner="directory",
    dump=dump_sign_ins,
    load=load_sign_ins,
    topic=topics.SIGN_IN_FACTS,
    fact=SignInsFact,
    public=lambda state: state,
)


def assemble(platform: Platform) -> Service:
    """One function wires the directory, for the process, the documents and the tests."""
    sources = read_sources(platform.settings.sources_file)
    people = People(platform.database, sources, platform.clock)
    groups = GroupStore(platform.database)
    memberships = MembershipStore(platform.database, groups)
    sign_ins = SignIns(platform.database, people)
    person_loop = platform.loop(PERSON, people)
    group_loop = platform.loop(GROUP, groups)
    membership_loop = platform.loop(MEMBERSHIPS, memberships)
    sign_in_loop = platform.loop(SIGN_INS, sign_ins)
    rooms = Rooms(
        platform,
        sources,
        people,
        groups,
        memberships,
        person_loop,
        group_loop,
        membership_loop,
        hold=messages.hr_changes(people),
        link=messages.link(people),
        keep_apart=messages.keep_apart(people),
        sponsor=messages.sponsor(people),
        purge=messages.purge(people),
        sign_ins=sign_ins,
        wish=Handler(conditionally(decide.groups.wish), by(lambda asked: asked.command.group_id)),
        by_hand=Handler(decide.memberships.by_hand, by(lambda asked: asked.person_id), memberships.look),
    )
    answers = Answers(platform.database)
    resources = assemble_resources(platform, rooms, answering_once(answers))
    organizations = assemble_organizations(platform, rooms, answering_once(answers), resources.guard)
    reports = Reports(platform, sign_in_loop, sign_ins_handler(sign_ins))
    return Service(
        name="directory",
        stores=[people, groups, memberships, sign_ins, answers, *resources.stores, *organizations.stores],
        subscriptions=[
            *messages.hr_changes_heard(platform, person_loop, people, sources),
            messages.guest_commands_heard(platform, person_loop, people),
            messages.group_commands_heard(platform, group_loop),
            *messages.membership_commands_heard(platform, membership_loop, memberships),
            messages.answers_heard(platform, person_loop, people),
            *resources.subscriptions,
            *organizations.subscriptions,
            *rules_followed(
                platform,
                membership_loop,
                groups,
                people,
                memberships_followed(platform, membership_loop, groups, memberships),
            ),
            sign_ins_heard(platform, sign_in_loop, sign_ins),
        ],
        timers=[Timer(person_loop, messages.dates(people)), *resources.timers],
        loops=[person_loop, group_loop, membership_loop, sign_in_loop, *resources.loops, *organizations.loops],
        routers=[
            delta_routes(rooms, platform.database, resources.guard),
            *routes(rooms, answers, resources.guard, resources.owning),
            belonging_routes(rooms, answers, resources.guard),
            users_written(rooms, answers, resources.guard),
            deleted_items(rooms, answers, resources.guard),
            invitation_routes(rooms, answers, resources.guard),
            sign_in_routes(reports, answering_once(answers), resources.guard),
            *resources.routers,
            *organizations.routers,
        ],
        guard=resources.guard,
        waits=people.waits,
    )
