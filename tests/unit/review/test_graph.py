"""Bodies of reviews as Graph writes and reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.review import exceptions, graph
from services.review.decide import instances, items
from services.review.history import report
from services.review.model import Definition, Instance, Item, dump_item
from services.review.store import ITEMS, ITEMS_OF_THIS_STAGE, items_as_shown
from shared.contracts.base import Cause
from shared.contracts.resources import NO_ROLE
from shared.contracts.review import (
    Advice,
    DefinitionState,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewStatus,
    StageSettings,
    StartInstance,
    Verdict,
)
from shared.contracts.roster import RosterEntry, RosterKind
from shared.messaging.decision import Circumstances
from shared.web.errors import BadRequest
from shared.web.odata import read_query

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
GROUP, ANA, BEN, EVA = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "abcd")


def definition(**settings: Any) -> DefinitionState:
    scope = {"query": f"/groups/{GROUP}/transitiveMembers", "queryType": "MicrosoftGraph"}
    said = {"displayName": "One", "scope": scope, "settings": {"instanceDurationInDays": 5, **settings}}
    return graph.definition_of(graph.DefinitionIn.model_validate(said), "d", None, NOW)


def test_a_review_of_once_keeps_the_range_that_it_is_said_with() -> None:
    range_ = {"type": "numbered", "numberOfOccurrences": 0, "startDate": "2026-02-11", "endDate": "2026-02-16"}
    once = definition(recurrence={"pattern": None, "range": range_})

    said = graph.definition_said(Definition(state=once, cause=CAUSE), graph.Names())["settings"]["recurrence"]

    assert said == {"pattern": None, "range": {**range_, "recurrenceTimeZone": None}}


def test_whom_a_review_tells_is_said_with_what_is_filled_in() -> None:
    told = {
        "notificationTemplateType": "CompletedAdditionalRecipients",
        "notificationRecipientScope": {
            "@odata.type": "#microsoft.graph.accessReviewNotificationRecipientQueryScope",
            "query": f"/users/{ANA}",
        },
    }
    scope = {"query": f"/groups/{GROUP}/transitiveMembers", "queryType": "MicrosoftGraph"}
    body = {"displayName": "One", "scope": scope, "settings": {"instanceDurationInDays": 5}}
    written = graph.DefinitionIn.model_validate({**body, "additionalNotificationRecipients": [told]})
    state = graph.definition_of(written, "d", None, NOW)

    (said,) = graph.definition_said(Definition(state=state, cause=CAUSE), graph.Names())[
        "additionalNotificationRecipients"
    ]

    filled = {"queryType": "MicrosoftGraph", "queryRoot": None}
    assert said == {**told, "notificationRecipientScope": {**told["notificationRecipientScope"], **filled}}


@pytest.mark.parametrize("moving", [None, []])
def test_a_stage_that_names_no_decisions_lets_all_of_them_go_on(moving: list[str] | None) -> None:
    stage = {"durationInDays": 2, "recommendationsEnabled": False, "reviewers": []}
    stages = [
        {**stage, "stageId": "1", "decisionsThatWillMoveToNextStage": moving},
        {**stage, "stageId": "2", "dependsOn": ["1"]},
    ]
    scope = {"query": f"/groups/{GROUP}/transitiveMembers", "queryType": "MicrosoftGraph"}
    body = {"displayName": "One", "scope": scope, "settings": {"instanceDurationInDays": 5}, "stageSettings": stages}
    read = graph.definition_of(graph.DefinitionIn.model_validate(body), "d", None, NOW)

    assert [one.moves_on for one in read.stages] == [None, None]
    said = graph.definition_said(Definition(state=read, cause=CAUSE), graph.Names())["stageSettings"]
    assert [one["decisionsThatWillMoveToNextStage"] for one in said] == [[], []]


@pytest.mark.spec("REV-7")
def test_what_is_not_said_is_off() -> None:
    answered = graph.definition_said(Definition(state=definition(), cause=CAUSE), graph.Names())["settings"]

    off = {name for name, value in answered.items() if value is False}
    assert off == {
        "mailNotificationsEnabled",
        "reminderNotificationsEnabled",
        "justificationRequiredOnApproval",
        "defaultDecisionEnabled",
        "autoApplyDecisionsEnabled",
        "recommendationsEnabled",
        "decisionHistoriesForReviewersEnabled",
    }
    assert (answered["defaultDecision"], answered["recurrence"]) == ("None", None)


@pytest.fixture
def instance() -> Instance:
    """Two stages, the first in progress."""
    both = (ReviewerScope(query=f"/users/{BEN}"), ReviewerScope(query=f"/users/{EVA}"))
    stages = tuple(StageSettings(stage_id=id, duration_in_days=2, reviewers=both) for id in ("1", "2"))
    order = StartInstance(
        definition=definition().model_copy(update={"stages": stages, "staged": True}),
        number=1,
        resource=ReviewedResource(kind=RosterKind.GROUP, id=GROUP),
        scope={},
        starts_at=NOW,
        ends_at=NOW + timedelta(days=4),
    )
    command = ReviewCommand(id="c", cause=CAUSE, instance_id="i", order=order)
    begun = instances.obey(None, command, circumstances(instances.Look())).state
    assert begun is not None
    return begun


def test_roles_are_called_by_their_names_as_they_were_when_it_began(instance: Instance, denied: Item) -> None:
    application = ReviewedResource(kind=RosterKind.APPLICATION, id="app", display_name="CRM")
    order = StartInstance(
        definition=definition(mailNotificationsEnabled=True), number=1, resource=application, scope={},
        starts_at=NOW, ends_at=NOW,
    )  # fmt: skip
    look = instances.Look(names={"app": "CRM"}, role_names={"app": {"r": "Reader", NO_ROLE: "Default Access"}})
    begun = instances.obey(
        None, ReviewCommand(id="c", cause=CAUSE, instance_id="i", order=order), circumstances(look)
    ).state
    assert begun is not None

    def said(one: Instance, role: str) -> tuple[Any, Any, Any]:
        item = replace(denied, role=role)
        shown = graph.item_said(item, one, graph.Names())
        exception = exceptions.exception_said(item, one, [], {})
        assert shown["@tenure.role"] == exception["role"] == role
        assert report.row(item, one, {})[report.COLUMNS.index("RoleDisplayName")] == exception["roleDisplayName"]
        lost = items._lost(item, one)
        return shown["@tenure.roleDisplayName"], exception["roleDisplayName"], lost and lost.role

    assert said(begun, "r") == ("Reader", "Reader", "Reader")
    assert said(begun, NO_ROLE)[0] == "Default Access"
    assert said(begun, "of-an-older-application")[0] is None
    role = begun.having(resource=application.model_copy(update={"kind": RosterKind.DIRECTORY_ROLE}))
    assert said(role, "r") == ("CRM", "CRM", None)
    assert said(instance, "Member") == ("Member", "Member", None)


@pytest.fixture
def denied(instance: Instance) -> Item:
    """Ana's item, which Ben has denied in the first stage."""
    entry = RosterEntry(person_id=ANA, role="member")
    entered = items.enter(None, items.Enter("item", "i", entry), circumstances(items.Look({"i": instance}))).state
    assert entered is not None
    recorded = items.Recorded(stage=0, decision=Verdict.DENY, by=BEN, at=NOW, justification="She has moved.")
    return replace(
        entered,
        decision=Verdict.DENY,
        justification="She has moved.",
        decided_by=BEN,
        decided_at=NOW,
        decisions=(recorded,),
    )


def circumstances(look: Any) -> Circumstances[Any]:
    return Circumstances(now=NOW, version=1, cause=CAUSE, context=look)


@pytest.mark.spec("REV-11")
def test_reviewers_of_a_stage_see_what_the_others_say_in_it(instance: Instance, denied: Item) -> None:
    seen = graph.item_said(denied, instance, graph.Names(), earlier_hidden=True)

    assert (seen["decision"], seen["justification"], seen["reviewedBy"]["id"]) == ("Deny", "She has moved.", BEN)


@pytest.mark.spec("REV-16")
def test_they_do_not_see_what_was_said_in_the_stage_before_unless_it_is_shown(instance: Instance, denied: Item) -> None:
    later = instance.having(current=1)
    hidden = graph.item_said(denied, later, graph.Names(), earlier_hidden=True)
    shown = graph.item_said(denied, later, graph.Names())

    assert (hidden["decision"], hidden["justification"], hidden["reviewedBy"]) == ("NotReviewed", "", graph.NOBODY)
    assert hidden["reviewedDateTime"] is None
    assert (shown["decision"], shown["justification"], shown["reviewedBy"]["id"]) == ("Deny", "She has moved.", BEN)


@pytest.mark.parametrize("earlier_hidden", [True, False])
def test_a_stage_without_recommendations_finds_nothing_by_them(instance: Instance, earlier_hidden: bool) -> None:
    """Its items show none, also if an earlier stage recommended something."""

    def where(one: Instance, value: str) -> Any:
        asked = items_as_shown(one, earlier_hidden=earlier_hidden)
        return read_query(asked, [("$filter", f"recommendation eq '{value}'"), ("$orderby", "recommendation")]).where

    settings = instance.stage.settings.model_copy(update={"recommendations_enabled": True})
    advising = instance.stage.having(settings=settings)
    assert where(instance, "Deny") == {"state.instance_id": {"$eq": ""}}
    assert where(instance, "noInfoAvailable") == {"state.instance_id": {"$eq": "i"}}
    assert where(instance.with_stage(0, advising), "Deny") == {"state.recommendation": {"$eq": "Deny"}}


def test_nor_are_hidden_recommendations_accepted_in_it(instance: Instance, denied: Item) -> None:
    advised = replace(denied, decision=Verdict.NOT_REVIEWED, decisions=(), recommendation=Advice.DENY, reviewers=None)
    accept = items.Judge(denied.id, BEN, Verdict.NOT_REVIEWED, only_open=True, advised=True)
    settings = instance.stage.settings.model_copy(update={"recommendations_enabled": True})
    advising = instance.with_stage(0, instance.stage.having(settings=settings))

    def decided_in(one: Instance) -> Verdict:
        open_ = one.with_stage(0, one.stage.having(status=ReviewStatus.IN_PROGRESS, reviewers=(BEN,)))
        look = items.Look({"i": open_.having(status=ReviewStatus.IN_PROGRESS)})
        item = items.judge(advised, accept, circumstances(look)).state
        assert item is not None
        return item.decision

    assert (decided_in(instance), decided_in(advising)) == (Verdict.NOT_REVIEWED, Verdict.DENY)


@pytest.mark.spec("REV-16")
def test_nor_do_they_find_it_out_by_a_filter(denied: Item) -> None:
    ask = [("$filter", "decision eq 'Deny'"), ("$orderby", "reviewedDateTime")]
    asked = read_query(ITEMS_OF_THIS_STAGE, ask)
    of_another = read_query(ITEMS_OF_THIS_STAGE, [("$filter", f"reviewedBy/id eq '{BEN}'")])
    path, _direction = asked.sort[0]

    def at(item: Item, path: str) -> Any:
        found: Any = {"state": dump_item(item)}
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    later = replace(denied, stage=1)
    assert asked.where == {"state.here.decision": {"$eq": "Deny"}}
    assert of_another.where == {"state.here.by": {"$eq": BEN}}
    assert (at(denied, "state.here.decision"), at(denied, "state.here.by")) == ("Deny", BEN)
    assert at(denied, path) == denied.decided_at
    assert (at(later, "state.here.decision"), at(later, "state.here.by"), at(later, path)) == (
        "NotReviewed",
        None,
        None,
    )
    reset = replace(denied, decision=Verdict.NOT_REVIEWED, decided_by=None, decided_at=None)
    assert at(reset, "state.here.decision") == "NotReviewed"


def test_lists_are_asked_for_what_is_kept(denied: Item) -> None:
    applied = dump_item(replace(denied, apply_began=True, applied_at=NOW))
    path, _direction = read_query(ITEMS, [("$orderby", "appliedDateTime")]).sort[0]
    assert path == "state.applying.at"
    assert applied["applying"]["at"] == NOW


def test_insights_are_what_a_recommendation_rests_on_and_none_are_told_while_those_are_off(
    instance: Instance, denied: Item
) -> None:
    signed_in = datetime(2026, 1, 5, tzinfo=UTC)
    far = {"lastSignIn": signed_in, "meanDistance": 7.5, "farBeyond": 5.0}
    (first, *rest) = instance.stages
    advised = instance.having(
        stages=(first.having(settings=first.settings.model_copy(update={"recommendations_enabled": True})), *rest)
    )
    sign_in, outlier = graph.insights_said(replace(denied, figures=far), advised)

    assert sign_in["@odata.type"] == "#microsoft.graph.userSignInInsight"
    assert sign_in["lastSignInDateTime"] == "2026-01-05T00:00:00Z"
    assert outlier["@odata.type"] == "#microsoft.graph.membershipOutlierInsight"
    assert (outlier["memberId"], outlier["containerId"]) == (ANA, GROUP)
    close = replace(denied, figures={"meanDistance": 4.5, "farBeyond": 5.0})
    assert graph.insights_said(close, advised) == []
    assert graph.insights_said(replace(denied, figures=far), instance) == []


OUTLIER = {"@odata.type": "#microsoft.graph.groupPeerOutlierRecommendationInsightSettings"}
SIGN_IN = {"@odata.type": "#microsoft.graph.userLastSignInRecommendationInsightSetting"}


def staged() -> DefinitionState:
    """The first stage recommends as it says itself, the second as the review says."""
    stages = [
        {
            "stageId": "1", "dependsOn": [], "durationInDays": 2, "recommendationsEnabled": True,
            "recommendationLookBackDuration": "P20D", "recommendationInsightSettings": [OUTLIER],
        },
        {"stageId": "2", "dependsOn": ["1"], "durationInDays": 2, "recommendationsEnabled": True},
    ]  # fmt: skip
    said = {
        "displayName": "One",
        "scope": {"query": f"/groups/{GROUP}/transitiveMembers"},
        "stageSettings": stages,
        "settings": {"recommendationLookBackDuration": "P60D", "recommendationInsightSettings": [SIGN_IN]},
    }
    return graph.definition_of(graph.DefinitionIn.model_validate(said), "d", None, NOW)


def test_a_stage_recommends_by_its_own_settings_or_else_as_the_review_says(instance: Instance) -> None:
    state = staged()
    answered = graph.definition_said(Definition(state=state, cause=CAUSE), graph.Names())["stageSettings"]
    assert answered[0]["recommendationLookBackDuration"] == "P20D"
    assert answered[0]["recommendationInsightSettings"] == [OUTLIER]
    assert (answered[1]["recommendationLookBackDuration"], answered[1]["recommendationInsightSettings"]) == (None, [])
    stages = tuple(stage.having(settings=one) for stage, one in zip(instance.stages, state.stages, strict=True))
    first = instance.having(definition=state, stages=stages)
    second = first.having(current=1)
    assert (first.look_back, first.insights, first.advises_anew) == (timedelta(days=20), (OUTLIER,), False)
    assert (second.look_back, second.insights, second.advises_anew) == (timedelta(days=60), (SIGN_IN,), True)
    alike = stages[1].settings.model_copy(
        update={"recommendation_look_back": timedelta(days=20), "recommendation_insights": (OUTLIER,)}
    )
    same = second.having(stages=(stages[0], stages[1].having(settings=alike)))
    assert not same.advises_anew, "what was recommended at the start stands"


def test_a_look_back_is_answered_as_graph_writes_it_however_a_client_did() -> None:
    by_sdk = {**SIGN_IN, "recommendationLookBackDuration": "45 days, 0:00:00", "signInScope": "Tenant"}
    state = definition(recommendationInsightSettings=[by_sdk])
    answered = graph.definition_said(Definition(state=state, cause=CAUSE), graph.Names())["settings"]
    said = {**SIGN_IN, "recommendationLookBackDuration": "P45D", "signInScope": "tenant"}
    assert answered["recommendationInsightSettings"] == [said]


def test_how_long_somebody_was_inactive_is_answered_so_too() -> None:
    inactive = {
        "@odata.type": "#microsoft.graph.accessReviewInactiveUsersQueryScope",
        "query": "/users",
        "inactiveDuration": "45 days, 0:00:00",
    }
    memberships = {
        "@odata.type": "#microsoft.graph.principalResourceMembershipsScope",
        "principalScopes": [inactive],
        "resourceScopes": [{"query": f"/groups/{GROUP}"}],
    }
    said = {"displayName": "One", "scope": memberships, "settings": {"instanceDurationInDays": 5}}
    state = graph.definition_of(graph.DefinitionIn.model_validate(said), "d", None, NOW)
    assert state.scope["principalScopes"][0]["inactiveDuration"] == "P45D"


WEEKLY = {"pattern": {"type": "weekly", "interval": 1}, "range": {"type": "noEnd", "startDate": "2026-01-05"}}


@pytest.mark.parametrize("state", [staged(), definition(), definition(recurrence=WEEKLY)])
def test_a_review_that_is_put_as_it_was_read_is_the_same(state: DefinitionState) -> None:
    answered = graph.definition_said(Definition(state=state, cause=CAUSE), graph.Names())
    assert graph.definition_of(graph.DefinitionIn.model_validate(answered), "d", None, NOW) == state


@pytest.mark.parametrize("where", ["settings", "stageSettings"])
def test_a_look_back_that_is_none_is_refused_where_it_stands(where: str) -> None:
    wrong = {**SIGN_IN, "recommendationLookBackDuration": "soon"}
    stage = {"stageId": "1", "durationInDays": 2, "recommendationInsightSettings": [wrong]}
    said: dict[str, Any] = {"displayName": "One", "scope": {"query": f"/groups/{GROUP}/transitiveMembers"}}
    more = {"stageSettings": [stage]} if where == "stageSettings" else {
        "settings": {"instanceDurationInDays": 2, "recommendationInsightSettings": [wrong]}
    }  # fmt: skip
    with pytest.raises(BadRequest) as refused:
        graph.definition_of(graph.DefinitionIn.model_validate(said | more), "d", None, NOW)
    at = "stageSettings/0" if where == "stageSettings" else "settings"
    assert refused.value.target == f"{at}/recommendationInsightSettings/0/recommendationLookBackDuration"


@pytest.mark.spec("REC-1")
def test_the_figures_are_shown_where_recommendations_are(instance: Instance, denied: Item) -> None:
    figures = {"lastSignIn": NOW, "shareOfPeers": 0.25, "meanDistance": 5.0, "farBeyond": 3.0}
    item = replace(denied, figures=figures)
    assert graph.item_said(item, instance, graph.Names())["@tenure.figures"] == {}
    settings = instance.stage.settings.model_copy(update={"recommendations_enabled": True})
    shown = instance.with_stage(0, instance.stage.having(settings=settings))
    said = graph.item_said(item, shown, graph.Names())["@tenure.figures"]
    assert said == {**figures, "lastSignIn": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("said", [5, ["Deny"], {"is": "Deny"}, None, ""])
def test_a_decision_that_is_no_word_is_refused_as_such(said: Any) -> None:
    for body in (graph.DecisionIn, graph.BatchIn):
        with pytest.raises(ValidationError, match="decision"):
            body.model_validate({"decision": said})
    assert graph.DecisionIn.model_validate({"decision": "deny"}).decision is Verdict.DENY


@pytest.mark.parametrize(
    "more",
    [
        {"scope": {"query": f"/groups/{GROUP}/members", "queryRoot": 10**30}},
        {"instanceEnumerationScope": {"query": 10**30}},
    ],
)
def test_a_scope_that_holds_no_text_is_refused(more: dict[str, Any]) -> None:
    said = {"displayName": "One", "scope": {"query": f"/groups/{GROUP}/members"}, **more}
    body = graph.DefinitionIn.model_validate({**said, "settings": {"instanceDurationInDays": 5}})
    with pytest.raises(BadRequest, match="is a text"):
        graph.definition_of(body, "d", None, NOW)
