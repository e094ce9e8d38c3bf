"""The services there are, in the order in which they are started, listed and mounted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib import import_module
from importlib.util import find_spec

from deploy.cli.endpoints import CannotStart
from shared.messaging.host import Assemble, Host, groups_of
from shared.messaging.service import Service
from shared.settings import Settings

NAMES: tuple[str, ...] = (
    "directory",
    "request",  # before catalog: accessPackages/filterByCurrentUser(…) would else be read as the id of a package
    "approval",
    "catalog",
    "assignment",
    "provisioning",
    "review",
    "notification",
    "audit",
)


class UnknownService(CannotStart):
    """A name that no service has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no service {name!r}. There are: {', '.join(NAMES)}.")


def check(names: Collection[str]) -> None:
    """Raises UnknownService for a name that no service has."""
    for name in names:
        if name not in NAMES:
            raise UnknownService(name)


def in_order(names: Iterable[str]) -> list[str]:
    """These services as they are listed; the first whose paths fit is asked, wherever it runs."""
    return sorted(names, key=lambda name: NAMES.index(name) if name in NAMES else len(NAMES))


def assembly(name: str) -> Assemble:
    """`assemble` of that service. Raises UnknownService."""
    check([name])
    assemble: Assemble = import_module(f"services.{name}.service").assemble
    return assemble


def built() -> tuple[str, ...]:
    """Those of `NAMES` that this checkout holds."""
    return tuple(name for name in NAMES if find_spec(f"services.{name}") and find_spec(f"services.{name}.service"))


def assemblies(without: Collection[str] = ()) -> dict[str, Assemble]:
    """All services but those left out, imported, which takes more than a second."""
    return {name: assembly(name) for name in built() if name not in without}


def assembled(settings: Settings, names: Collection[str] | None = None) -> dict[str, Service]:
    """The services (all, or these) as values, connected to nothing: for their routes, topics and documents."""
    return Host(settings, {name: assembly(name) for name in (built() if names is None else names)}).services


def all_groups(settings: Settings) -> list[str]:
    """Every consumer group of every service, without namespace."""
    return groups_of(list(assembled(settings).values()))
