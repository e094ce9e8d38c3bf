"""An application has two faces: what is registered, and what roles are given at."""

from datetime import UTC, datetime

from services.directory.decide.applications import (
    ApplicationCommand,
    ChangeApplication,
    EndPrincipal,
    MakePrincipal,
    Register,
    Unregister,
    wish,
)
from services.directory.decide.sites import ChangeSite, CreateSite, DeleteSite, SiteCommand
from services.directory.decide.sites import wish as site_wish
from shared.contracts.base import Cause
from shared.contracts.resources import ApplicationState, AppRole, SiteRole, SiteState
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AT = Circumstances(NOW, 1, Cause(id="c", correlation="c", actor="system:api"), None)
APPROVER = AppRole(id="r1", display_name="Approver")
REGISTER = Register("sp", "app", "reg", {"display_name": "Expenses", "app_roles": (APPROVER,)})
PRINCIPAL = MakePrincipal("sp", "app", {})


def after(*commands: ApplicationCommand) -> tuple[ApplicationState, Decision[ApplicationState]]:
    state: ApplicationState | None = None
    decision: Decision[ApplicationState] = Decision(None)
    for command in commands:
        decision = wish(state, command, AT)
        state = decision.state
    assert state is not None
    return state, decision


def test_a_service_principal_has_the_roles_of_its_application() -> None:
    state, decision = after(REGISTER, PRINCIPAL)
    assert (state.is_principal, state.registration_id, state.app_roles) == (True, "reg", (APPROVER,))
    assert (types(decision), state.display_name) == (["ApplicationCreated"], "Expenses")


def test_a_service_principal_of_an_application_from_elsewhere_stands_alone() -> None:
    state, _ = after(MakePrincipal("sp", "app", {}))
    assert (state.registration_id, state.display_name) == (None, "app")
    state, _ = after(PRINCIPAL, EndPrincipal("sp"))
    assert state.deleted_at == NOW


def test_the_same_registration_again_is_none_and_a_second_principal_is_refused() -> None:
    _, decision = after(REGISTER, REGISTER)
    assert decision.transitions == ()
    _, decision = after(REGISTER, PRINCIPAL, PRINCIPAL)
    assert decision.refusal is not None
    assert decision.refusal.code == "Request_MultipleObjectsWithSameKeyValue"


def test_the_registration_takes_its_principal_along_and_not_the_other_way_round() -> None:
    state, _ = after(REGISTER, PRINCIPAL, EndPrincipal("sp"))
    assert (state.is_principal, state.registration_id, state.deleted_at) == (False, "reg", None)
    state, decision = after(REGISTER, PRINCIPAL, Unregister("sp"))
    assert (state.is_principal, state.registration_id, state.deleted_at) == (False, None, NOW)
    assert decision.transitions[0].model_dump() == {"type": "ApplicationDeleted", "registered": True, "principal": True}
    again = wish(state, Unregister("sp"), AT)
    assert (again.transitions, again.refusal) == ((), None)


def test_what_was_deleted_may_come_back_under_its_id() -> None:
    state, _ = after(PRINCIPAL, EndPrincipal("sp"), PRINCIPAL)
    assert (state.deleted_at, state.is_principal) == (None, True)


def test_an_enabled_role_is_not_taken_out() -> None:
    state, decision = after(REGISTER, ChangeApplication("sp", {"app_roles": ()}))
    assert decision.refusal is not None
    assert decision.refusal.code == "CannotDeleteOrUpdateEnabledEntitlement"
    assert state.app_roles == (APPROVER,)
    off = APPROVER.model_copy(update={"is_enabled": False})
    disabled, removed = ({"app_roles": (off,)}, {"app_roles": ()})
    state, decision = after(REGISTER, ChangeApplication("sp", disabled), ChangeApplication("sp", removed))
    assert (state.app_roles, types(decision)) == ((), ["ApplicationChanged"])


def test_a_change_of_nothing_is_none_and_of_nobody_is_refused() -> None:
    _, decision = after(REGISTER, ChangeApplication("sp", {"display_name": "Expenses"}))
    assert decision.transitions == ()
    refused = wish(None, ChangeApplication("sp", {}), AT)
    assert refused.refusal is not None
    assert refused.refusal.code == "ResourceNotFound"


def site_after(*commands: SiteCommand) -> Decision[SiteState]:
    decision: Decision[SiteState] = Decision(None)
    for command in commands:
        decision = site_wish(decision.state, command, AT)
    return decision


def test_a_site_lives_and_goes_and_may_come_back() -> None:
    make = CreateSite(
        "s", {"web_url": "https://x.example/s", "display_name": "S", "roles": (SiteRole(id="3", display_name="O"),)}
    )
    assert types(site_after(make)) == ["SiteCreated"]
    assert site_after(make, make).refusal is not None
    renamed = site_after(make, ChangeSite("s", {"display_name": "T", "web_url": "https://x.example/s"}))
    assert renamed.transitions[0].model_dump()["properties"] == ("display_name",)
    gone = site_after(make, DeleteSite("s"))
    assert gone.state is not None
    assert gone.state.deleted_at == NOW
    assert site_after(make, DeleteSite("s"), DeleteSite("s")).transitions == ()
    assert site_after(make, DeleteSite("s"), ChangeSite("s", {})).refusal is not None
    back = site_after(make, DeleteSite("s"), make)
    assert back.state is not None
    assert back.state.deleted_at is None
