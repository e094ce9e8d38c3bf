"""The API keeps to its OpenAPI document: schemathesis sends what the document allows, and what it does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode

from shared.security.development import DevelopmentIssuer
from shared.security.permissions import GLOBAL_ADMINISTRATOR
from tests.system.commands import TENURE, clean_environment, endpoints, started, wait_for
from tests.system.commands import tenure as command
from tests.system.furnished import DEFINITIONS, HISTORIES, RM, RUN, Furnished
from tests.system.inhabited import EM, Body, named

EXAMPLES = {GenerationMode.POSITIVE: 2, GenerationMode.NEGATIVE: 1}
"""For each operation, beside the calls that have to succeed."""
TRIES = 12
SETTINGS = {"TENURE_TIMER_POLL_S": "0.1", "TENURE_READ_WAIT_S": "0.1"}
"""Most ids that are made up are unknown to everybody: there is nothing to wait for."""
SOURCES = "sources: {hr: {}, agency: {employeeIds: false}}\ncorrelate: [mail, userPrincipalName]\n"
IN_DOUBT = ("A1", "A2")
ORDER = ["post", "get", "put", "patch", "delete"]

HERE = "the id in the path"
_SITES = "originSystem eq 'SharePointOnline'"
USES_UP = {
    f"POST {EM}/assignmentRequests/{{id}}/cancel",
    f"GET {EM}/accessPackageAssignmentApprovals/{{id}}",
    f"GET {EM}/accessPackageAssignmentApprovals/{{id}}/stages",
    f"GET {EM}/accessPackageAssignmentApprovals/{{id}}/stages/{{stage_id}}",
    f"PATCH {EM}/accessPackageAssignmentApprovals/{{id}}/stages/{{stage_id}}",
}
"""Operations that need a request that nobody has decided."""
NEVER_SUCCEEDS = {
    f"POST {EM}/assignmentRequests/{{id}}/resume": "no custom extension is called yet, so no request waits for one",
    "POST /v1.0/tenure/audit/newLog": "Kafka has to lose its data first",
}
"""Operations that cannot succeed: they are asked about what is there alone, and answer 409."""


@pytest.fixture(scope="module")
def tenure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    """An embedded run with something of everything in it."""
    folder = tmp_path_factory.mktemp("document")
    log, sources = folder / "log", folder / "sources.yaml"
    sources.write_text(SOURCES)
    environment = clean_environment(**SETTINGS, TENURE_SOURCES_FILE=str(sources))
    with started((*TENURE, "run", "--data-dir", str(folder)), log, environment) as process:
        found = wait_for(lambda: endpoints(folder), process, log)
        issuer, audience = DevelopmentIssuer.of(folder), found["audience"]
        with httpx.Client(base_url=found["api"], timeout=60, trust_env=False) as client:
            client.headers["Authorization"] = f"Bearer {issuer.for_app(audience, [GLOBAL_ADMINISTRATOR])}"

            def signed(person: str) -> dict[str, str]:
                return {"Authorization": f"Bearer {issuer.for_person(audience, person, person)}"}

            first = Furnished(client, "", signed)
            first.admin = first.made("/v1.0/users", first.user())
            token = issuer.for_person(audience, first.admin, first.admin, [GLOBAL_ADMINISTRATOR])
            client.headers["Authorization"] = f"Bearer {token}"
            first.populate()
            said_twice(folder, first)
            yield first


def said_twice(folder: Path, tenure: Furnished) -> None:
    """Let a second source speak of people whom the first may mean: a human has to say who they are."""
    both = {"mail": "a@x.example", "userPrincipalName": "b@x.example"}
    changes = [("hr", "E1", {"mail": both["mail"]}), ("hr", "E2", {"userPrincipalName": both["userPrincipalName"]})]
    send(folder, changes)
    tenure.until(lambda: len(tenure.call("GET", "/v1.0/tenure/identities")["value"]) == 2)
    send(folder, [("agency", id, both) for id in IN_DOUBT])
    doubted = "/v1.0/tenure/identities?unlinked=true"
    tenure.until(lambda: len(tenure.call("GET", doubted)["value"]) == len(IN_DOUBT))


def send(folder: Path, changes: Sequence[tuple[str, str, dict[str, str]]]) -> None:
    said = [
        {
            "changeId": f"{source}-{id}",
            "source": source,
            "employeeId": id,
            "kind": "joined",
            "effectiveAt": "2026-01-01",
        }
        | {"attributes": {"displayName": id, **attributes}}
        for source, id, attributes in changes
    ]
    (folder / "changes").write_text("".join(json.dumps(one) + "\n" for one in said))
    done = command("hr", "send", str(folder / "changes"), "--data-dir", str(folder))
    assert done.returncode == 0, done.stderr


def bodies(tenure: Furnished) -> dict[str, Callable[[], Body]]:
    """What succeeds, for operations that want to know of something that is there."""

    def somebody() -> Body:
        return tenure.refers("users", tenure.made("/v1.0/users", tenure.user()))

    def some_group() -> Body:
        return tenure.refers("groups", tenure.made("/v1.0/groups", tenure.of_group()))

    def some_package() -> Body:
        return tenure.refers(f"{EM}/accessPackages", tenure.made(f"{EM}/accessPackages", tenure.of_package()))

    def approves() -> Body:
        return {"decision": "Approve", "justification": "Needed."}

    return {
        "POST /v1.0/tenure/clock": lambda: {"by": "PT1S"},
        "POST /v1.0/$batch": lambda: {"requests": [{"id": "1", "method": "GET", "url": "/users"}]},
        "POST /v1.0/users": tenure.user,
        "PATCH /v1.0/users/{id}": lambda: {"city": "Oslo"},
        "POST /v1.0/groups": tenure.of_group,
        "PATCH /v1.0/groups/{id}": lambda: {"description": "A group."},
        "POST /v1.0/groups/{id}/members/$ref": somebody,
        "POST /v1.0/groups/{id}/owners/$ref": somebody,
        "POST /v1.0/applications/{id}/owners/$ref": somebody,
        "POST /v1.0/servicePrincipals/{id}/owners/$ref": somebody,
        "PUT /v1.0/users/{id}/manager/$ref": somebody,
        "POST /v1.0/users/{id}/sponsors/$ref": lambda: tenure.refers("users", tenure.other),
        "POST /v1.0/tenure/identities:link": lambda: {"source": "agency", "id": "A1", "personId": tenure.person},
        "POST /v1.0/tenure/identities:keepApart": lambda: {"source": "agency", "id": "A2"},
        "POST /v1.0/applications": tenure.of_application,
        "PATCH /v1.0/applications/{id}": lambda: {"description": "An application."},
        "POST /v1.0/servicePrincipals": tenure.of_principal,
        "PATCH /v1.0/servicePrincipals/{id}": lambda: {"description": "A principal."},
        "POST /v1.0/servicePrincipals/{id}/appRoleAssignedTo": tenure.granted,
        "POST /v1.0/users/{id}/appRoleAssignments": lambda: {"principalId": HERE, **tenure.role_of_principal()},
        "POST /v1.0/tenure/sites": tenure.of_site,
        "PATCH /v1.0/tenure/sites/{id}": lambda: {"description": "A site."},
        "POST /v1.0/tenure/sites/{id}/assignments": tenure.on_site,
        "POST /v1.0/roleManagement/directory/roleAssignments": lambda: {
            "principalId": tenure.made("/v1.0/users", tenure.user()),
            "roleDefinitionId": tenure.built_in_role(),
            "directoryScopeId": "/",
        },
        "POST /v1.0/directoryObjects/getByIds": lambda: {"ids": [tenure.person]},
        "POST /v1.0/directoryObjects/{id}/checkMemberGroups": lambda: {"groupIds": [tenure.group]},
        "POST /v1.0/directoryObjects/{id}/checkMemberObjects": lambda: {"ids": [tenure.group]},
        "POST /v1.0/users/{id}/checkMemberGroups": lambda: {"groupIds": [tenure.group]},
        "POST /v1.0/users/{id}/checkMemberObjects": lambda: {"ids": [tenure.group]},
        f"POST {EM}/assignmentRequests": lambda: {
            "requestType": "adminAdd",
            "assignment": {
                "accessPackageId": tenure.package,
                "assignmentPolicyId": tenure.policy,
                "targetId": tenure.other,
            },
        },
        f"PATCH {EM}/accessPackageAssignmentApprovals/{{id}}/stages/{{stage_id}}": lambda: {"reviewResult": "Approve"},
        f"POST {EM}/catalogs": lambda: {"displayName": named("Catalog")},
        f"PATCH {EM}/catalogs/{{id}}": lambda: {"description": "A catalog."},
        f"POST {EM}/accessPackages": tenure.of_package,
        f"PATCH {EM}/accessPackages/{{id}}": lambda: {"description": "A package."},
        f"POST {EM}/accessPackages/{{id}}/resourceRoleScopes": tenure.role_scope,
        f"POST {EM}/accessPackages/{{id}}/incompatibleAccessPackages/$ref": some_package,
        f"POST {EM}/accessPackages/{{id}}/incompatibleGroups/$ref": some_group,
        f"POST {EM}/assignmentPolicies": lambda: tenure.of_policy(tenure.package),
        f"PUT {EM}/assignmentPolicies/{{id}}": lambda: tenure.of_policy(tenure.package),
        f"POST {EM}/resourceRequests": lambda: tenure.resource(tenure.made("/v1.0/groups", tenure.of_group())),
        "POST /v1.0/tenure/populations": tenure.of_population,
        "PATCH /v1.0/tenure/populations/{id}": lambda: {"description": "Some people."},
        "POST /v1.0/tenure/catalog:apply": lambda: {"managedBy": "a file", "changes": []},
        "POST /v1.0/tenure/signIns": tenure.signed_in,
        "POST /v1.0/invitations": lambda: {
            "invitedUserEmailAddress": f"{named('guest')}@partner.example",
            "inviteRedirectUrl": "https://my.example",
        },
        "PATCH /v1.0/groups(uniqueName='{name}')": lambda: {"description": "A group."},
        f"PATCH {EM}/subjects(objectId='{{id}}')": lambda: {"subjectLifecycle": "governed"},
        f"POST {EM}/connectedOrganizations": tenure.of_organization,
        f"PATCH {EM}/connectedOrganizations/{{id}}": lambda: {"description": "A partner."},
        f"POST {EM}/connectedOrganizations/{{id}}/internalSponsors/$ref": somebody,
        f"POST {EM}/connectedOrganizations/{{id}}/externalSponsors/$ref": somebody,
        f"POST {RM}/roleAssignments": tenure.of_delegation,
        f"POST {DEFINITIONS}": lambda: tenure.of_review(tenure.group),
        f"PUT {DEFINITIONS}/{{id}}": lambda: tenure.of_review(tenure.group),
        f"PUT {RUN}": tenure.by_administrator,
        f"PATCH {RUN}": tenure.by_administrator,
        f"PATCH {RUN}/stages/{{stage_id}}": tenure.by_administrator,
        f"PATCH {RUN}/decisions/{{item_id}}": approves,
        f"PATCH {RUN}/stages/{{stage_id}}/decisions/{{item_id}}": approves,
        f"POST {RUN}/batchRecordDecisions": approves,
        f"POST {HISTORIES}": tenure.of_history,
        "POST /v1.0/tenure/assignments": lambda: {
            "personId": tenure.made("/v1.0/users", tenure.user()),
            "packageId": tenure.package,
            "policyId": tenure.policy,
        },
    }


class Sent:
    """What was answered to what, by operation."""

    def __init__(self, tenure: Furnished) -> None:
        self.tenure = tenure
        self.valid = bodies(tenure)
        self.fresh = tenure.fresh
        self.queries: dict[str, dict[str, str]] = {
            "GET /v1.0/tenure/explain": {"person": tenure.person, "package": tenure.package},
            "GET /v1.0/tenure/access": {"person": tenure.person},
            "GET /v1.0/tenure/reviewHistory/{id}/{instance_id}": {"link": tenure.link},
            **{f"GET {EM}/resourceEnvironments{end}": {"$filter": _SITES} for end in ("", "/$count")},
        }
        self.answers: dict[str, Counter[int]] = {}
        self.wrong: list[str] = []

    def operation(self, operation: APIOperation[Any, Any, Any]) -> None:
        label = operation.label
        self.answers[label] = Counter()
        self._what_succeeds(operation)
        there = list(islice(self._paths(operation), 3))
        for mode, examples in EXAMPLES.items():
            self._generated(operation, mode, examples, there)

    def _what_succeeds(self, operation: APIOperation[Any, Any, Any]) -> None:
        """Objects that are there, one after another, until one is taken."""
        if operation.label in USES_UP:
            self.tenure.pending()
        if operation.label == "DELETE /v1.0/users/{id}/appRoleAssignments/{assignment}":
            self.tenure.granted_anew()
        body = self.valid.get(operation.label)
        query = {"query": self.queries[operation.label]} if operation.label in self.queries else {}
        fresh = self.fresh.get(operation.label)
        for number, path in enumerate([fresh()] if fresh else self._paths(operation)):
            if number == TRIES:
                return
            said = body() if body else {}
            if said.get("principalId") is HERE:
                said["principalId"] = path["id"]
            more = {"body": said} if operation.body else {}
            if self._send(operation.Case(path_parameters=path, **more, **query)) < 300:
                return

    def _generated(
        self,
        operation: APIOperation[Any, Any, Any],
        mode: GenerationMode,
        examples: int,
        there: Sequence[dict[str, str]],
    ) -> None:
        """What the document allows (or does not), about ids that are made up and those that are `there`."""
        number = 0

        @seed(1)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case) -> None:
            nonlocal number
            if there and (number % 3 or operation.label in NEVER_SUCCEEDS):
                case.path_parameters = {**(case.path_parameters or {}), **there[number % len(there)]}
            elif operation.label in NEVER_SUCCEEDS:
                return
            number += 1
            self._send(case)

        try:
            send()
        except Unsatisfiable:
            return  # nothing about it can be wrong

    def _paths(self, operation: APIOperation[Any, Any, Any]) -> Iterator[dict[str, str]]:
        """Nobody takes the floor from under our feet: neither the administrator nor what later calls need."""
        kept = {self.tenure.admin} if operation.method != "get" else set()
        if operation.method == "delete":
            kept |= {one for one in vars(self.tenure).values() if isinstance(one, str)}
        for path in self.tenure.paths(operation.method, operation.path):
            if operation.path.count("{") > 1 or not kept.intersection(path.values()):
                yield path

    def _send(self, case: Case) -> int:
        case.headers = {k: v for k, v in (case.headers or {}).items() if k.lower() != "authorization"}
        sent = case.as_transport_kwargs(base_url=str(self.tenure.client.base_url))
        sent.pop("cookies", None)
        headers = dict(sent.pop("headers", None) or {})
        content = sent.pop("data", None)
        answer = self.tenure.client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers=headers,
            **({"json": sent["json"]} if "json" in sent else {"content": content} if content is not None else {}),
        )
        status = answer.status_code
        label = case.operation.label
        self.answers[label][status] += 1
        documented = {str(one) for one in case.operation.definition.raw["responses"]}
        if status >= 500 or str(status) not in documented:
            said = json.dumps(sent.get("json"), ensure_ascii=False)[:300]
            self.wrong.append(f"{status} {label}: {answer.request.url} {said} -> {answer.text[:300]}")
        return status


@pytest.mark.timeout(1200)
def test_every_operation_succeeds_and_answers_only_what_the_document_says(tenure: Furnished) -> None:
    schema = schemathesis.openapi.from_dict(tenure.call("GET", "/openapi.json"))
    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) > 200
    sent = Sent(tenure)
    for one in sorted(operations, key=in_turn):
        sent.operation(one)

    assert sent.wrong == []
    without = {
        label: dict(answers)
        for label, answers in sent.answers.items()
        if not any(200 <= status < 300 for status in answers)
    }
    assert without.keys() == NEVER_SUCCEEDS.keys(), without


def in_turn(operation: APIOperation[Any, Any, Any]) -> tuple[int, int]:
    """What makes something comes first, what takes it away last, and before that what lies in it."""
    deep, order = operation.path.count("{"), ORDER.index(operation.method)
    return (9, -deep) if operation.method == "delete" else (min(deep, 1), order)
