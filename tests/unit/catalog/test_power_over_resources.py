"""Who may have a resource handed out: beside the right to the catalog it takes power over the resource itself."""

from __future__ import annotations

import pytest

from services.catalog.delegation import has_power_over
from services.catalog.origins import Place
from shared.security.authority import NOTHING, Held, Standing
from shared.security.caller import Caller, operator, ordinary_person

GROUP: Place = ("AadGroup", "sales")
APPLICATION: Place = ("AadApplication", "crm")
SITE: Place = ("SharePointOnline", "https://company.example/sites/sales")


def has(caller: Caller, place: Place, held: Held = NOTHING, *, unified: bool = False) -> bool:
    return has_power_over(Standing(caller, held, everywhere=False), place, unified=unified)


@pytest.mark.spec("RES-4")
@pytest.mark.parametrize(
    ("role", "over"),
    [
        ("Global Administrator", {"group", "unified", "application", "site"}),
        ("Groups Administrator", {"group", "unified"}),
        ("Intune Administrator", {"group", "unified"}),
        ("Exchange Administrator", {"unified"}),
        ("SharePoint Administrator", {"unified", "site"}),
        ("Application Administrator", {"application"}),
        ("Cloud Application Administrator", {"application"}),
        ("Identity Governance Administrator", {"application"}),
        ("User Administrator", set()),
    ],
)
def test_each_administrator_has_power_over_resources_of_their_kind(role: str, over: set[str]) -> None:
    ana, bare = ordinary_person("ana", roles=frozenset({role})), ordinary_person("ana")
    ways = {
        "group": (GROUP, False),
        "unified": (GROUP, True),
        "application": (APPLICATION, False),
        "site": (SITE, False),
    }
    assert {kind for kind, (place, unified) in ways.items() if has(ana, place, unified=unified)} == over
    held = Held(directory=frozenset({role}))
    assert {kind for kind, (place, unified) in ways.items() if has(bare, place, held, unified=unified)} == over


@pytest.mark.spec("RES-4")
def test_whoever_owns_a_group_or_an_application_has_power_over_that_one() -> None:
    owner = Held(owns=frozenset({"AadGroup/sales", "AadApplication/crm"}))
    ana = ordinary_person("ana")
    assert has(ana, GROUP, owner)
    assert has(ana, APPLICATION, owner)
    assert not has(ana, ("AadGroup", "crm"), owner)
    assert not has(ana, GROUP)
    assert has(operator("ops"), GROUP)
