"""Messages as the services say them, for tests of the trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.audit.messages import heard
from services.audit.model import Heard
from shared.contracts.approval import (
    ApprovalEnded,
    ApprovalFact,
    ApprovalState,
    Outcome,
    ReviewResult,
    StageDecided,
    StageStarted,
    StageState,
    StageStatus,
)
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentEnded,
    AssignmentKind,
    AssignmentMoved,
    AssignmentState,
    AssignmentStatus,
    EndReason,
    GrantGiven,
    GrantState,
    GrantTaken,
    HoldingFact,
    HoldingState,
)
from shared.contracts.base import Cause, Fact, Lane
from shared.contracts.catalog import Created, PackageFact, PackageState, PolicyFact, PolicyState, ResourceRole
from shared.contracts.directory import (
    GroupCreated,
    GroupFact,
    GroupState,
    MemberAdded,
    MemberRemoved,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    PersonChanged,
    PersonFact,
    PersonJoined,
    PersonState,
    PersonStatus,
    SourceIdentity,
    ValueChange,
)
from shared.contracts.hr import HrChange, hr_correlation
from shared.contracts.policy import Answer
from shared.contracts.request import (
    RequestApprovalAsked,
    RequestApproved,
    RequestCanceled,
    RequestDelivering,
    RequestFact,
    RequestState,
    RequestStatus,
    RequestSubmitted,
    RequestType,
)
from shared.contracts.topics import (
    APPROVAL_FACTS,
    GROUP_FACTS,
    HOLDING_FACTS,
    HR_CHANGES,
    MEMBERSHIP_FACTS,
    PACKAGE_FACTS,
    PERSON_FACTS,
    POLICY_FACTS,
    REQUEST_FACTS,
    Topic,
)
from shared.messaging.envelope import Incoming, Outgoing, Position, outgoing

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANA = "person-ana"
SALES, SALES_POLICY, SALES_GROUP = "package-sales", "policy-sales", "group-sales"
ROLE = ResourceRole(origin_id=SALES_GROUP, display_name="Sales")
FILE = Cause(id="apply:1", correlation="apply:1", actor="file:catalog.yaml")
RULE = '(user.department -eq "Sales")'


def cause(change: str, effective: str | None = None, lane: Lane = Lane.ORDINARY) -> Cause:
    at = datetime.fromisoformat(effective).replace(tzinfo=UTC) if effective else None
    id = hr_correlation("hr", "10001", change)
    return Cause(id=id, correlation=id, actor="source:hr", effective_at=at, lane=lane)


def said(topic: Topic, key: str, fact: Fact) -> Outgoing:
    return outgoing(topic, key, fact, source=topic.owner, at=fact.at)


def fact(
    kind: type[Fact], name: str, subject: str, version: int, at: datetime, why: Cause, happened: Any, state: Any
) -> Any:
    return kind(
        id=f"{name}:{subject}:{version}",
        subject=subject,
        version=version,
        at=at,
        cause=why,
        transitions=tuple(happened),
        state=state,
    )


def hr_change(change: str, effective: str, attributes: dict[str, Any], employee: str = "10001") -> Outgoing:
    body = HrChange(
        change_id=change, employee_id=employee, kind="changed", effective_at=effective, attributes=attributes
    )
    return Outgoing(HR_CHANGES.name, employee.encode(), body.json_bytes())


def package() -> Outgoing:
    state = PackageState(
        id=SALES, catalog_id="general", display_name="Sales", roles=(ROLE,), created_at=START, modified_at=START
    )
    return said(PACKAGE_FACTS, SALES, fact(PackageFact, "package", SALES, 1, START, FILE, [Created()], state))


def policy() -> Outgoing:
    state = PolicyState(
        id=SALES_POLICY,
        package_id=SALES,
        display_name="Everyone in Sales",
        rule=RULE,
        created_at=START,
        modified_at=START,
    )
    return said(
        POLICY_FACTS, SALES_POLICY, fact(PolicyFact, "policy", SALES_POLICY, 1, START, FILE, [Created()], state)
    )


def group() -> Outgoing:
    state = GroupState(id=SALES_GROUP, display_name="Sales team", created_at=START)
    return said(
        GROUP_FACTS, SALES_GROUP, fact(GroupFact, "group", SALES_GROUP, 1, START, FILE, [GroupCreated()], state)
    )


def person(
    version: int, at: datetime, why: Cause, department: str, before: str | None = None, id: str = ANA
) -> Outgoing:
    state = PersonState(
        id=id,
        status=PersonStatus.ACTIVE,
        attributes={
            "displayName": "Ana Kovač",
            "userPrincipalName": f"{id}@example.com",
            "employeeId": "10001",
            "department": department,
        },
        identities=(SourceIdentity(source="hr", id="10001"),),
    )
    happened = (
        PersonJoined()
        if before is None
        else PersonChanged(changes={"department": ValueChange(before=before, after=department)})
    )
    return said(PERSON_FACTS, id, fact(PersonFact, "person", id, version, at, why, [happened], state))


def person_said(version: int, at: datetime, why: Cause, *happened: Any, id: str = ANA) -> Outgoing:
    """Whatever is said of somebody who is there."""
    state = PersonState(id=id, status=PersonStatus.ACTIVE)
    return said(PERSON_FACTS, id, fact(PersonFact, "person", id, version, at, why, list(happened), state))


def assignment(why: Cause, at: datetime, id: str = "assignment-1") -> AssignmentState:
    return AssignmentState(
        id=id,
        package_id=SALES,
        policy_id=SALES_POLICY,
        kind=AssignmentKind.AUTOMATIC,
        status=AssignmentStatus.DELIVERING,
        starts_at=at,
        assigned_at=at,
        cause=why,
    )


def added(version: int, at: datetime, why: Cause, id: str = "assignment-1", who: str = ANA) -> Outgoing:
    held = assignment(why, at, id)
    grant = GrantState(role=ROLE, assignments=(id,), deliver=True, version=version)
    happened = [AssignmentAdded(assignment=held), GrantGiven(role=ROLE, version=version)]
    state = HoldingState(person_id=who, assignments=(held,), grants=(grant,))
    return said(HOLDING_FACTS, who, fact(HoldingFact, "holding", who, version, at, why, happened, state))


def moved(version: int, at: datetime, why: Cause, before: datetime | None, after: datetime | None) -> Outgoing:
    """The end of Ana's assignment is another one."""
    held = assignment(cause("c1"), START)
    was, now = (held.model_copy(update={"ends_at": end}) for end in (before, after))
    state = HoldingState(person_id=ANA, assignments=(now,))
    happened = [AssignmentMoved(before=was, after=now)]
    return said(HOLDING_FACTS, ANA, fact(HoldingFact, "holding", ANA, version, at, why, happened, state))


def ended(version: int, at: datetime, why: Cause, begun: Cause, id: str = "assignment-1", who: str = ANA) -> Outgoing:
    held = assignment(begun, START, id)
    detail = f"The rule of policy {SALES_POLICY} matches no longer."
    happened = [
        AssignmentEnded(assignment=held, reason=EndReason.NO_LONGER_MATCHES, detail=detail),
        GrantTaken(role=ROLE, version=version),
    ]
    state = HoldingState(person_id=who)
    return said(HOLDING_FACTS, who, fact(HoldingFact, "holding", who, version, at, why, happened, state))


def holding_said(version: int, at: datetime, why: Cause, *happened: Any) -> Outgoing:
    """Whatever is said of what Ana holds."""
    state = HoldingState(person_id=ANA)
    return said(HOLDING_FACTS, ANA, fact(HoldingFact, "holding", ANA, version, at, why, list(happened), state))


def member(version: int, at: datetime, why: Cause, is_member: bool, who: str = ANA) -> Outgoing:
    there = (MembershipState(group_id=SALES_GROUP, member=True, by_grant=True),) if is_member else ()
    happened = [(MemberAdded if is_member else MemberRemoved)(group_id=SALES_GROUP)]
    return memberships(version, at, why, happened, there, who)


def memberships(
    version: int, at: datetime, why: Cause, happened: Any, there: tuple[MembershipState, ...], who: str = ANA
) -> Outgoing:
    state = MembershipsState(person_id=who, groups=there)
    return said(MEMBERSHIP_FACTS, who, fact(MembershipsFact, "memberships", who, version, at, why, happened, state))


def story() -> list[Outgoing]:
    """Ana joins Sales in 1995 by business date, and moves to Support in 1997; all of it comes in March 2026."""
    joined, moved = cause("c1", "1995-06-01"), cause("c2", "1997-02-01")
    later = START + timedelta(days=1)
    ms = timedelta(milliseconds=1)
    return [
        package(),
        policy(),
        group(),
        hr_change("c1", "1995-06-01", {"department": "Sales"}),
        person(1, START + ms, joined, "Sales"),
        added(1, START + 2 * ms, joined),
        member(1, START + 3 * ms, joined, True),
        hr_change("c2", "1997-02-01", {"department": "Support"}),
        person(2, later + ms, moved, "Support", "Sales"),
        ended(2, later + 2 * ms, moved, joined),
        member(2, later + 3 * ms, moved, False),
    ]


def asking() -> list[Outgoing]:
    """Ana asks for Sales, her manager approves, she gets it, and asks for longer."""
    why = Cause(id="http:1", correlation="http:1", actor=f"person:{ANA}")
    at = [START + timedelta(minutes=minute) for minute in range(10)]
    answer = Answer(question_id="q", value="Because.", question="Why?")
    stage = StageState(id="s", status=StageStatus.IN_PROGRESS, approvers=("boss", "eva"), expires_at=at[0])
    approval = ApprovalState(
        id="r1", person_id=ANA, requestor_id=ANA, package_id=SALES, policy_id=SALES_POLICY, stages=(stage,)
    )
    until = START + timedelta(days=14)

    def request(id: str, version: int, when: datetime, type: RequestType, *happened: Any, **more: Any) -> Outgoing:
        values: dict[str, Any] = {"policy_version": 7, "justification": None, **more}
        state = RequestState(
            id=id, type=type, status=RequestStatus.DELIVERING, person_id=ANA, requestor_id=ANA, package_id=SALES,
            policy_id=SALES_POLICY, assignment_id="assignment-1", created_at=START, **values,
        )  # fmt: skip
        return said(REQUEST_FACTS, ANA, fact(RequestFact, "request", id, version, when, why, happened, state))

    def approved(version: int, when: datetime, *happened: Any) -> Outgoing:
        by = Cause(id=f"http:{version}", correlation=f"http:{version}", actor="person:boss")
        return said(APPROVAL_FACTS, "r1", fact(ApprovalFact, "approval", "r1", version, when, by, happened, approval))

    held = assignment(why, at[5]).model_copy(update={"kind": AssignmentKind.REQUESTED, "request_id": "r1"})
    given, grown = AssignmentAdded(assignment=held), HoldingState(person_id=ANA, assignments=(held,))
    decided = StageDecided(stage_id="s", number=1, result=ReviewResult.APPROVED, by="boss", justification="She does.")
    add, go_on = RequestType.USER_ADD, RequestType.USER_UPDATE
    asked = (RequestSubmitted(), RequestApprovalAsked(stages=1))
    longer = datetime(2027, 1, 1, tzinfo=UTC)
    return [
        package(),
        request("r1", 1, at[1], add, *asked, justification="I sell.", answers=(answer,)),
        approved(1, at[2], StageStarted(stage_id="s", number=1, approvers=("boss", "eva"), expires_at=until)),
        approved(2, at[3], decided, ApprovalEnded(outcome=Outcome.APPROVED, by="boss")),
        request("r1", 2, at[4], add, RequestApproved(), RequestDelivering()),
        said(
            HOLDING_FACTS,
            ANA,
            fact(HoldingFact, "holding", ANA, 1, at[5], why, [given], grown),
        ),
        request("r2", 1, at[6], go_on, RequestSubmitted(), policy_version=8, ends_at=longer),
    ]


def canceled(id: str, happened: RequestCanceled) -> Outgoing:
    """Ana's request for Sales is canceled."""
    state = RequestState(
        id=id, type=RequestType.USER_ADD, status=RequestStatus.CANCELED, person_id=ANA, requestor_id=ANA,
        package_id=SALES, policy_id=SALES_POLICY, policy_version=7, assignment_id="assignment-1", created_at=START,
        reason=happened.reason,
    )  # fmt: skip
    why = Cause(id="http:1", correlation="http:1", actor=f"person:{ANA}")
    return said(REQUEST_FACTS, ANA, fact(RequestFact, "request", id, 2, START, why, [happened], state))


def received(records: list[Outgoing], partition: int = 0, start: int = 0) -> list[Heard]:
    """As Kafka would give them: offsets count up in each topic."""
    offsets: dict[str, int] = {}
    batch = []
    for record in records:
        offset = offsets.get(record.topic, start)
        offsets[record.topic] = offset + 1
        headers = tuple((name, value.encode()) for name, value in record.headers)
        position = Position(record.topic, partition, offset)
        batch.append(heard(Incoming(position, record.key, record.value, headers, 1_772_355_600_000)))
    return batch
