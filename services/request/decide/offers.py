"""What somebody may ask for now, what is asked of them for it, and what they are shown."""

from __future__ import annotations

from datetime import datetime

from services.request.decide.scene import Package, Person, Policy, Scene
from services.request.decide.scope import FOR_PEOPLE_OUTSIDE, in_scope, offered
from shared.contracts.catalog import Life
from shared.contracts.organizations import RolesShownTo
from shared.contracts.policy import TargetScope


def applicable(package_id: str, person: Person, scene: Scene, now: datetime) -> list[Policy]:
    """Policies under which that person may ask for the package for themself, the best class only (POL-4).

    That it is hidden does not matter here: whoever has the link may ask (PKG-2)."""
    package = scene.packages.get(package_id)
    if package is None:
        return []
    open_ones = [
        one
        for one in scene.policies.values()
        if one.state.package_id == package_id and _takes_requests(one, package, scene)
    ]
    return offered(open_ones, person, scene, now)


def requestable(person: Person, scene: Scene, now: datetime) -> set[str]:
    """Ids of packages that some policy lets that person ask for."""
    return {
        policy.state.package_id
        for policy, package in _offers(scene)
        if in_scope(policy.state, person, scene, now) and _takes_requests(policy, package, scene)
    }


def visible(person: Person, scene: Scene, now: datetime) -> set[str]:
    """Ids of packages that the person is shown when browsing: those they may ask for, and, to members, those that are
    for specific people, who need not be them (PKG-4). Hidden ones are never shown (PKG-3)."""
    for_some = {
        policy.state.package_id
        for policy, package in _offers(scene)
        if not person.is_guest
        and policy.state.target_scope is TargetScope.SPECIFIC_USERS
        and _takes_requests(policy, package, scene)
    }
    shown = for_some | requestable(person, scene, now)
    return {id for id in shown if not scene.packages[id].is_hidden}


def shows_roles(person: Person, shown_to: RolesShownTo) -> bool:
    """Whether that person is shown what packages bring (PKG-5)."""
    return shown_to is RolesShownTo.EVERYONE or (shown_to is RolesShownTo.MEMBERS and not person.is_guest)


def _offers(scene: Scene) -> list[tuple[Policy, Package]]:
    pairs = [(policy, scene.packages.get(policy.state.package_id)) for policy in scene.policies.values()]
    return [(policy, package) for policy, package in pairs if package is not None]


def _takes_requests(policy: Policy, package: Package, scene: Scene) -> bool:
    """Whether people ask for themselves under this policy now, whoever they are."""
    state, settings = policy.state, policy.state.requestor_settings
    return (
        package.life is Life.ACTIVE
        and package.catalog_id in (scene.external if state.target_scope in FOR_PEOPLE_OUTSIDE else scene.published)
        and state.life is Life.ACTIVE
        and not state.is_automatic
        and settings.accept_requests
        and settings.enable_targets_to_self_add_access
    )
