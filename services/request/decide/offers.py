"""What somebody may ask for now, and what is asked of them for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.request.decide.scene import Person, Policy, Scene
from services.request.decide.scope import in_scope, offered
from shared.contracts.catalog import Life


def applicable(package_id: str, person: Person, scene: Scene, now: datetime) -> list[Policy]:
    """Policies under which that person may ask for the package for themself, the best class only (POL-4)."""
    package = scene.packages.get(package_id)
    if package is None or package.life is not Life.ACTIVE or package.catalog_id not in scene.published:
        return []
    of_package = [one for one in scene.policies.values() if one.state.package_id == package_id]
    return [one for one in offered(of_package, person, scene, now) if _asked_by_oneself(one)]


def packages_for(person: Person, policies: Iterable[Policy], scene: Scene, now: datetime) -> set[str]:
    """Ids of packages that one of these policies lets that person ask for."""
    return {
        one.state.package_id
        for one in policies
        if _asked_by_oneself(one) and not one.state.is_automatic and in_scope(one.state, person, scene, now)
    }


def _asked_by_oneself(policy: Policy) -> bool:
    return policy.state.life is Life.ACTIVE and policy.state.requestor_settings.enable_targets_to_self_add_access
