"""An embedded run's clock, put forward: what a month brings comes in its order, in every process of the run."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest

from deploy.cli.common import credentials
from tests.system.commands import TENURE, endpoints, started, tenure, wait_for

EM = "/v1.0/identityGovernance/entitlementManagement"
APART = "notification"
HIRED = {
    "changeId": "1",
    "employeeId": "1",
    "kind": "joined",
    "effectiveAt": "2026-01-01",
    "attributes": {
        "displayName": "Ana",
        "userPrincipalName": "ana@example.com",
        "mail": "ana@example.com",
        "department": "Sales",
    },
}
MOVED = {
    "changeId": "2",
    "employeeId": "1",
    "kind": "changed",
    "effectiveAt": "2026-01-02",
    "attributes": {"department": "Law"},
}
BY_HAND = {"displayName": "By hand", "expiration": {"type": "afterDuration", "duration": "P30D"}}
BY_RULE = {
    "displayName": "By rule",
    "allowedTargetScope": "specificDirectoryUsers",
    "specificAllowedTargets": [
        {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": 'user.department -eq "Sales"'}
    ],
    "automaticRequestSettings": {"gracePeriodBeforeAccessRemoval": "P20D"},
}


class Run:
    """A run in a folder, asked over HTTP and by its commands."""

    def __init__(self, folder: Path, process: Popen[bytes], log: Path) -> None:
        self.folder, self.process, self.log = folder, process, log
        found = self.until(lambda: endpoints(folder))
        self.http = httpx.Client(base_url=found["api"], timeout=30, trust_env=False, headers=credentials(folder))

    def until(self, what: Any) -> Any:
        return wait_for(what, self.process, self.log)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def list(self, path: str) -> list[dict[str, Any]]:
        return list(self.call("GET", path)["value"])

    def command(self, *arguments: str, code: int = 0) -> Any:
        done = tenure(*arguments, "--data-dir", str(self.folder), timeout=300)
        assert done.returncode == code, done.stderr
        return done

    def clock(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.command("clock", *arguments, "--json").stdout)
        return found

    def hears(self, *changes: dict[str, Any]) -> None:
        file = self.folder / "changes"
        file.write_text("".join(json.dumps(one) + "\n" for one in changes))
        self.command("hr", "send", str(file))

    def package(self, name: str, policy: dict[str, Any]) -> tuple[str, str]:
        package = self.call("POST", f"{EM}/accessPackages", displayName=name)["id"]
        made = self.call("POST", f"{EM}/assignmentPolicies", accessPackage={"id": package}, **policy)
        return package, made["id"]

    def ended(self) -> dict[str, datetime]:
        """Package -> when its assignment ended."""
        found = self.list(f"{EM}/assignments?$filter=state eq 'expired'&$expand=accessPackage")
        return {one["accessPackage"]["displayName"]: moment(one["expiredDateTime"]) for one in found}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.timeout(300)
def test_a_month_goes_by_in_its_order(tmp_path: Path) -> None:
    folder, log, apart_log = tmp_path / "data", tmp_path / "log", tmp_path / "apart"
    with started((*TENURE, "run", "--data-dir", str(folder), f"--without={APART}"), log) as process:
        run = Run(folder, process, log)
        with started((*TENURE, "service", APART, "--data-dir", str(folder)), apart_log) as apart:
            mails = "/v1.0/tenure/notifications?$filter=channel eq 'mail'"
            wait_for(lambda: run.http.get(mails).is_success, apart, apart_log)
            crm, by_hand = run.package("CRM", BY_HAND)
            run.package("Leads", BY_RULE)
            run.hears(HIRED)
            (ana,) = run.until(lambda: run.list("/v1.0/users?$filter=employeeId eq '1'&$select=id"))
            run.until(lambda: run.list(f"{EM}/assignments"))
            run.call("POST", "/v1.0/tenure/assignments", personId=ana["id"], packageId=crm, policyId=by_hand)
            run.hears(MOVED)
            run.until(lambda: any(one["schedule"]["expiration"]["endDateTime"] for one in lasting(run, "Leads")))

            before = run.clock("show")
            assert (before["aheadSeconds"], before["canBeTurned"]) == (0, True)
            after = run.clock("advance", "P31D")
            late = moment(after["now"]) - moment(before["now"]) - timedelta(days=31)
            assert timedelta() <= late < timedelta(minutes=10)

            # When it returns all is done: nothing here waits.
            assert {one["state"] for one in run.list(f"{EM}/assignments")} == {"expired"}
            ended = run.ended()
            assert timedelta(days=19) < ended["Leads"] - moment(before["now"]) < timedelta(days=20)
            assert timedelta(days=29) < ended["CRM"] - moment(before["now"]) < timedelta(days=30)
            said = sorted(run.list(mails), key=lambda one: moment(one["createdAt"]))
            assert [(one["event"], one["status"]) for one in said] == [
                ("accessGiven", "sent"),  # Leads; CRM was given by hand
                ("accessEndsSoon", "sent"),  # Leads, 14 days before
                ("accessEndsSoon", "sent"),  # CRM, 14 days before
                ("accessEndsSoon", "sent"),  # Leads, 1 day before
                ("accessTaken", "sent"),
                ("accessEndsSoon", "sent"),  # CRM, 1 day before
                ("accessTaken", "sent"),
            ], said
            why = run.command("explain", "ana@example.com", "Leads").stdout
            assert "for the grace period" in " ".join(why.split()), "a narrow table breaks its lines"

            assert "only goes forward" in run.command("clock", "set", "2026-01-01T00:00:00Z", code=1).stderr
            assert "is no duration" in run.command("clock", "advance", "P1M", code=1).stderr


def lasting(run: Run, package: str) -> list[dict[str, Any]]:
    found = run.list(f"{EM}/assignments?$expand=accessPackage")
    return [one for one in found if one["accessPackage"]["displayName"] == package]
