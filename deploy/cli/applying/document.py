"""The file: groups, populations and catalogs with their packages and policies, checked before anything is asked.

    name: company                  # whose work this is; the file's name if it says none
    groups: [{name: Sales}]
    populations: [{name: Berlin, rule: 'user.city -eq "Berlin"'}]
    roles: [{role: catalogCreator, user: ana@example.com}]   # for all catalogs
    catalogs:
      - name: Company
        roles: [{role: owner, group: Owners}]                # for this one
        resources: [{group: Maps}]                           # beside those that packages bring, or to ask something
        extensions: [{name: Ticket, for: requests, settings: {endpointConfiguration: …}}]   # as Graph writes them
        packages:
          - name: Sales
            roles: [{group: Sales, role: Member}]
            policies:
              - {name: by rule, automatic: 'user.department -eq "Sales"'}
              - {name: Berlin, population: Berlin}
              - {name: by hand, direct: true, expiresAfter: P90D}
              - {name: by request, scope: allMemberUsers, requestors: {self: [add]}}   # see `asking`

Whatever is wrong is said with the file, the line, and the path inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from yaml.constructor import SafeConstructor

from deploy.cli.applying.asking import Approval, Asking, Question, Requestors, Span, Spec, Who, reviewers_in
from deploy.cli.endpoints import CommandFailed
from shared import rules
from shared.clock import zoned
from shared.web.graph_model import graph_time

Place = tuple[str | int, ...]
"""Where something stands in the file: ("catalogs", 0, "packages", 3)."""


def _shows(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_shows)]


def _moment(text: Any) -> str:
    try:
        at = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
        return graph_time(zoned(at))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no moment like 2027-01-31T00:00:00Z") from None


Moment = Annotated[str, BeforeValidator(_moment)]
"""ISO 8601; without a zone it is UTC."""


def _just_one(*values: str | None) -> bool:
    return sum(value is not None for value in values) == 1


class GroupSpec(Spec):
    name: Name
    description: str | None = None


class PopulationSpec(Spec):
    name: Name
    rule: str
    description: str = ""


class OnSpec(Spec):
    """A group by its name, an application by its service principal's id, or a site by its address."""

    _begins: ClassVar = "it is"
    """How the sentence begins that says so."""
    group: Name | None = None
    application: Name | None = None
    site: Name | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if not _just_one(self.group, self.application, self.site):
            raise ValueError(f"{self._begins} exactly one of 'group: NAME', 'application: ID' and 'site: ADDRESS'")
        return self

    @property
    def name(self) -> str:
        return self.group or self.application or self.site or ""

    @property
    def system(self) -> str:
        return "AadGroup" if self.group else "AadApplication" if self.application else "SharePointOnline"


class RoleSpec(OnSpec):
    """A role on one of them."""

    _begins = "a role is on"
    role: str = "Member"

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        if self.group is not None and self.role not in {"Member", "Owner"}:
            raise ValueError("the role on a group is Member or Owner")
        return self


class AttributeSpec(Spec):
    """What a resource asks of whoever wants it, and which of their attributes the answer becomes."""

    attribute: Name
    question: Question
    editable: bool = True
    persisted: bool = False
    """The answer stays when the access ends."""


class ResourceSpec(OnSpec):
    description: str = ""
    asks: list[AttributeSpec] = Field(default_factory=list)


class ExtensionSpec(Spec):
    """A custom extension. `settings` as Graph writes them: endpointConfiguration, authenticationConfiguration,
    clientConfiguration, callbackConfiguration."""

    name: Name
    for_: Literal["requests", "assignments"] = Field(alias="for")
    description: str = ""
    settings: dict[str, Any]


class DelegateSpec(Spec):
    """A role of entitlement management that a person, a group or a service principal has."""

    role: Literal["owner", "reader", "packageManager", "assignmentManager", "catalogCreator"]
    user: Name | None = None
    group: Name | None = None
    service_principal: Name | None = None

    @model_validator(mode="after")
    def _is_ones(self) -> Self:
        if not _just_one(self.user, self.group, self.service_principal):
            raise ValueError("a role is that of exactly one of 'user: NAME', 'group: NAME' and 'servicePrincipal: ID'")
        return self

    @property
    def name(self) -> str:
        return f"{self.role} {self.user or self.group or self.service_principal}"


class StageExtensionSpec(Spec):
    """At which of Graph's stages which extension of the catalog is named."""

    stage: str
    extension: Name


class PolicySpec(Asking):
    """Automatic by a rule or a population, for direct assignment, or for those who may ask."""

    name: Name
    description: str = ""
    automatic: str | None = None
    population: Name | None = None
    direct: bool = False
    gives: bool = True
    """Automatic: whoever begins to match gets the package."""
    takes: bool = True
    """Automatic: whoever matches no longer loses it, after the grace period."""
    grace_period: Span | None = None
    expires_after: Span | None = None
    expires_at: Moment | None = None
    extensions: list[StageExtensionSpec] | None = None
    """None: those that it has stay, whichever they are."""

    @property
    def is_automatic(self) -> bool:
        return self.automatic is not None or self.population is not None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        asked = self.scope is not None or bool(self.targets)
        if (self.automatic is not None) + (self.population is not None) + self.direct + asked != 1:
            raise ValueError(
                "a policy has exactly one of 'automatic: RULE', 'population: NAME', 'direct: true' and "
                "'scope: SCOPE' or 'targets'"
            )
        if self.is_automatic and (self.expires_after or self.expires_at):
            raise ValueError("automatic access ends with its rule, so there is no expiration")
        if self.is_automatic and (self.requestors, self.approval, self.questions) != (Requestors(), Approval(), []):
            raise ValueError("nobody asks for automatic access, so there are no requestors, approval and questions")
        if not self.is_automatic and (not self.gives or not self.takes or self.grace_period):
            raise ValueError("'gives', 'takes' and 'gracePeriod' go with 'automatic' and 'population'")
        if self.expires_after and self.expires_at:
            raise ValueError("access ends after a time or at a moment: 'expiresAfter' or 'expiresAt'")
        return self


class PackageSpec(Spec):
    name: Name
    description: str = ""
    hidden: bool = False
    roles: list[RoleSpec] = Field(default_factory=list)
    incompatible: list[Name] = Field(default_factory=list)
    """Packages whose holders cannot have this one: of the same catalog by name, else "Catalog / Package"."""
    incompatible_groups: list[Name] = Field(default_factory=list)
    policies: list[PolicySpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _goes_with_itself(self) -> Self:
        if self.name.casefold() in map(str.casefold, self.incompatible):
            raise ValueError("a package is not incompatible with itself")
        return self


class CatalogSpec(Spec):
    name: Name
    description: str = ""
    published: bool = True
    externally_visible: bool = True
    roles: list[DelegateSpec] = Field(default_factory=list)
    resources: list[ResourceSpec] = Field(default_factory=list)
    extensions: list[ExtensionSpec] = Field(default_factory=list)
    packages: list[PackageSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_its_own_roles(self) -> Self:
        if any(one.role == "catalogCreator" for one in self.roles):
            raise ValueError("catalogCreator is a role for all catalogs: say it under 'roles' of the file")
        return self


class Contents(Spec):
    """All that a file may say."""

    name: Name | None = None
    groups: list[GroupSpec] = Field(default_factory=list)
    populations: list[PopulationSpec] = Field(default_factory=list)
    roles: list[DelegateSpec] = Field(default_factory=list)
    """For all catalogs."""
    catalogs: list[CatalogSpec] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file."""

    message: str
    place: Place = ()
    line: int | None = None

    def said(self, file: str) -> str:
        """`file:line: path: message`, as editors jump to."""
        where = f"{file}:{self.line}" if self.line else file
        return f"{where}: {path_of(self.place)}: {self.message}" if self.place else f"{where}: {self.message}"


class DocumentWrong(CommandFailed):
    """A file that cannot be planned; says everything that is wrong with it."""

    exit_code = 2

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.said(file) for problem in problems))


@dataclass(frozen=True)
class Document:
    """A file that was read: what it says, and where."""

    file: str
    contents: Contents
    lines: Mapping[Place, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Whose work things are: stands in `managedBy` and in the trail as the actor `file:<name>`."""
        return self.contents.name or self.file

    def problem(self, message: str, *place: str | int) -> Problem:
        return Problem(message, place, _line(self.lines, place))

    def wrong(self, problems: Sequence[Problem]) -> DocumentWrong:
        return DocumentWrong(self.file, problems)


def read_file(path: Path) -> Document:
    """The document in a YAML (or JSON) file. Raises DocumentWrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise DocumentWrong(str(path), [Problem(problem.strerror or str(problem))]) from problem
    except UnicodeDecodeError as problem:
        raise DocumentWrong(str(path), [Problem(f"is no UTF-8 (byte {problem.start})")]) from problem
    return read_text(text, path.name)


def read_text(text: str, file: str) -> Document:
    """The document that `text` is. Raises DocumentWrong."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        said = getattr(problem, "problem", None) or str(problem)
        raise DocumentWrong(file, [Problem(f"is no YAML: {said}", line=mark.line + 1 if mark else None)]) from problem
    lines: dict[Place, int] = {}
    problems: list[Problem] = []
    values = _plain(root, (), lines, problems) if root is not None else {}
    if problems:
        raise DocumentWrong(file, problems)
    return _checked(values, file, lines)


def document_of(values: Mapping[str, Any], file: str) -> Document:
    """A document from plain values, such as the demo makes. Raises DocumentWrong."""
    return _checked(dict(values), file, {})


def path_of(place: Iterable[str | int]) -> str:
    """`catalogs[0].packages[3].policies[0].automatic`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _line(lines: Mapping[Place, int], place: Place) -> int | None:
    """The line of the place, or of what it lies in if it is not there."""
    for end in range(len(place), -1, -1):
        if (line := lines.get(place[:end])) is not None:
            return line
    return None


_CONSTRUCTOR = SafeConstructor()


def _plain(
    node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[Problem], within: tuple[yaml.Node, ...] = ()
) -> Any:
    """The node as plain values, noting the line of each; a key that stands twice is a problem."""
    line = lines.setdefault(place, node.start_mark.line + 1)
    if node in within:
        problems.append(Problem("refers to what it lies in", place, line))
        return None
    within = (*within, node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*place, number), lines, problems, within) for number, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        try:
            return _CONSTRUCTOR.construct_object(node)
        except Exception:  # of a tag that does not fit the text, the library raises whatever it meets
            problems.append(Problem(f"cannot be read: {node.value!r}", place, line))
            return None
    found: dict[str, Any] = {}
    for key_node, child in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem("a key must be text", place, key_node.start_mark.line + 1))
            continue
        key = str(key_node.value)
        if key in found:
            problems.append(Problem(f"'{key}' stands twice", (*place, key), key_node.start_mark.line + 1))
        lines[(*place, key)] = key_node.start_mark.line + 1
        found[key] = _plain(child, (*place, key), lines, problems, within)
    return found


def _checked(values: Any, file: str, lines: Mapping[Place, int]) -> Document:
    try:
        document = Document(file, Contents.model_validate(values), lines)
    except ValidationError as wrong:
        raise DocumentWrong(file, [_of_pydantic(error, lines) for error in wrong.errors()]) from wrong
    problems = [*_twice(document), *_rules(document), *_durations(document)]
    if problems:
        raise document.wrong(problems)
    return document


def _of_pydantic(error: Any, lines: Mapping[Place, int]) -> Problem:
    place = tuple(error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "is not known here; is it misspelt?"
    elif error["type"] == "model_type":
        message = "must be an object"
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] == "string_type":
        message = "must be text: put it in quotes"
    return Problem(message, place, _line(lines, place))


def _twice(document: Document) -> Iterator[Problem]:
    contents = document.contents
    lists: list[tuple[Place, Sequence[Any]]] = [
        (("groups",), contents.groups),
        (("populations",), contents.populations),
        (("catalogs",), contents.catalogs),
        (("roles",), contents.roles),
    ]
    for c, catalog in enumerate(contents.catalogs):
        lists.append((("catalogs", c, "roles"), catalog.roles))
        lists.append((("catalogs", c, "resources"), catalog.resources))
        lists.append((("catalogs", c, "extensions"), catalog.extensions))
        lists.append((("catalogs", c, "packages"), catalog.packages))
        lists += [(("catalogs", c, "packages", p, "policies"), one.policies) for p, one in enumerate(catalog.packages)]
    for place, items in lists:
        seen: dict[str, int] = {}
        # Groups are found by their exact names; of everything else Tenure keeps names apart without regard to case.
        fold = str if place == ("groups",) else str.casefold
        for number, item in enumerate(items):
            if (first := seen.setdefault(fold(item.name), number)) != number:
                where = path_of((*place, first))
                yield document.problem(f"{item.name!r} stands already at {where}", *place, number, "name")


def _rules(document: Document) -> Iterator[Problem]:
    for place, text in rules_of(document.contents):
        try:
            rules.parse(text)
        except rules.RuleError as problem:
            yield document.problem(str(problem), *place)


def rules_of(contents: Contents) -> Iterator[tuple[Place, str]]:
    """Every rule and where it stands."""
    for number, population in enumerate(contents.populations):
        yield ("populations", number, "rule"), population.rule
    for place, policy in policies_of(contents):
        if policy.automatic is not None:
            yield (*place, "automatic"), policy.automatic


def users_of(contents: Contents) -> set[str]:
    """User principal names that stand anywhere."""
    asked = [who.user for _, policy in policies_of(contents) for some in _people_in(policy) for who in some]
    delegates = [one.user for some in (contents.roles, *(it.roles for it in contents.catalogs)) for one in some]
    return {name for name in (*asked, *delegates) if name is not None}


def _people_in(policy: PolicySpec) -> Iterator[Sequence[Who]]:
    yield policy.targets
    yield policy.requestors.on_behalf_requestors
    yield reviewers_in(policy.review_settings)
    for stage in policy.approval.stages:
        yield stage.approvers
        yield stage.fallback
        if stage.escalation:
            yield stage.escalation.to
            yield stage.escalation.fallback


def policies_of(contents: Contents) -> Iterator[tuple[Place, PolicySpec]]:
    """Every policy and where it stands."""
    for c, catalog in enumerate(contents.catalogs):
        for p, package in enumerate(catalog.packages):
            for number, policy in enumerate(package.policies):
                yield ("catalogs", c, "packages", p, "policies", number), policy


def _durations(document: Document) -> Iterator[Problem]:
    for place, policy in policies_of(document.contents):
        if policy.expires_after == "PT0S":
            yield document.problem("a duration of nothing would end access at once", *place, "expiresAfter")
