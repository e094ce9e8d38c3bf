"""A command that holds for one version: whoever read an older one is refused, in the decision itself.

Asked before the decision, two callers who read the same version could both pass; here the write that follows is guarded
by the very version that was compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.contracts.base import Refusal
from shared.messaging.decision import Circumstances, Decide, Decision

C = TypeVar("C")
M = TypeVar("M")
S = TypeVar("S")

STALE = Refusal(code="stale", message="The object has changed since it was read; read it again.")


@dataclass(frozen=True, slots=True)
class Conditional(Generic[M]):
    """`command`, if the aggregate has this version; None: whatever version it has."""

    command: M
    version: int | None = None


def conditionally(decide: Decide[S, M, C]) -> Decide[S, Conditional[M], C]:
    """`decide` for commands that may hold for one version only."""

    def decided(state: S | None, asked: Conditional[M], at: Circumstances[Any], /) -> Decision[S]:
        if asked.version is not None and asked.version != at.version - 1:
            return Decision(state, refusal=STALE)
        return decide(state, asked.command, at)

    return decided
