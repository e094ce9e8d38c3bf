"""Connected organisations, the tenant's settings, and commands that hold for one version only."""

from datetime import UTC, datetime, timedelta

import pytest

from services.directory.decide.conditional import STALE, Conditional, conditionally
from services.directory.decide.organizations import (
    MOST_SPONSORS,
    ChangeOrganization,
    ChangeSettings,
    CreateOrganization,
    DeleteOrganization,
    OrganizationCommand,
    SetSponsor,
    settings,
    wish,
)
from services.directory.organizations.store import (
    dump_organization,
    dump_settings,
    load_organization,
    load_settings,
)
from shared.contracts.base import Cause
from shared.contracts.organizations import (
    GuestLifecycle,
    IdentitySource,
    OrganizationStanding,
    OrganizationState,
    RolesShownTo,
    SettingsState,
    Side,
    SourceKind,
)
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
CAUSE = Cause(id="c", correlation="c", actor="system:api")
SOURCES = (
    IdentitySource(kind=SourceKind.TENANT, tenant_id="t", display_name="Partner"),
    IdentitySource(kind=SourceKind.DOMAIN, domain_name="Partner.example"),
)
CREATE = CreateOrganization("o", {"display_name": "Partner", "identity_sources": SOURCES})


def at(now: datetime = NOW, version: int = 1) -> Circumstances[None]:
    return Circumstances(now, version, CAUSE, None)


def after(*commands: OrganizationCommand) -> tuple[OrganizationState, Decision[OrganizationState]]:
    state: OrganizationState | None = None
    decision: Decision[OrganizationState] = Decision(None)
    for command in commands:
        decision = wish(state, command, at(NOW if isinstance(command, CreateOrganization) else LATER))
        state = decision.state
    assert state is not None
    return state, decision


@pytest.mark.spec("ORG-3")
def test_an_organization_is_configured_unless_it_says_otherwise_and_can_be_switched() -> None:
    state, _ = after(CREATE)
    assert state.state is OrganizationStanding.CONFIGURED
    state, decision = after(CREATE, ChangeOrganization("o", {"state": OrganizationStanding.PROPOSED}))
    assert (state.state, state.modified_at, types(decision)) == (
        OrganizationStanding.PROPOSED, LATER, ["OrganizationChanged"],
    )  # fmt: skip


def test_a_change_that_changes_nothing_says_nothing() -> None:
    state, decision = after(CREATE, ChangeOrganization("o", {"display_name": "Partner"}))
    assert (state.modified_at, decision.transitions) == (NOW, ())


@pytest.mark.spec("ORG-2")
def test_a_tenant_has_no_mail_domain_and_a_domain_is_compared_without_case() -> None:
    assert after(CREATE)[0].domains == {"partner.example"}


@pytest.mark.spec("ORG-4")
@pytest.mark.parametrize("side", Side)
def test_sponsors_stand_on_their_side_once_until_they_are_taken_out(side: Side) -> None:
    add, take = SetSponsor("o", side, "p", present=True), SetSponsor("o", side, "p", present=False)
    state, decision = after(CREATE, add)
    assert (state.sponsors(side), types(decision)) == (("p",), ["SponsorAdded"])
    assert [state.sponsors(other) for other in Side if other is not side] == [()]
    assert after(CREATE, add, add)[1].transitions == ()
    state, decision = after(CREATE, add, take)
    assert (state.sponsors(side), types(decision)) == ((), ["SponsorRemoved"])
    refusal = after(CREATE, take)[1].refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"


def test_there_are_only_so_many_sponsors_on_a_side() -> None:
    many = [SetSponsor("o", Side.INTERNAL, str(n), present=True) for n in range(MOST_SPONSORS + 1)]
    state, decision = after(CREATE, *many)
    assert len(state.internal_sponsors) == MOST_SPONSORS
    assert decision.refusal is not None
    assert decision.refusal.code == "tooMany"


def test_a_deleted_organization_stays_as_a_tombstone_that_takes_nothing() -> None:
    state, decision = after(CREATE, DeleteOrganization("o"))
    assert (state.deleted_at, types(decision)) == (LATER, ["OrganizationDeleted"])
    assert wish(state, DeleteOrganization("o"), at()).transitions == ()
    refusal = wish(state, ChangeOrganization("o", {"display_name": "x"}), at()).refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"


def test_documents_give_back_what_was_kept() -> None:
    state, _ = after(CREATE, SetSponsor("o", Side.EXTERNAL, "p", present=True))
    assert load_organization(dump_organization(state)) == state
    kept = SettingsState(
        external_user_lifecycle_action=GuestLifecycle.BLOCK,
        resource_roles_shown_to=RolesShownTo.MEMBERS,
        modified_at=NOW,
    )
    assert load_settings(dump_settings(kept)) == kept


def test_settings_are_the_documented_defaults_until_they_are_changed() -> None:
    change = ChangeSettings({"external_user_lifecycle_action": GuestLifecycle.NOTHING})
    decision = settings(None, change, at())
    assert decision.state is not None
    assert types(decision) == ["SettingsChanged"]
    assert decision.state.external_user_lifecycle_action is GuestLifecycle.NOTHING
    assert decision.state.duration_until_external_user_deleted_after_blocked == timedelta(days=30)
    assert settings(decision.state, change, at()).transitions == ()
    same = ChangeSettings({"external_user_lifecycle_action": GuestLifecycle.BLOCK_AND_DELETE})
    assert settings(None, same, at()).state is None


@pytest.mark.parametrize(("named", "refused"), [(None, False), (3, False), (2, True), (4, True)])
def test_a_command_for_one_version_is_refused_at_any_other(named: int | None, refused: bool) -> None:
    """The fact of a decision has the next number: a decision that may make the fourth was taken on the third."""
    state, _ = after(CREATE)
    asked: Conditional[OrganizationCommand] = Conditional(DeleteOrganization("o"), named)
    decision = conditionally(wish)(state, asked, at(version=4))
    assert (decision.refusal == STALE) is refused
    assert bool(decision.transitions) is not refused
