"""The wiring of assignment: which message, date or route goes to which decision."""

from __future__ import annotations

from services.assignment import messages
from services.assignment.api import routes
from services.assignment.askings import Askings
from services.assignment.history import History, KeepingHistory
from services.assignment.model import HOLDING, RULE_JOB
from services.assignment.store import Looks, MembershipStore, RuleStore, holdings, roster_reader, rule_jobs
from shared.catalogs import Catalogs
from shared.contracts import topics
from shared.messaging.callers import Callers
from shared.messaging.service import Platform, Service, Timer
from shared.rosters import telling
from shared.subjects import Subjects
from shared.web.guard import Guard

JOBS_AT_ONCE = 20


def assemble(platform: Platform) -> Service:
    """Nothing of it runs yet."""
    database = platform.database
    people, jobs = holdings(database), rule_jobs(database)
    rules, history, memberships = RuleStore(database), History(database), MembershipStore(database)
    askings = Askings(database)
    looks = Looks(rules, history, memberships)
    subjects, catalogs = Subjects(database), Catalogs(database)
    callers = Callers(database, platform.hearing, groups_of=memberships.groups_of)
    guard = Guard(callers)
    holding_loop = platform.loop(HOLDING, people, KeepingHistory(platform.bus, history))
    job_loop = platform.loop(RULE_JOB, jobs)
    steps = Timer(job_loop, messages.job_steps(platform, holding_loop, people, looks), limit=JOBS_AT_ONCE, steady=True)

    reader = roster_reader(people, rules, platform.hearing)
    rosters = telling(platform, topics.ASSIGNMENT_ROSTER_QUESTIONS, topics.ASSIGNMENT_ROSTERS, reader)

    return Service(
        "assignment",
        stores=[
            people,
            jobs,
            rules,
            history,
            memberships,
            history.documents,
            askings.requests,
            askings.approvals,
            subjects.organizations,
            catalogs.replica,
            *callers.stores,
            rosters.store,
        ],
        subscriptions=[
            *messages.person_facts(platform, holding_loop, looks),
            messages.commands(platform, holding_loop, people, looks),
            *messages.delivery_facts(platform, holding_loop, looks),
            *messages.membership_facts(platform, holding_loop, looks, memberships),
            *messages.catalog_facts(platform, job_loop, people, rules),
            *messages.askings(platform, askings),
            subjects.facts(platform),
            catalogs.facts(platform),
            *callers.subscriptions(platform),
            rosters.subscription,
        ],
        timers=[Timer(holding_loop, messages.dates(looks)), steps, rosters.timer],
        loops=[holding_loop, job_loop, rosters.loop],
        routers=[routes(platform, holding_loop, people, jobs, history, looks, askings, subjects, catalogs, guard)],
        guard=guard,
    )
