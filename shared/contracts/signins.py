"""Sign-ins: what identity providers report on `hr.sign-ins`, and what directory says of them.

Kept by themselves and not in the person: somebody signs in every day, and no rule reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shared.contracts.base import Contract, Fact, Transition
from shared.contracts.hr import Moment


class SignIn(Contract):
    """Somebody signed in. Key: whichever name of theirs is stated. Repeats and any order are harmless."""

    ce_type: ClassVar[str] = "tenure.hr.sign-in.v1"

    employee_id: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="Graph's `employeeId` of the person; decides if both are stated.",
    )
    user_principal_name: str | None = Field(None, min_length=1, max_length=256)
    at: Moment = Field(description="When; without time: midnight UTC.")
    app_id: str | None = Field(
        None, min_length=1, max_length=256, description="The application's `appId`; without: it is not known, or none."
    )

    @model_validator(mode="after")
    def _of_somebody(self) -> SignIn:
        if self.employee_id is None and self.user_principal_name is None:
            raise ValueError("say in employeeId or userPrincipalName who signed in")
        return self


class AppUse(Contract):
    """How one person used one application, as far as it was reported."""

    app_id: str = Field(description="In lower case.")
    first_at: datetime = Field(description="The day is exact.")
    last_at: datetime = Field(description="The day is exact, the time of day within an hour.")


class SignInsState(Contract):
    """When somebody last signed in, and last to which applications."""

    person_id: str
    last_at: datetime = Field(description="The day is exact, the time of day within an hour.")
    apps: tuple[AppUse, ...] = Field((), description="Those used last, if they are very many.")


class SignedIn(Transition):
    type: Literal["SignedIn"] = "SignedIn"
    app_id: str | None = None


class SignInsFact(Fact):
    """Somebody signed in again, on another day or an hour later. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.sign-ins.v1"
    transitions: tuple[SignedIn, ...]
    state: SignInsState
