"""What was asked and decided for assignments: a copy of requests and approvals, for whoever wants to know why.

No decision looks at it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from shared.contracts.approval import ApprovalFact
from shared.contracts.request import RequestFact
from shared.storage import Database, Index, Replica

Rendered = dict[str, Any]


class Askings:
    """Requests by assignment, and the approval of each, which has its id."""

    def __init__(self, database: Database) -> None:
        self.requests: Replica[RequestFact] = Replica(
            database,
            "requests",
            lambda fact: {
                "assignment_id": fact.state.assignment_id,
                "state": fact.state.model_dump(mode="json", by_alias=True),
            },
            (Index("assignment_id"),),
        )
        self.approvals: Replica[ApprovalFact] = Replica(
            database,
            "approvals",
            lambda fact: {"stages": [one.model_dump(mode="json", by_alias=True) for one in fact.state.stages]},
        )

    async def of(self, assignments: Collection[str]) -> dict[str, list[Rendered]]:
        """By assignment: everything that was asked about it, the oldest first, with each stage's decision."""
        if not assignments:
            return {}
        requests = await self.requests.find({"assignment_id": {"$in": list(assignments)}})
        approvals = await self.approvals.get([one["_id"] for one in requests])
        found: dict[str, list[Rendered]] = {}
        for one in sorted(requests, key=lambda one: (one["state"]["createdAt"], one["_id"])):
            said = asking_said(one["state"], approvals.get(one["_id"], {}))
            found.setdefault(one["assignment_id"], []).append(said)
        return found


def asking_said(request: Mapping[str, Any], approval: Mapping[str, Any]) -> Rendered:
    """One request for people to read. A change of an end is one, too: an extension."""
    return {
        "id": request["id"],
        "type": request["type"],
        "status": request["status"],
        "requestorId": request.get("requestorId"),
        "createdDateTime": request["createdAt"],
        "completedDateTime": request.get("completedAt"),
        "policyId": request["policyId"],
        "policyVersion": request["policyVersion"],
        "justification": request.get("justification"),
        "answers": [
            {"question": one.get("question") or one["questionId"], "answer": one.get("displayValue") or one["value"]}
            for one in request.get("answers") or ()
        ],
        "endsAt": request.get("endsAt"),
        "reason": request.get("reason"),
        "stages": [
            {
                "status": stage["status"],
                "result": stage["result"],
                "decidedBy": stage.get("reviewedBy"),
                "decidedDateTime": stage.get("reviewedAt"),
                "justification": stage.get("justification"),
            }
            for stage in approval.get("stages") or ()
        ],
    }
