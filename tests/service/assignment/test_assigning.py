"""Assignment on real Kafka and MongoDB: facts in, holdings out; rules that change; dates that come; questions."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from deploy.embedded import Servers
from shared.contracts import topics
from shared.contracts.assignment import AssignmentEndsSoon, AssignmentStatus
from shared.contracts.base import Lane
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from tests.service.assignment import said
from tests.service.assignment.conftest import Surroundings, all_taken, surroundings, until

EM = "/v1.0/identityGovernance/entitlementManagement"


@pytest.mark.spec("AUT-4")
async def test_a_person_is_given_what_rules_say_and_loses_it_on_leaving(around: Surroundings) -> None:
    await around.say(topics.PACKAGE_FACTS, said.package("sales"))
    await around.say(topics.POLICY_FACTS, said.policy("sales-rule", "sales", 'user.department -eq "Sales"'))
    await around.read_all()
    await around.say(topics.PERSON_FACTS, said.person("ana", department="sales"))
    state = await around.holds("ana", "sales")
    assert state.assignments[0].policy_id == "sales-rule"
    assert state.assignments[0].cause.id == "person:ana:1"
    (grant,) = state.grants
    assert (grant.role.origin_id, grant.deliver, grant.version) == ("g-sales", True, 1)

    told = said.deliveries("ana", 1, said.delivery(grant.role, grant.version, DeliveryStatus.DELIVERED, 1))
    await around.say(topics.DELIVERY_FACTS, told)

    async def delivered() -> bool:
        return around.state("ana").assignments[0].status is AssignmentStatus.DELIVERED

    await until(delivered, "delivered")

    leaving = said.person("ana", 2, PersonStatus.LEFT, department="sales", lane=Lane.URGENT)
    await around.say(topics.PERSON_FACTS, leaving)
    assert (await around.holds("ana")).grants == ()
    last = max((fact for fact in around.facts if fact.subject == "ana"), key=lambda fact: fact.version)
    assert last.cause.lane is Lane.URGENT
    assert last.cause.correlation == "first:ana:2"
    async with around.client() as client:

        async def listed() -> list[dict[str, object]]:
            path = f"{EM}/assignments?$filter=state eq 'expired' and target/objectId eq 'ana'&$expand=target"
            return list((await client.get(path)).json()["value"])

        (ended,) = await until(listed, "the ended assignment is in the history")
        assert ended["expiredDateTime"]
        one = (await client.get(f"{EM}/assignments/{ended['id']}?$expand=target")).json()
        assert one["target"] == ended["target"]
        assert one["target"]["displayName"] == "Ana", "it is still said whose it was"
        of_her = "target/displayName eq 'ana' and schedule/expiration/endDateTime eq null"
        path = f"{EM}/assignments?$filter={of_her} and schedule/startDateTime le {ended['schedule']['startDateTime']}"
        assert [found["id"] for found in (await client.get(path)).json()["value"]] == [ended["id"]]


async def test_a_list_without_what_has_ended_has_all_that_has_not(around: Surroundings) -> None:
    await around.say(topics.PACKAGE_FACTS, said.package("live"))
    await around.say(topics.POLICY_FACTS, said.policy("live-rule", "live", 'user.department -eq "live"'))
    await around.say(topics.PERSON_FACTS, said.person("liv", department="live"))
    await around.holds("liv", "live")
    async with around.client() as client:
        for filter, expected in (("state ne 'expired'", 1), ("state eq 'Expired'", 0), ("state eq 'delivering'", 1)):
            path = f"{EM}/assignments?$filter={filter} and target/objectId eq 'liv'"
            assert len((await client.get(path)).json()["value"]) == expected, filter


async def test_an_assignment_is_said_with_the_catalog_that_its_package_lies_in(around: Surroundings) -> None:
    await around.say(topics.CATALOG_FACTS, said.catalog("general"))
    await around.say(topics.PACKAGE_FACTS, said.package("boxed"))
    await around.say(topics.POLICY_FACTS, said.policy("boxed-rule", "boxed", 'user.department -eq "boxed"'))
    await around.say(topics.PERSON_FACTS, said.person("bea", department="boxed"))
    await around.holds("bea", "boxed")
    await around.read_all()
    async with around.client() as client:

        async def read(expand: str) -> Any:
            path = f"{EM}/assignments?$filter=target/objectId eq 'bea'&$expand={expand}"
            (one,) = (await client.get(path)).json()["value"]
            return one

        package = (await read("accessPackage($expand=catalog)"))["accessPackage"]
        assert (package["displayName"], package["catalog"]["displayName"]) == ("Package boxed", "General")
        assert package["catalog"]["catalogType"] == "userManaged"
        policy = (await read("assignmentPolicy($expand=accessPackage,catalog($select=id))"))["assignmentPolicy"]
        assert (policy["accessPackage"]["id"], policy["catalog"]) == ("boxed", {"id": "general"})
        assert "catalog" not in policy["accessPackage"]
        at = f"{EM}/assignments/{(await read('target'))['id']}"
        assert (await client.get(f"{at}/accessPackage/catalog")).json()["displayName"] == "General"
        for wanted, found in (
            ("accessPackage/displayName eq 'package BOXED'", 1),
            ("accessPackage/displayName eq 'other'", 0),
            ("accessPackage/catalog/id eq 'general' and accessPackage/id eq 'boxed'", 1),
            ("accessPackage/catalog/displayName eq 'nowhere'", 0),
            ("not startswith(target/displayName,'be') and accessPackage/id eq 'boxed'", 0),
            ("target/displayName eq 'bea'", 1),
            ("target/displayName ne 'bea' and target/id eq 'bea'", 0),
            ("schedule/expiration/endDateTime eq null and target/id eq 'bea'", 1),
            ("schedule/startDateTime gt 2100-01-01T00:00:00Z and target/id eq 'bea'", 0),
        ):
            listed = (await client.get(f"{EM}/assignments?$filter={wanted}&$count=true")).json()
            assert (len(listed["value"]), listed["@odata.count"]) == (found, found), wanted


@pytest.mark.spec("ORG-2")
async def test_whom_an_assignment_is_for_is_said_with_the_organization_of_a_guest(around: Surroundings) -> None:
    await around.say(topics.ORGANIZATION_FACTS, said.organization("partner", "partner.example"))
    await around.say(topics.PACKAGE_FACTS, said.package("shared"))
    await around.say(topics.POLICY_FACTS, said.policy("shared-rule", "shared", 'user.department -eq "shared"'))
    mails = {"gus": ("Gus@Partner.example", "Guest"), "mia": ("mia@partner.example", "Member")}
    for id, (mail, kind) in mails.items():
        await around.say(topics.PERSON_FACTS, said.person(id, department="shared", mail=mail, userType=kind))
        await around.holds(id, "shared")

    async with around.client() as client:

        async def read(path: str) -> Any:
            answer = await client.get(f"{EM}/{path}")
            return answer.json() if answer.status_code == 200 else answer.status_code

        async def of(person: str) -> Any:
            inner = "$expand=connectedOrganization($expand=internalSponsors;$select=displayName)"
            path = f"assignments?$filter=target/objectId eq '{person}'&$expand=target({inner})"
            return (await read(path))["value"][0]

        async def known() -> bool:
            return bool((await of("gus"))["target"]["connectedOrganization"])

        await until(known, "the organization is known")
        organization = {
            "displayName": "Partner",
            "internalSponsors": [{"@odata.type": "#microsoft.graph.directoryObject", "id": "eva"}],
        }
        assert (await of("gus"))["target"]["connectedOrganization"] == organization
        assert (await of("mia"))["target"]["connectedOrganization"] is None, "who is no guest is of no organization"

        at = {person: f"assignments/{(await of(person))['id']}" for person in mails}
        assert (await read(f"{at['gus']}/target"))["displayName"] == "Gus"
        assert (await read(f"{at['gus']}/target/connectedOrganization"))["id"] == "partner"
        sponsors = await read(f"{at['gus']}/target/connectedOrganization/internalSponsors")
        assert [one["id"] for one in sponsors["value"]] == ["eva"]
        assert await read(f"{at['mia']}/target/connectedOrganization") == 204
        assert await read(f"{at['mia']}/target/connectedOrganization/internalSponsors") == 404
        package = await read(f"{at['mia']}/accessPackage")
        assert (package["id"], package["isHidden"]) == ("shared", False)
        policy = await read(f"{at['mia']}/assignmentPolicy")
        assert (policy["displayName"], policy["createdDateTime"]) == ("Policy shared-rule", "2026-01-01T00:00:00Z")

        await around.say(topics.PERSON_FACTS, said.person("gus", 2, department="gone", mail="", userType="Guest"))
        await around.holds("gus")

        async def ended() -> bool:
            # Between the present ones and the history it may be in neither.
            found = await read("assignments?$filter=target/objectId eq 'gus'")
            return [one["state"] for one in found["value"]] == ["expired"]

        await until(ended, "it is in the history")
        assert (await of("gus"))["target"]["connectedOrganization"] is None, "by the mail that they have now"
        assert (await read(f"{at['gus']}/assignmentPolicy"))["id"] == "shared-rule"


async def test_what_has_ended_stays_listed_in_its_place(servers: Servers) -> None:
    """Graph lists expired assignments with the others; pages are those of one list."""
    async with surroundings(servers) as around:
        await around.say(topics.PACKAGE_FACTS, said.package("past"))
        await around.say(topics.POLICY_FACTS, said.policy("past-rule", "past", 'user.department -eq "past"'))
        people = [f"p{n}" for n in range(7)]
        await around.say(topics.PERSON_FACTS, *(said.person(one, department="past") for one in people))
        for one in people:
            await around.holds(one, "past")
        leaving = people[::2]
        await around.say(topics.PERSON_FACTS, *(said.person(one, 2, department="here") for one in leaving))
        for one in leaving:
            await around.holds(one)
        async with around.client() as client:

            async def pages(options: str) -> tuple[list[tuple[str, str]], int]:
                found, url, total = [], f"{EM}/assignments?$expand=target&$top=2&$count=true{options}", None
                while url:
                    page = (await client.get(url)).json()
                    found += [(one["target"]["objectId"], one["state"]) for one in page["value"]]
                    assert all(one["target"]["displayName"] for one in page["value"])
                    total = page["@odata.count"] if total is None else total
                    url = page.get("@odata.nextLink", "")
                return found, total or 0

            async def all_there() -> bool:
                return (await pages(""))[1] == len(people)

            await until(all_there, "the history has what has ended")
            states = {one: "expired" if one in leaving else "delivering" for one in people}
            whole = list(states.items())
            live, over = ([one for one in whole if (one[1] == "expired") is ended] for ended in (False, True))
            for options, expected in (
                ("", whole),
                ("&$orderby=target/objectId desc", whole[::-1]),
                ("&$filter=accessPackage/id eq 'past'", whole),
                ("&$filter=state ne 'expired'", live),
                ("&$filter=state in ('expired','delivering')", whole),
                ("&$filter=state eq 'Expired'", over),
                ("&$filter=expiredDateTime eq null", live),
                ("&$filter=expiredDateTime gt 2020-01-01T00:00:00Z", over),
            ):
                assert await pages(options) == (expected, len(expected)), options
            skipped = (await client.get(f"{EM}/assignments?$expand=target&$skip=3&$top=2")).json()
            assert [one["target"]["objectId"] for one in skipped["value"]] == people[3:5]
            by_date = (await pages("&$orderby=expiredDateTime desc"))[0]
            assert (by_date[:4], by_date[4:]) == (sorted(over, key=by_date.index), sorted(live, key=by_date.index))


@pytest.mark.spec("AUT-4", "RES-6")
async def test_a_new_rule_finds_its_people_and_a_changed_one_lets_them_go(around: Surroundings) -> None:
    people = [said.person(f"it{n}", department="IT", city="Oslo" if n % 2 else "Rome") for n in range(20)]
    await around.say(topics.PERSON_FACTS, *people)
    await around.read_all()
    await around.say(topics.PACKAGE_FACTS, said.package("it"))
    await around.say(topics.POLICY_FACTS, said.policy("it-rule", "it", 'user.department -eq "it"'))
    for one in people:
        await around.holds(one.subject, "it")
    changed = said.policy("it-rule", "it", '(user.department -eq "it") -and (user.city -eq "oslo")', 2)
    await around.say(topics.POLICY_FACTS, changed)
    for n, one in enumerate(people):
        await around.holds(one.subject, *(["it"] if n % 2 else []))
    await around.read_all()
    jobs = [fact.state for fact in around.jobs if fact.subject == "it-rule"]
    assert jobs[-1].done
    assert (jobs[-1].decided, jobs[-1].changed) == (20, 10)
    # Two groups instead of one: a change of the role set goes to present holders.
    await around.say(topics.PACKAGE_FACTS, said.package("it", 2, "g-it", "g-more"))

    async def both() -> bool:
        return len(around.state("it1").grants) == 2

    await until(both, "the second role reaches present holders")
    async with around.client() as client:
        holders = (await client.get("/v1.0/tenure/packages/it/holders?$top=6")).json()
        assert len(holders["value"]) == 6
        rest = (await client.get(holders["@odata.nextLink"])).json()
        assert sorted(holders["value"] + rest["value"]) == sorted(f"it{n}" for n in range(1, 20, 2))
        path = f"{EM}/assignments?$filter=accessPackage/id eq 'it' and state eq 'delivering'"
        page = (await client.get(f"{path}&$top=7&$count=true&$expand=target,accessPackage")).json()
        assert page["@odata.count"] == 10
        assert page["value"][0]["accessPackage"]["displayName"] == "Package it"
        following = (await client.get(page["@odata.nextLink"])).json()
        targets = [one["target"]["objectId"] for one in page["value"] + following["value"]]
        assert sorted(targets) == sorted(holders["value"] + rest["value"])
        assert (await client.get("/v1.0/tenure/ruleJobs")).json()["running"] == 0


async def test_a_rule_may_name_a_group_whose_members_were_told_long_before(around: Surroundings) -> None:
    await around.say(topics.PERSON_FACTS, said.person("gus"), said.person("gil"))
    told = (
        said.memberships("gus", 1, "Core", "other"),
        said.memberships("gil", 1, "core"),
        said.memberships("gus", 2, "Core"),
    )
    await around.say(topics.MEMBERSHIP_FACTS, *told)
    await around.read_all()
    await around.say(topics.PACKAGE_FACTS, said.package("members"))
    rule = "user.memberOf -any (group.objectId -in ['core'])"
    await around.say(topics.POLICY_FACTS, said.policy("members-rule", "members", rule))
    await around.holds("gus", "members")
    await around.holds("gil", "members")
    await around.say(topics.MEMBERSHIP_FACTS, said.memberships("gus", 3, left=["Core"]))
    await around.holds("gus")
    assert around.packages("gil") == {"members"}


@pytest.mark.spec("SOD-3")
async def test_members_of_an_incompatible_group_are_given_nothing_by_rule_or_by_hand_until_they_leave_it(
    around: Surroundings,
) -> None:
    await around.say(topics.PERSON_FACTS, said.person("sam", department="Sod"), said.person("sue"))
    await around.say(
        topics.MEMBERSHIP_FACTS, said.memberships("sue", 1, "Barred"), said.memberships("sam", 1, "Barred")
    )
    await around.read_all()
    await around.say(topics.PACKAGE_FACTS, said.package("duty"))
    rule = said.policy("duty-rule", "duty", 'user.department -eq "Sod"')
    await around.say(topics.POLICY_FACTS, rule, said.policy("duty-hand", "duty"))
    await around.holds("sam", "duty")
    # Of a group named only now: who has the package keeps it, and its members become known, those, too, whom no rule
    # gives anything yet.
    await around.say(topics.PACKAGE_FACTS, said.package("duty", 2, not_for=["Barred"]))
    await around.read_all()
    assert around.packages("sam") == {"duty"}
    await around.say(topics.PERSON_FACTS, said.person("sue", 2, department="Sod"))
    await around.read_all()
    assert around.packages("sue") == set()
    async with around.client() as client:
        body = {"personId": "sue", "packageId": "duty", "policyId": "duty-hand"}
        refused = await client.post("/v1.0/tenure/assignments", json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "incompatibleGroup")
        (withheld,) = (await client.get("/v1.0/tenure/people/sue/access")).json()["withheld"]
        assert (withheld["package"], "barred" in withheld["reason"]) == ("Package duty", True)
    await around.say(topics.MEMBERSHIP_FACTS, said.memberships("sue", 2, left=["Barred"]))
    await around.holds("sue", "duty")


async def test_a_direct_assignment_wins_and_the_rule_takes_over_when_it_is_removed(around: Surroundings) -> None:
    await around.say(topics.PACKAGE_FACTS, said.package("vpn"))
    rule = said.policy("vpn-rule", "vpn", 'user.department -eq "Travel"')
    await around.say(topics.POLICY_FACTS, rule, said.policy("vpn-hand", "vpn"))
    await around.say(topics.PERSON_FACTS, said.person("tom", department="travel"))
    first = await around.holds("tom", "vpn")
    body = {"userPrincipalName": "TOM@x.example", "packageId": "vpn", "policyId": "vpn-hand"}
    async with around.client() as client:
        made = await client.post("/v1.0/tenure/assignments", json=body, headers={"Idempotency-Key": "1"})
        assert made.status_code == 201, made.text
        again = await client.post("/v1.0/tenure/assignments", json=body, headers={"Idempotency-Key": "1"})
        assert again.json()["id"] == made.json()["id"]
        other = await client.post("/v1.0/tenure/assignments", json=body)
        assert (other.status_code, other.json()["error"]["code"]) == (409, "alreadyHeld")
        stranger = {"Idempotency-Key": "1", "Tenure-Actor": "file:theirs.yaml"}
        theirs = await client.post("/v1.0/tenure/assignments", json=body, headers=stranger)
        assert (theirs.status_code, theirs.json()["error"]["code"]) == (409, "alreadyHeld"), "a key is its caller's"

        async def by_hand() -> bool:
            return {one.id for one in around.state("tom").assignments} == {made.json()["id"]}

        await until(by_hand, "the direct assignment has taken the place")
        assert around.state("tom").grants[0].version == first.grants[0].version, "the grant was never interrupted"
        gone = await client.delete(f"/v1.0/tenure/assignments/{made.json()['id']}")
        assert gone.status_code == 204

        async def by_rule() -> bool:
            return {one.policy_id for one in around.state("tom").assignments} == {"vpn-rule"}

        await until(by_rule, "the rule has taken over")
        replayed = await client.post("/v1.0/tenure/assignments", json=body, headers={"Idempotency-Key": "1"})
        assert replayed.json()["state"] == "expired", "what has ended is not revived"
        assert (await client.delete(f"/v1.0/tenure/assignments/{made.json()['id']}")).status_code == 204
        access = (await client.get("/v1.0/tenure/people/tom/access")).json()
        assert [one["policy"] for one in access["assignments"]] == ["Policy vpn-rule"]


async def test_a_question_before_a_deletion_is_answered_with_the_count(around: Surroundings) -> None:
    await around.say(topics.PACKAGE_FACTS, said.package("old"))
    await around.say(topics.POLICY_FACTS, said.policy("old-rule", "old", 'user.department -eq "Archive"'))
    await around.say(topics.PERSON_FACTS, said.person("ole", department="archive"))
    await around.holds("ole", "old")
    asking = said.package("old", 2, life=Life.DELETING, asked=True)
    await around.say(topics.PACKAGE_FACTS, asking, asking)
    rule = 'user.department -eq "Archive"'
    await around.say(topics.POLICY_FACTS, said.policy("old-rule", "old", rule, 2, life=Life.DELETING, asked=True))

    async def answered() -> bool:
        return {one.subject for one in around.answers} >= {"old", "old-rule"}

    await until(answered, "both questions are answered")
    counts = {(one.subject, one.asked_version): one.in_use for one in around.answers}
    assert counts["old", 2] == 1
    assert counts["old-rule", 2] == 0, "what a rule gave goes with the rule"
    await around.say(topics.PERSON_FACTS, said.person("olga", department="archive"))
    await around.read_all()
    assert around.packages("olga") == set(), "nothing new is given by what is being deleted"
    assert around.packages("ole") == {"old"}, "and nothing is taken before it is deleted"


async def test_a_rule_and_a_joiner_never_miss_each_other_on_two_replicas(servers: Servers) -> None:
    async with surroundings(servers, replicas=2) as around:
        await around.say(topics.PACKAGE_FACTS, *(said.package(f"p{n}") for n in range(5)))
        await until(lambda: all_taken(around.hosts[0]), "packages are known")

        async def joiners() -> None:
            for n in range(60):
                await around.say(topics.PERSON_FACTS, said.person(f"j{n}", department="new"))
                if n % 10 == 0:
                    await asyncio.sleep(0)

        async def rules() -> None:
            for n in range(5):
                await around.say(topics.POLICY_FACTS, said.policy(f"r{n}", f"p{n}", 'user.department -eq "new"'))

        await asyncio.gather(joiners(), rules())
        for n in range(60):
            await around.holds(f"j{n}", *(f"p{m}" for m in range(5)))


@pytest.mark.spec("EXP-3")
async def test_what_has_an_end_is_announced_twice_and_ends(servers: Servers) -> None:
    async with surroundings(servers) as around:
        await around.say(topics.PACKAGE_FACTS, said.package("lab"))
        await around.say(topics.POLICY_FACTS, said.policy("lab-hand", "lab"))
        await around.say(topics.PERSON_FACTS, said.person("eva"))
        start, end = said.NOW + timedelta(days=5), said.NOW + timedelta(days=60)
        body = {
            "personId": "eva",
            "packageId": "lab",
            "policyId": "lab-hand",
            "startsAt": start.isoformat(),
            "endsAt": end.isoformat(),
        }
        async with around.client() as client:
            made = (await client.post("/v1.0/tenure/assignments", json=body)).json()
            assert (made["state"], made["status"]) == ("delivering", "Delivering"), "Graph has no word for later"
            for state, found in (("eq 'Delivering'", 1), ("in ('delivering')", 1), ("ne 'delivering'", 0)):
                path = f"{EM}/assignments?$filter=state {state} and target/objectId eq 'eva'&$count=true"
                listed = (await client.get(path)).json()
                assert ([one["id"] for one in listed["value"]], listed["@odata.count"]) == ([made["id"]] * found, found)
            assert (await client.get(f"{EM}/assignments?$filter=state eq 'scheduled'")).status_code == 400
        around.clock.turn(timedelta(days=6))

        async def begun() -> bool:
            return bool(around.state("eva").grants)

        await until(begun, "it has begun")
        # A jump over both reminders and the end goes from one date to the next.
        around.clock.turn(timedelta(days=100))
        await around.holds("eva")
        soon = [t for fact in around.facts for t in fact.transitions if isinstance(t, AssignmentEndsSoon)]
        assert len(soon) == 2
