"""A request that waits for approval although whom, what or whose policy it is about is gone.

Nobody could deliver it, so nobody is asked about it any longer. Decided by what is true now and not by the fact that
led here: that may come late, or again, as when somebody who left has come back since.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.request.decide.progress import end_in_vain
from services.request.decide.scene import Gone, Scene
from services.request.model import Request
from shared.contracts.base import Refusal
from shared.contracts.request import RequestStatus
from shared.messaging.decision import Again, Circumstances, Decision


@dataclass(frozen=True, slots=True)
class Look:
    """Something that request `id` needs may be gone."""

    id: str


def look(request: Request | None, _message: Look | Again, at: Circumstances[Scene]) -> Decision[Request]:
    """It ends if nothing can come of it; else it goes on waiting."""
    if request is None or (reason := in_vain(request, at.context.gone)) is None:
        return Decision(request)
    return end_in_vain(request, reason, at)


def in_vain(request: Request, gone: Gone) -> Refusal | None:
    """Why nothing can come of it, while it waits for approval."""
    if request.status is not RequestStatus.PENDING_APPROVAL:
        return None
    if request.person_id in gone.people:
        return Refusal(code="personLeft", message="Whoever it was for has left.")
    if (package := gone.packages.get(request.package_id)) is not None:
        return Refusal(code="packageNotFound", message=f'The access package "{package}" is there no longer.')
    if (policy := gone.policies.get(request.policy_id)) is not None:
        return Refusal(code="policyNotFound", message=f'The policy "{policy}" is there no longer: ask anew.')
    return None
