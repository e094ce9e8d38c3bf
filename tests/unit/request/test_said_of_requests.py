"""What a request says of what it is about."""

from __future__ import annotations

from datetime import UTC, datetime

from services.request import graph
from shared.contracts.catalog import PolicyState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_policy_is_described_where_it_is_expanded() -> None:
    state = PolicyState(
        id="p", package_id="crm", display_name="By request", description="For all.", created_at=NOW, modified_at=NOW
    )
    assert graph.policy_said(state.model_dump(mode="json", by_alias=False)) == {
        "id": "p",
        "displayName": "By request",
        "description": "For all.",
        "createdDateTime": "2026-01-01T00:00:00Z",
        "modifiedDateTime": "2026-01-01T00:00:00Z",
    }
