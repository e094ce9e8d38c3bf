"""Who makes a catalog without being an administrator owns it: a person, or an application by its service principal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.catalog.delegation import first_owner_of
from services.catalog.model import Catalog, first_ownership
from shared.contracts.resources import principal_id_of
from shared.security.caller import Caller, operator, ordinary_person
from shared.security.roles import CatalogRole

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.spec("CAT-5")
@pytest.mark.parametrize(
    ("caller", "owner"),
    [
        (ordinary_person("ana"), ("ana", "user")),
        (Caller("person:ana", "ana", app_id="app"), ("ana", "user")),
        (Caller("app:App", app_id="App"), (principal_id_of("app"), "servicePrincipal")),
        (operator("system:api"), None),
    ],
)
def test_the_first_owner_is_whoever_made_the_catalog(caller: Caller, owner: tuple[str, str] | None) -> None:
    catalog = Catalog(id="c", display_name="C", created_at=AT, modified_at=AT).model_copy(update=first_owner_of(caller))
    found = first_ownership(catalog.public())
    assert (found and (found.principal_id, found.principal_kind)) == owner
    assert found is None or (found.role, found.catalog_id) == (CatalogRole.OWNER, "c")
