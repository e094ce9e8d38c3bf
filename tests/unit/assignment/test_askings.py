"""What was asked and decided, as it is shown beside the assignment it brought."""

import orjson

from services.assignment.askings import asking_said
from tests.unit.audit.said import asking


def test_a_request_is_shown_with_its_answers_policy_version_and_each_stages_decision() -> None:
    facts = [orjson.loads(one.value or b"") for one in asking()]
    requests = {one["id"]: one["state"] for one in facts if one["id"].startswith("request:")}
    decided = {
        "stages": [
            {"id": "s", "status": "Completed", "result": "Approved", "reviewedBy": "boss", "justification": "She does."}
        ]
    }
    said = asking_said(requests["request:r1:1"], decided)
    assert (said["type"], said["policyVersion"], said["justification"]) == ("userAdd", 7, "I sell.")
    assert said["answers"] == [{"question": "Why?", "answer": "Because."}]
    (stage,) = said["stages"]
    assert (stage["result"], stage["decidedBy"], stage["justification"]) == ("Approved", "boss", "She does.")
    extension = asking_said(requests["request:r2:1"], {})
    assert (extension["type"], extension["endsAt"], extension["stages"]) == ("userUpdate", "2027-01-01T00:00:00Z", [])
