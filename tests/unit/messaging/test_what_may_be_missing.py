"""What is None is not written: so a contract's field that may be None has to be readable when it is missing."""

from __future__ import annotations

import importlib
import pkgutil
import typing

import pytest

import shared.contracts
from shared.contracts.base import Contract

MODULES = [
    importlib.import_module(f"shared.contracts.{one.name}") for one in pkgutil.iter_modules(shared.contracts.__path__)
]
CONTRACTS = sorted(
    {
        one
        for module in MODULES
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Contract) and one.__module__ == module.__name__
    },
    key=lambda one: (one.__module__, one.__name__),
)


def test_there_are_contracts() -> None:
    assert len(CONTRACTS) > 50


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: f"{one.__module__.rpartition('.')[2]}.{one.__name__}")
def test_what_may_be_none_may_be_missing(contract: type[Contract]) -> None:
    optional = [
        name
        for name, field in contract.model_fields.items()
        if type(None) in typing.get_args(field.annotation) and field.is_required()
    ]
    assert optional == [], f"{contract.__name__} is not read again if these are None"
