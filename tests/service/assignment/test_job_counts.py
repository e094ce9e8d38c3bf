"""What a rule job says it has done is what was written for it, whoever gets in between."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.embedded import Servers
from services.assignment import messages
from services.assignment.history import History, KeepingHistory
from services.assignment.model import HOLDING, RULE_JOB
from services.assignment.store import Looks, MembershipStore, RuleStore, holdings, rule_jobs
from shared.contracts import topics
from shared.messaging.ports import Write, Written
from shared.messaging.service import Timer, ring
from tests.service.assignment import said
from tests.service.assignment.conftest import surroundings, until

RULE = 'user.department -eq "it"'


async def test_a_step_that_a_newer_change_overtakes_counts_what_it_took_for_the_newer(servers: Servers) -> None:
    # The steps are the test's.
    async with surroundings(servers, timers=False) as around:
        platform = around.hosts[0].platforms["assignment"]
        database = platform.database
        people, jobs = holdings(database), rule_jobs(database)
        looks = Looks(RuleStore(database), History(database), MembershipStore(database))
        write, overtake = people.write, [True]

        async def restarted() -> bool:
            return (await jobs.state("it-rule") or {}).get("target_epoch", 0) > 2

        async def overtaken(writes: Sequence[Write], stamp: str) -> Written:
            written = await write(writes, stamp)
            if overtake:
                overtake.clear()
                changed = said.policy("it-rule", "it", f'({RULE}) -and (user.city -eq "oslo")', 2)
                await around.say(topics.POLICY_FACTS, changed)
                await until(restarted, "the newer rule has its job")
            return written

        people.write = overtaken  # type: ignore[method-assign]
        loop = platform.loop(HOLDING, people, KeepingHistory(platform.bus, looks.history))
        steps = Timer(platform.loop(RULE_JOB, jobs), messages.job_steps(platform, loop, people, looks))

        crowd = [said.person(f"it{n}", department="IT", city="Oslo" if n % 2 else "Rome") for n in range(20)]
        await around.say(topics.PERSON_FACTS, *crowd)
        await around.say(topics.PACKAGE_FACTS, said.package("it"))

        async def known() -> bool:
            return await people.count({}) == 20 and "it" in (await looks.rules.present()).packages

        await until(known, "people and package are known")
        await around.say(topics.POLICY_FACTS, said.policy("it-rule", "it", RULE))
        await until(lambda: jobs.state("it-rule"), "the rule has its job")
        while await ring(steps, platform):
            pass
        job = await jobs.state("it-rule")
        assert job is not None
        assert not overtake
        assert job["done"]
        assert (job["decided"], job["changed"], job["expected"]) == (20, 10, 20)
