"""What one example presumes, made; and its request, rewritten to what was made."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.web.graph_model import ODATA_TYPE
from tests.conformance.addresses import ARGUMENT, Address, Step, is_placeholder, read_address
from tests.conformance.examples import Example
from tests.conformance.making import AR, EM, FIXED, Asks, Like, Makes, NotMade, fresh
from tests.conformance.references import (
    IDS,
    IN_FILTER,
    OBJECTS,
    ORIGINS,
    ROLE_ORIGIN,
    SCOPES,
    of_property,
    rank,
)

_URL_ID = re.compile(r"(?P<collection>\w+)(?:/|\(')(?P<key>[^/']+)(?:'\))?/?$")
_MEMBERS = {"members": "members", "transitivemembers": "members", "owners": "owners"}
_OWNED = {"application": "applications", "servicePrincipal": "servicePrincipals"}
"""Of what has owners beside groups."""
_GROUP_ACTIONS = frozenset({"checkmembergroups", "checkmemberobjects", "getmembergroups", "getmemberobjects"})
_FUTURE = frozenset({"startdatetime", "enddatetime"})
_DATE_TIME = re.compile(r"(\d{4})(-\d\d-\d\dT.*)")
_EXPANDED = re.compile(r"[(,](\w+)\(\)")
"""A relation in an answer's context: `#roleAssignments(principal())`."""
_IN_CONTEXT = re.compile(r"\((.*)\)(?:/\$entity)?$")
"""What stands behind the name of a list: `#users(displayName,id)`."""
_SYSTEM = re.compile(r"originSystem eq '(\w+)'")
_RELATIONS = frozenset(
    {
        "accessPackage", "assignment", "assignmentPolicy", "catalog", "connectedOrganization", "requestor", "resource",
        "role", "target",
    }
)  # fmt: skip
"""Of entitlement management: examples show what they lead to without its type, too."""
_ENDS = re.compile(r"endswith\((?P<property>\w+),\s*'(?P<text>[^']+)'\)", re.IGNORECASE)
"""What ends so is an address in all that is documented."""
_NESTED = frozenset({"onPremisesExtensionAttributes", "employeeOrgData"})
"""Properties of people that have properties."""
_SEARCHED = re.compile(r"(?P<property>\w+):(?P<text>[^\"]+)")
_MOST = 3
"""Items that are made of a documented list: enough to see that it is one."""


@dataclass(frozen=True)
class Prepared:
    """A request that can be sent."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]
    by: str | None
    """Another person than the administrator."""
    notes: tuple[str, ...]


class Scene:
    """One example's world: what its ids mean here."""

    def __init__(self, asks: Asks, example: Example) -> None:
        self.asks = asks
        self.makes = Makes(asks)
        self.example = example
        self.address: Address = read_address(example.path)
        self._named: dict[str, str] = {}
        """What the example calls something (text, or type and text of a placeholder) -> id."""
        self._the: dict[str, str] = {}
        """Type -> the one that is meant where nothing else is said."""
        self._in_catalog: dict[str, str] = {}
        """Package -> its catalog."""
        self._person_of: dict[str, str] = {}
        """Assignment -> who holds it."""
        self._definition_of: dict[str, str] = {}
        """Instance of a review -> its definition."""
        self._run_of_stage: dict[str, str] = {}
        """Stage of a review -> its instance."""
        self._holds: set[tuple[str, str]] = set()
        self._with_role: set[str] = set()
        self._by: str | None = None
        answers = example.body.get("answers") if isinstance(example.body, dict) else None
        self._answers: list[Any] = answers if isinstance(answers, list) else []

    @property
    def admin(self) -> str:
        assert self.asks.admin is not None
        return self.asks.admin

    async def prepare(self) -> Prepared:
        """Make what is presumed. Raises NotMade."""
        for type, text, like in sorted(self._references(), key=lambda one: rank(one[0])):
            await self.have(type, text, like)
        await self._asked_for()
        path = await self._path()
        await self._listed()
        body = await self._rewritten(self.example.body, "", {})
        await self._acting(body)
        options = [f"{name}={await self._option(name, value)}" for name, value in self.address.options]
        options += self._lost_with_what_is_cut_off()
        notes = tuple(f"'{option}' is cut off in the example and not sent" for option in self.address.cut_off)
        if self.example.body is not None and isinstance(body, dict):
            self.makes.written |= body.keys()
        headers = {k: v for k, v in self.example.headers.items() if k.lower() not in {"authorization", "content-type"}}
        sent = path + ("?" + "&".join(options) if options else "")
        return Prepared(self.example.method, sent, body, headers, self._by, notes)

    async def _asked_for(self) -> None:
        """Whoever asks for a package without naming a policy is let by one; what is changed is there, also where it is
        named by whose it is of what."""
        body = self.example.body
        if self.example.method != "POST" or not isinstance(body, dict):
            return
        asked = body.get("assignment") or body.get("accessPackageAssignment")
        if not isinstance(asked, dict) or "accessPackageId" not in asked:
            return
        adds = str(body.get("requestType", "")).lower().endswith("add")
        if adds and "assignmentPolicyId" not in asked:
            await self.make("accessPackageAssignmentPolicy", {})
        elif not adds and "id" not in asked:
            await self.make("accessPackageAssignment", {})

    def _lost_with_what_is_cut_off(self) -> list[str]:
        """Behind what is cut off no query is left; the answer tells what was expanded and selected, in its context or
        by showing it."""
        answer, address = self.example.answer, self.address
        if not (address.cut_off or address.ends_within_a_key) or not isinstance(answer, dict):
            return []
        items = [one for one in answer.get("value") or [answer] if isinstance(one, dict)]
        context = str(answer.get("@odata.context", ""))
        lost = [] if address.option("expand") else self._expanded_in(context, items)
        selected = _selected_in(context) or ({name for one in items for name in one} if _is_selected(items) else set())
        if selected and not address.option("select"):
            lost.append(f"$select={','.join(sorted(name for name in selected if '@' not in name))}")
        return lost

    def _expanded_in(self, context: str, items: Collection[Like]) -> list[str]:
        shown = {
            name
            for one in items
            for name, value in one.items()
            if isinstance(value, dict) and self._leads_on(name, value)
        }
        expanded = {*_EXPANDED.findall(context), *shown}
        return [f"$expand={','.join(sorted(expanded))}"] if expanded else []

    def _leads_on(self, name: str, value: Like) -> bool:
        """Whether that is what a relation leads to, and no property."""
        if "entitlementmanagement" in self._names and name in _RELATIONS:
            return True
        return ODATA_TYPE in value and not name.lower().endswith("scope")

    # What the example refers to

    def _references(self) -> Iterator[tuple[str, str, Like]]:
        steps = self.address.steps
        for at, step in enumerate(steps):
            if step.type and step.key and (at == 0 or steps[at - 1].key is None):
                yield step.type, step.key, self._shown(step.type) if at == len(steps) - 1 or self._about_deleted else {}
            if step.call:
                for one in ARGUMENT.finditer(step.call[1]):
                    if type := IDS.get(one["name"].lower()):
                        # Of subjects, those can be changed who are guests.
                        yield type, one["value"], {"userType": "Guest"} if step.call[0] == "subjects" else {}
        for _, value in self.address.options:
            for one in IN_FILTER.finditer(value):
                if type := of_property(one["property"]):
                    yield type, one["value"], {}
        yield from self._in_body(self.example.body, "")

    def _shown(self, type: str) -> Like:
        """What the example tells of the thing that it is about."""
        match self.example.method, self.example.answer, self.example.body:
            case "GET", dict() as answer, _:
                return answer
            case "PATCH", _, dict() as body:
                return {name: body[name] for name in FIXED.get(type, ()) if name in body}
            case "POST", dict() as answer, _ if self._about_deleted:
                return answer
            case "DELETE", _, _ if type == "directoryObject" and not self._about_deleted:
                return {"@odata.type": "#microsoft.graph.group"}  # which people are not deleted by
        return {}

    @property
    def _names(self) -> set[str]:
        return {step.name.lower() for step in self.address.steps}

    @property
    def _about_deleted(self) -> bool:
        return "deleteditems" in self._names

    @property
    def _about_groups(self) -> bool:
        """Whether the example asks which groups somebody is in."""
        return self.address.last.name.lower() in _GROUP_ACTIONS

    def _in_body(self, body: Any, name: str) -> Iterator[tuple[str, str, Like]]:
        if isinstance(body, list):
            for one in body:
                yield from self._in_body(one, name)
            return
        if not isinstance(body, dict):
            return
        system = str(body.get("originSystem", "")).lower()
        for key, value in body.items():
            lower = key.lower()
            if lower == "email" and name == "target" and isinstance(value, str):
                yield "user", value, {"mail": f"{fresh('known').replace(' ', '.')}@partner.example"}
            elif lower == "id" and isinstance(value, str) and (type := OBJECTS.get(name)):
                if type not in {"accessPackageResource", "accessPackageQuestion"}:
                    yield type, value, body
            elif lower == "originid" and system in ORIGINS and isinstance(value, str):
                role = ROLE_ORIGIN.fullmatch(value)
                if role:
                    yield "group", role["group"], {}
                elif name != "role" or system == "aadgroup":
                    yield ORIGINS[system], value, {}
            elif lower in IDS and isinstance(value, str):
                yield IDS[lower], value, {}
            elif lower in IDS and isinstance(value, list):
                kind = next(iter(body.get("types") or ()), "group" if self._about_groups else None)
                yield from ((IDS[lower], str(one), {"@odata.type": f".{kind}"} if kind else {}) for one in value)
            elif isinstance(value, dict | list):
                yield from self._in_body(value, lower)

    async def have(self, type: str, text: str, like: Like = {}) -> str:  # noqa: B006 (read only)
        """The id of what the example calls `text`, made at its first mention."""
        name = _name(type, text)
        if name not in self._named:
            self._named[name] = await self._same_or_made(type, text, like)
        return self._named[name]

    async def _same_or_made(self, type: str, text: str, like: Like) -> str:
        if type == "unifiedRoleDefinition":
            return await self._role_definition(text, like)
        return await self.make(type, like)

    async def _role_definition(self, text: str, like: Like) -> str:
        """One that is built in has the same id everywhere. Where the example is about something else, any will do."""
        at = f"/v1.0/roleManagement/{self._provider()}/roleDefinitions"
        if not is_placeholder(text) and (await self.asks.send("GET", f"{at}/{text}")).is_success:
            return text
        if self.address.last.type == "unifiedRoleDefinition":
            return await self.make("unifiedRoleDefinition", like)
        owner = [one for one in (await self.asks.call("GET", at))["value"] if one["displayName"] == "Catalog owner"]
        return str((owner or (await self.asks.call("GET", at))["value"])[0]["id"])

    # Making

    async def the(self, type: str, like: Any = None) -> str:
        """The one of that type that this example is about."""
        if type not in self._the:
            await self.make(type, like if isinstance(like, dict) else {})
        return self._the[type]

    async def make(self, type: str, like: Like) -> str:
        """One more. Raises NotMade for a type that has no builder."""
        id = await self._made(type, like)
        self._the.setdefault(type, id)
        return id

    async def _made(self, type: str, like: Like) -> str:
        makes = self.makes
        match type:
            case "user" | "directoryObject":
                if type == "directoryObject" and self._about_deleted:
                    return await self._deleted(like)
                return await (self._group(like) if _is_group(like) else self._person(like))
            case "group":
                return await self._group(like)
            case "application":
                return await makes.application(like)
            case "servicePrincipal":
                return await makes.service_principal(like)
            case "site":
                return await makes.site(like)
            case "administrativeUnit":
                return await makes.administrative_unit(like)
            case "unifiedRoleDefinition":
                return await makes.role_definition(like)
            case "unifiedRoleAssignment":
                return await self._role_assignment(like)
            case "accessPackageCatalog":
                return await self._catalog(like)
            case "accessPackage":
                return await self._package(like)
            case "accessPackageAssignmentPolicy":
                return await self._policy(like)
            case "accessPackageAssignment":
                return await self._assignment(like)
            case "accessPackageAssignmentRequest":
                return await self._request(like)
            case "approval":
                return await self._open_request()
            case "accessPackageResource":
                found = _SYSTEM.search(self.address.option("filter") or "")
                shown = {"originSystem": found[1]} if found else {}
                return await self._resource_in(await self.the("accessPackageCatalog"), {**shown, **like})
            case "customCalloutExtension":
                return await makes.extension(like, await self.the("accessPackageCatalog"))
            case "connectedOrganization":
                return await makes.organization(like)
            case "accessPackageSubject":
                return await self._person(like)
            case "accessReviewScheduleDefinition":
                written = self.example.body.get("scope") if isinstance(self.example.body, dict) else None
                kind = str(written.get("@odata.type")) if isinstance(written, dict) else ""
                of_memberships = kind.endswith("principalResourceMembershipsScope")
                # What a change shows it has brought about.
                shown = self.example.answer if self.example.method == "GET" else None
                having = _having(shown) | ({"stageSettings"} if "stages" in self._names else set())
                return await makes.review(of_memberships, having)
            case "accessReviewHistoryDefinition":
                return await makes.review_history()
            case "accessPackageResourceRequest":
                catalog = await self.the("accessPackageCatalog")
                await makes.resource(catalog, await makes.group({}), "AadGroup")
                requests = f"{EM}/resourceRequests?$filter=" + quote(f"catalog/id eq '{catalog}'")
                return str((await self.asks.call("GET", requests))["value"][0]["id"])
            case "accessPackageResourceEnvironment":
                return await makes.site(like)  # it lies in one
            case "appRole":
                principal = await self.asks.call("GET", f"/v1.0/servicePrincipals/{await self.the('servicePrincipal')}")
                return str(principal["appRoles"][0]["id"])
            case "controlConfiguration":
                return str((await self.asks.call("GET", f"{EM}/controlConfigurations"))["value"][0]["id"])
        raise NotMade(f"there is no builder for {type}")

    async def _person(self, like: Like) -> str:
        id = await self.makes.user(like)
        if isinstance(like.get("signInActivity"), dict):
            await self.makes.signed_in(id)
        if isinstance(manager := like.get("manager"), dict):
            await self.makes.set_manager(id, await self._person(manager))
        for report in like.get("directReports") or []:
            await self.makes.set_manager(await self._person(report), id)
        return id

    async def _group(self, like: Like) -> str:
        id = await self.makes.group(like)
        for relation in ("members", "owners"):
            for one in (like.get(relation) or like.get(f"{relation}@delta") or [])[:_MOST]:
                await self.makes.refer(f"/v1.0/groups/{id}/{relation}", f"/v1.0/users/{await self._person(one)}")
        return id

    async def _deleted(self, like: Like) -> str:
        """Somebody, or a Microsoft 365 group, that was deleted and can be restored."""
        if _is_group(like):
            id, at = await self.makes.group({**like, "groupTypes": ["Unified"]}), "groups"
        else:
            id, at = await self._person(like), "users"
        await self.asks.call("DELETE", f"/v1.0/{at}/{id}")
        return id

    async def _catalog(self, like: Like) -> str:
        id = await self.makes.catalog(like)
        self._the.setdefault("accessPackageCatalog", id)
        for package in like.get("accessPackages") or []:
            await self.make("accessPackage", package)
        return id

    async def _package(self, like: Like) -> str:
        catalog = await self.the("accessPackageCatalog", like.get("catalog"))
        id = await self.makes.package(like, catalog)
        self._in_catalog[id] = catalog
        self._the.setdefault("accessPackage", id)
        for _ in like.get("resourceRoleScopes") or like.get("accessPackageResourceRoleScopes") or []:
            await self.makes.role_scope(catalog, id, await self.makes.group({}))
        for policy in like.get("assignmentPolicies") or []:
            await self.makes.policy(await self._rewritten(policy, "", {}), id)
        for other in (like.get("incompatibleAccessPackages") or [])[:_MOST]:
            await self._relate(id, "accessPackage", "incompatibleaccesspackages", other)
        for other in (like.get("incompatibleGroups") or [])[:_MOST]:
            await self._relate(id, "accessPackage", "incompatiblegroups", other)
        return id

    async def _policy(self, like: Like) -> str:
        package = await self.the("accessPackage", like.get("accessPackage"))
        for type, text, its in sorted(self._in_body(dict(like), ""), key=lambda one: rank(one[0])):
            await self.have(type, text, its)
        shown = await self._rewritten(dict(like), "", {})
        if self._answers:
            shown["questions"] = [_question(answer) for answer in self._answers]
        id = await self.makes.policy(shown, package)
        if self._answers:
            made = await self.asks.call("GET", f"{EM}/assignmentPolicies/{id}?$expand=questions")
            for answer, question in zip(self._answers, made["questions"], strict=True):
                asked = (answer.get("answeredQuestion") or {}).get("id", "")
                self._named[_name("accessPackageQuestion", asked)] = question["id"]
        return id

    async def _assignment(self, like: Like) -> str:
        """Delivered, or ended again if the example shows it expired."""
        person = self._mine("target") or await self.the_target(like)
        package = await self.the("accessPackage", like.get("accessPackage"))
        policy = await self.the("accessPackageAssignmentPolicy", like.get("assignmentPolicy"))
        if (person, package) in self._holds:
            if self._mine("target"):
                package = await self._package({})
                policy = await self.makes.policy({}, package)
            else:
                person = await self._person({})
        self._holds.add((person, package))
        id = await self.makes.assignment(person, package, policy)
        self._person_of[id] = person
        if str(like.get("state", "")).lower() == "expired":
            ended = await self.makes.request({"requestType": "adminRemove", "assignment": {"id": id}})
            await self.makes.request_is(ended, "delivered")
        return id

    async def the_target(self, like: Like) -> str:
        target = like.get("target")
        return await self.the("user", target if isinstance(target, dict) else {})

    async def _request(self, like: Like) -> str:
        """One as the example shows it, or such that what the example does with it can be done."""
        does = self.address.last.name.lower() if self.address.last.key is None else self.example.method.lower()
        kind = str(like.get("requestType") or "userAdd")
        state = str(like.get("state") or {"cancel": "pendingApproval", "delete": "denied"}.get(does, "delivered"))
        if does == "resume":
            raise NotMade("no request waits for the answer of an extension, for none is called yet")
        if does == "reprocess":
            return await self.makes.failed_request(await self._person({}), await self.the("accessPackageCatalog"))
        asker = self._mine("target", "createdBy", "targetOrRequestor") or await self._person({})
        approved = state.lower() in {"pendingapproval", "denied", "canceled"} or self._mine("approver")
        settings = self.makes.approved_by(self.admin) if approved else {}
        package = await self.the("accessPackage", like.get("accessPackage"))
        if (asker, package) in self._holds:
            package = await self._package({})
        self._holds.add((asker, package))
        shown = [one for one in like.get("answers") or () if isinstance(one, dict)]
        if shown:
            settings = {**settings, "questions": [_question(one) for one in shown]}
        policy = await self.makes.policy(settings, package)
        answers = await self._answered(policy, shown)
        wanted = {"accessPackageId": package, "assignmentPolicyId": policy}
        by_admin = kind.lower().startswith("admin") and not approved
        if by_admin:
            wanted["targetId"] = asker
        kind_of = "adminAdd" if by_admin else "userAdd"
        body = {"requestType": kind_of, "assignment": wanted, "justification": "Work.", "answers": answers}
        id = await self.makes.request(body, by=None if by_admin else asker)
        if approved:
            await self.makes.request_is(id, "pendingApproval")
            await self.makes.open_stage(id)
            if state.lower() == "denied":
                await self.makes.decide(id, "Deny")
                await self.makes.request_is(id, "denied")
            if state.lower() == "canceled":
                await self.asks.call("POST", f"{EM}/assignmentRequests/{id}/cancel", by=asker)
        else:
            await self.makes.request_is(id, "delivered")
        if kind.lower().endswith("remove"):
            said = await self.makes.request_is(id, "delivered")
            held = {"id": said["assignment"]["id"]}
            removing = {"requestType": "adminRemove" if by_admin else "userRemove", "assignment": held}
            id = await self.makes.request(removing, by=None if by_admin else asker)
            await self.makes.request_is(id, "delivered")
        return id

    async def _answered(self, policy: str, answers: Sequence[Like]) -> list[dict[str, Any]]:
        """The same answers, to the questions of that policy."""
        if not answers:
            return []
        asked = (await self.asks.call("GET", f"{EM}/assignmentPolicies/{policy}?$expand=questions"))["questions"]
        return [
            {**answer, "answeredQuestion": {ODATA_TYPE: question[ODATA_TYPE], "id": question["id"]}}
            for answer, question in zip(answers, asked, strict=True)
        ]

    async def _open_request(self) -> str:
        """A request that waits for the administrator; the approval has its id."""
        package = await self.the("accessPackage")
        policy = await self.makes.policy(self.makes.approved_by(self.admin), package)
        wanted = {"accessPackageId": package, "assignmentPolicyId": policy}
        body = {"requestType": "userAdd", "assignment": wanted, "justification": "Work."}
        id = await self.makes.request(body, by=await self._person({}))
        await self.makes.open_stage(id)
        return id

    async def _role_assignment(self, like: Like) -> str:
        provider = self._provider()
        principal = await self.the("user", like.get("principal"))
        if principal in self._with_role:
            principal = await self._person({})
        self._with_role.add(principal)
        definition = await self.have("unifiedRoleDefinition", str(like.get("roleDefinitionId") or "{id}"))
        scope = {"directoryScopeId": "/"}
        if provider != "directory":
            scope = {"appScopeId": f"/AccessPackageCatalog/{await self.the('accessPackageCatalog')}"}
        return await self.makes.role_assignment(provider, definition, principal, scope)

    def _provider(self) -> str:
        names = [step.name for step in self.address.steps]
        return "directory" if "directory" in names else "entitlementManagement"

    def _mine(self, *roles: str) -> str | None:
        """The administrator, if the example lists what is theirs in one of these roles."""
        call = self.address.last.call
        on = re.search(r"on='?(\w+)", call[1]) if call else None
        return self.admin if on and on[1].lower() in {role.lower() for role in roles} else None

    # Lists and relations

    async def _listed(self) -> None:
        """What a list has to show is there; what an action answers is so."""
        answer = self.example.answer
        items = answer.get("value") if isinstance(answer, dict) else None
        steps = [one for one in self.address.steps if not one.name.startswith(("$", "microsoft.graph.")) or one.call]
        if not steps or steps[-1].key is not None:
            return
        relation = steps[-1].name.lower()
        subject = self._parent(steps)
        if relation in _GROUP_ACTIONS and subject:
            for text in items or []:
                await self.makes.refer(
                    f"/v1.0/groups/{await self.have('group', str(text))}/members",
                    f"/v1.0/directoryObjects/{subject[1]}",
                )
        elif relation == "getapplicablepolicyrequirements" and subject:
            await self.makes.policy({}, subject[1])
        elif self.example.method == "GET" and relation == "manager" and subject:
            await self.makes.set_manager(subject[1], await self._person(answer or {}))
        elif self.example.method == "GET" and relation == "me" and isinstance((answer or {}).get("manager"), dict):
            await self.makes.set_manager(self.admin, await self._person(answer["manager"]))
        elif self.example.method == "GET" and isinstance(items, list):
            found = [one for one in items if isinstance(one, dict)][:_MOST]
            await self._show(steps, relation, subject, found)

    async def _show(
        self, steps: list[Step], relation: str, subject: tuple[str, str] | None, items: list[dict[str, Any]]
    ) -> None:
        cast = next((one.name for one in self.address.steps if one.name.startswith("microsoft.graph.")), None)
        before = steps[-2].type if len(steps) > 1 else None
        if steps[-1].call and steps[-1].call[0] == "additionalaccess":
            await self._holds_both(steps[-1].call[1])
            return
        for item in items:
            like = self._hinted({"@odata.type": f"#{cast}", **item} if cast else item)
            if subject is not None:
                await self._relate(subject[1], subject[0], relation, like)
            elif relation == "accesspackages" or (steps[-1].call and before == "accessPackage"):
                package = await self.make("accessPackage", like)
                if steps[-1].call:
                    await self.makes.policy({}, package)
            elif type := (before if steps[-1].call or relation == "delta" else steps[-1].type):
                await self.make(type, like)

    async def _holds_both(self, arguments: str) -> None:
        """Somebody has each of the packages that a function's arguments name."""
        person = await self._person({})
        for one in ARGUMENT.finditer(arguments):
            package = await self.have(IDS[one["name"].lower()], one["value"])
            await self.makes.assignment(person, package, await self.makes.policy({}, package))

    def _hinted(self, like: Like) -> dict[str, Any]:
        """`like`, with what a filter compares."""
        hinted = dict(like)
        for one in IN_FILTER.finditer(self.address.option("filter") or ""):
            parent, _, name = one["property"].rpartition("/")
            if parent in _NESTED:
                hinted[parent] = {**(hinted.get(parent) or {}), name: one["value"]}
            elif not parent and not of_property(name):
                hinted.setdefault(name, one["value"])
        for one in _ENDS.finditer(self.address.option("filter") or ""):
            known = str(hinted.get(one["property"]) or "")
            if not known.lower().endswith(one["text"].lower()):
                who, at = fresh("some").replace(" ", "."), "" if "@" in one["text"] else "@"
                hinted[one["property"]] = f"{who}{at}{one['text']}"
        for one in _SEARCHED.finditer(self.address.option("search") or ""):
            known = str(hinted.get(one["property"], ""))
            if one["text"].lower() not in known.lower():  # examples show others than they look for
                hinted[one["property"]] = f"{one['text']} {known}".strip()
        return hinted

    def _parent(self, steps: list[Step]) -> tuple[str, str] | None:
        """Type and id of what the last step belongs to."""
        for step in reversed(steps[:-1]):
            if step.key is not None and step.type:
                return step.type, self._named[_name(step.type, step.key)]
            if step.name.lower() == "me":
                return "user", self.admin
        return None

    async def _relate(self, subject: str, type: str, relation: str, like: Like) -> str:
        """Make what stands in that relation to `subject`. Gives back its id."""
        makes = self.makes
        match relation:
            case "members" | "owners" | "transitivemembers":
                other = await self.make("directoryObject", like if self.example.method == "GET" else {})
                at = f"/v1.0/{_OWNED.get(type, 'groups')}/{subject}/{_MEMBERS[relation]}"
                await makes.refer(at, f"/v1.0/directoryObjects/{other}")
                if relation == "owners" and self.example.method == "DELETE":  # the last one cannot be removed
                    await makes.refer(at, f"/v1.0/directoryObjects/{await self._person({})}")
            case "memberof" | "transitivememberof":
                other = await makes.group(like)
                await makes.refer(f"/v1.0/groups/{other}/members", f"/v1.0/directoryObjects/{subject}")
            case "ownedobjects":
                other = await makes.group(like)
                await makes.refer(f"/v1.0/groups/{other}/owners", f"/v1.0/directoryObjects/{subject}")
            case "directreports" | "transitivereports":
                other = await self._person(like)
                await makes.set_manager(other, subject)
            case "sponsors":
                other = await self._person(like)
                await makes.refer(f"/v1.0/users/{subject}/sponsors", f"/v1.0/users/{other}")
            case "internalsponsors" | "externalsponsors" if type in {
                "connectedOrganization",
                "accessPackageAssignment",
            }:
                other = await self._person(like)
                if type == "accessPackageAssignment":
                    subject = await self.makes.organization_of(self._person_of[subject])
                name = relation.replace("sponsors", "Sponsors")
                await makes.refer(f"{EM}/connectedOrganizations/{subject}/{name}", f"/v1.0/users/{other}")
            case "incompatibleaccesspackages":
                other = await makes.package(like, self._in_catalog[subject])
                here = f"{EM}/accessPackages/{subject}/incompatibleAccessPackages"
                await makes.refer(here, f"{EM}/accessPackages/{other}")
            case "accesspackagesincompatiblewith":
                other = await makes.package(like, self._in_catalog[subject])
                here = f"{EM}/accessPackages/{other}/incompatibleAccessPackages"
                await makes.refer(here, f"{EM}/accessPackages/{subject}")
            case "incompatiblegroups":
                other = await makes.group(like)
                await makes.refer(f"{EM}/accessPackages/{subject}/incompatibleGroups", f"/v1.0/groups/{other}")
            case "resourcerolescopes" | "accesspackageresourcerolescopes":
                other = await makes.role_scope(self._in_catalog[subject], subject, await makes.group({}))
            case "resources" | "accesspackageresources" | "resourceroles" | "resourcescopes":
                other = await self._resource_in(subject, like)
            case "accesspackages":
                other = await makes.package(like, subject)
            case "customworkflowextensions" | "accesspackagecustomworkflowextensions":
                other = await makes.extension(like, subject)
            case "approleassignments":
                other = await makes.app_role_assignment(await self.the("servicePrincipal"), subject)
            case "approleassignedto":
                other = await makes.app_role_assignment(subject, await self._person({}))
            case "stages" if type == "accessReviewInstance":
                other = str((await self.asks.call("GET", f"{self._run_at(subject)}/stages"))["value"][0]["id"])
                self._run_of_stage[other] = subject
            case "stages":
                other = await makes.open_stage(subject)
            case "roles" | "scopes" if type == "accessPackageResource":
                other = subject  # every resource has some
            case "instances" if type == "accessReviewScheduleDefinition":
                other = await makes.run_of(subject, "InProgress")
                self._definition_of[other] = subject
                if self.address.last.name.lower() == "applydecisions":  # of what is completed
                    await self.asks.call("POST", f"{AR}/definitions/{subject}/instances/{other}/stop")
                    await makes.run_of(subject, "Completed")
            case "instances" if type == "accessReviewHistoryDefinition":
                other = await makes.history_run_of(subject)
            case "decisions" if type == "accessReviewInstance":
                other = str((await self._item_of(subject))["id"])
            case "decisions" if subject in self._run_of_stage:
                other = str((await self._item_of(self._run_of_stage[subject]))["id"])
            case "contactedreviewers" | "filterbycurrentuser(on='reviewer')" if "accessreviews" in self._names:
                other = subject  # whoever replays reviews all that is made here
            case _:
                raise NotMade(f"no builder puts anything into {relation} of {type}")
        return other

    async def _resource_in(self, catalog: str, like: Like) -> str:
        """Of the kind that is shown, with what it asks; the one that a filter names, if one does."""
        system = str(like.get("originSystem") or "AadGroup")
        kind = ORIGINS.get(system.lower(), "group")
        origin = self._the[kind] if kind != "group" and kind in self._the else await self._made(kind, {})
        id = await self.makes.resource(catalog, origin, system)
        if like.get("attributes"):
            asks = {"id": id, "originId": origin, "originSystem": system, "attributes": like["attributes"]}
            body = {"requestType": "adminUpdate", "catalog": {"id": catalog}, "resource": asks}
            await self.asks.call("POST", f"{EM}/resourceRequests", body)
        return id

    def _run_at(self, run: str) -> str:
        return f"{AR}/definitions/{self._definition_of[run]}/instances/{run}"

    async def _item_of(self, run: str) -> Any:
        """What there is to be decided in that instance of a review."""
        return (await self.asks.call("GET", f"{self._run_at(run)}/decisions"))["value"][0]

    # The request, rewritten

    async def _path(self) -> str:
        parts = ["/v1.0"]
        steps = self.address.steps
        for at, step in enumerate(steps):
            if step.key is None:
                parts.append(await self._call(step) if step.call else step.name)
                continue
            assert step.type is not None
            name = _name(step.type, step.key)
            if name not in self._named or (at and steps[at - 1].key is not None):
                subject = self._parent(list(steps[: at + 1]))
                if subject is None:
                    raise NotMade(f"nothing says what {step.name} belongs to")
                like = self.example.answer if isinstance(self.example.answer, dict) else {}
                self._named[name] = await self._relate(subject[1], subject[0], step.name.lower(), like)
            parts.append(f"{step.name}/{self._named[name]}")
        return "/".join(parts)

    async def _call(self, step: Step) -> str:
        text = step.name
        for one in ARGUMENT.finditer(step.call[1] if step.call else ""):
            if type := IDS.get(one["name"].lower()):
                text = text.replace(one["value"], await self.have(type, one["value"]))
        return text

    async def _option(self, name: str, value: str) -> str:
        for one in IN_FILTER.finditer(value):
            if type := of_property(one["property"]):
                value = value.replace(one["value"], await self.have(type, one["value"]))
        return value

    async def _rewritten(self, body: Any, name: str, around: Like, years: int = 0) -> Any:
        """The body with ids of here in place of the example's. `years`: by which the times around it were moved, for a
        period keeps its length."""
        if isinstance(body, list):
            return [await self._rewritten(one, name, around) for one in body]
        if isinstance(body, dict):
            ahead = self._ahead
            shift = years or _years_to_now(body, ahead)
            here = {"__name__": name, **body}
            return {
                key: await self._rewritten(_later(key, value, shift, ahead), key.lower(), here, shift)
                for key, value in body.items()
            }
        return await self._id(body, name, around) if isinstance(body, str) else body

    @property
    def _ahead(self) -> frozenset[str]:
        """Times that lie ahead when the example is written. What is changed or extended has begun."""
        kind = str(self.example.body.get("requestType", "")) if isinstance(self.example.body, dict) else ""
        return _FUTURE - {"startdatetime"} if kind.lower().endswith(("update", "extend")) else _FUTURE

    async def _id(self, text: str, name: str, around: Like) -> str:
        system = str(around.get("originSystem", "")).lower()
        inside = str(around.get("__name__", ""))
        if name == "email" and inside == "target":
            return str((await self.asks.call("GET", f"/v1.0/users/{await self.have('user', text)}"))["mail"])
        if name == "@odata.id" or name.endswith("@odata.bind"):
            return await self._url(text)
        if self._definition_of and name in {"principalid", "resourceid"}:  # of what is reviewed
            item = await self._item_of(next(iter(self._definition_of)))
            return str(item["principal" if name == "principalid" else "resource"]["id"])
        if name in {"appscopeid", "directoryscopeid"} and text != "/":
            collection, _, key = text.strip("/").rpartition("/")
            id = await self.have(SCOPES.get(collection.lower(), "application"), key)
            return f"/{collection}/{id}" if collection else f"/{id}"
        if name == "originid" and system in ORIGINS:
            role = ROLE_ORIGIN.fullmatch(text)
            if role:
                return f"{role['role']}_{await self.have('group', role['group'])}"
            if inside == "role" and system == "sharepointonline":
                return text  # the number of a role, alike on every site
            if inside == "role" and system == "aadapplication":
                return await self._made("appRole", {})
            return await self.have(ORIGINS[system], text)
        if name == "id" and inside == "resource":
            return await self.makes.resource(*await self._resource_of(around, system))
        return self._named.get(_name(IDS.get(name) or OBJECTS.get(inside, ""), text), text)

    async def _resource_of(self, resource: Like, system: str) -> tuple[str, str, str]:
        """Catalog, origin and system of the resource that a body names."""
        origin = str(resource.get("originId") or "")
        package = self._the.get("accessPackage")
        catalog = self._in_catalog[package] if package else await self.the("accessPackageCatalog")
        kind = ORIGINS.get(system, "group")
        id = await self.have(kind, origin) if origin else await self.the(kind)
        return catalog, id, str(resource.get("originSystem") or "AadGroup")

    async def _url(self, url: str) -> str:
        found = _URL_ID.search(url)
        address = read_address(f"/{found['collection']}/{found['key']}") if found else None
        if address is None or address.last.type is None or address.last.key is None:
            raise NotMade(f"nothing says what {url[:100]} is")
        collection = found["collection"] if found else ""
        if is_placeholder(address.last.key):  # any: another one each time
            id = await self.make(address.last.type, {})
        else:
            id = await self.have(address.last.type, address.last.key)
        prefix = EM if collection.lower().startswith("accesspackage") else "/v1.0"
        return self.asks.url(f"{prefix}/{collection}/{id}")

    async def _acting(self, body: Any) -> None:
        """Who has to ask, and what has to be in place, that the body alone tells."""
        if self.example.method != "POST" or not isinstance(body, dict):
            return
        kind = str(body.get("requestType", "")).lower()
        assignment = body.get("assignment") or body.get("accessPackageAssignment") or {}
        if kind.startswith("onbehalf"):
            await self.makes.set_manager(str(assignment.get("targetId")), self.admin)
        if kind.startswith("user"):
            self._by = assignment.get("targetId") or self._person_of.get(str(assignment.get("id")))
        resource = body.get("resource") or body.get("accessPackageResource")
        if isinstance(resource, dict) and resource.get("originId") and kind != "adminadd":
            catalog = await self.the("accessPackageCatalog")
            await self.makes.resource(catalog, resource["originId"], str(resource.get("originSystem")))
        if isinstance(role := body.get("role"), dict) and "scope" in body:
            scope = body["scope"]
            package = await self.the("accessPackage")
            system = str(role.get("originSystem") or scope.get("originSystem"))
            await self.makes.resource(self._in_catalog[package], str(scope.get("originId")), system)


def _name(type: str, text: str) -> str:
    """Examples lose dashes of ids here and there; a placeholder means something else for each type."""
    return f"{type}:{text}" if is_placeholder(text) or not text else text.replace("-", "").lower()


def _having(answer: Any) -> set[str]:
    """Names of properties that show something, anywhere in an answer."""
    if isinstance(answer, list):
        return {name for one in answer for name in _having(one)}
    if not isinstance(answer, dict):
        return set()
    return {name for name, value in answer.items() if value} | {n for value in answer.values() for n in _having(value)}


def _selected_in(context: str) -> set[str]:
    """Properties in an answer's context, without relations and keys."""
    found = _IN_CONTEXT.search(context)
    return {name for name in (found[1].split(",") if found else ()) if re.fullmatch(r"\w+", name)}


def _is_selected(items: Collection[Like]) -> bool:
    """Whether something is shown that is shown only if it is selected."""
    return any("signInActivity" in one for one in items)


def _is_group(like: Like) -> bool:
    kind = str(like.get("@odata.type", ""))
    return kind.endswith(".group") or (not kind and ("groupTypes" in like or "securityEnabled" in like))


def _question(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A question that this answers."""
    asked = answer.get("answeredQuestion") or {}
    kind = str(asked.get("@odata.type") or "#microsoft.graph.accessPackageTextInputQuestion")
    question: dict[str, Any] = {
        "@odata.type": kind,
        "text": "Why?",
        "isRequired": False,
        "isAnswerEditable": True,
        "sequence": 0,
    }
    if "MultipleChoice" in kind:
        value = str(answer.get("value"))
        question |= {"isMultipleSelectionAllowed": False, "choices": [{"actualValue": value, "text": value}]}
    else:
        question |= {"isSingleLineQuestion": True}
    return question


def _years_to_now(body: Mapping[str, Any], ahead: Collection[str]) -> int:
    """By how many years those times of this object lie too far back, so that the earliest lies ahead."""
    years = [
        int(found[1])
        for key, value in body.items()
        if key.lower() in ahead and isinstance(value, str) and (found := _DATE_TIME.fullmatch(value))
    ]
    return max(0, datetime.now(UTC).year + 1 - min(years)) if years else 0


def _later(key: str, value: Any, years: int, ahead: Collection[str]) -> Any:
    if years and key.lower() in ahead and isinstance(value, str) and (found := _DATE_TIME.fullmatch(value)):
        return f"{int(found[1]) + years:04}{found[2].replace('-02-29', '-02-28')}"
    return value
