"""The one door of every operation: whether its rule opens it to the caller, and how far.

    routes = APIRouter(tags=["catalog"], dependencies=[Depends(guard)])

    @routes.get("/catalogs/{id}")
    async def catalog(id: str, admitted: Admitted) -> ...:
        await admitted.at(id)

The rule comes from `shared.security.operations`, by the route that was found. A role that was only just given may be on
its way to this service, so before a caller is refused, what they hold is looked at again for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, NoReturn, Protocol

from fastapi import Depends, Request

from shared.security.authority import NOTHING, Held, Rule, Standing, standing
from shared.security.caller import Caller
from shared.security.operations import rule_of
from shared.web.caller import Asking
from shared.web.errors import Forbidden, NoRight, Unauthenticated

LOOK_AGAIN_S = 0.5
"""A role that was given is known everywhere within that time; as a rule, within a tenth of it."""
_PAUSE_S = 0.05
_IN_SCOPE = "tenure.admission"


class Holders(Protocol):
    """Where it is known who holds what."""

    lags: bool
    """Whether what was just given may be missing."""

    async def held(self, caller: Caller) -> Held: ...

    async def is_away(self, person_id: str) -> bool:
        """Whether that person has left or is blocked: their token goes on, and counts for nothing."""
        ...


class FromToken:
    """Nothing is known beside what the token says."""

    lags = False

    async def held(self, caller: Caller) -> Held:
        return NOTHING

    async def is_away(self, person_id: str) -> bool:
        return False


class Admission:
    """One request's way through its rule."""

    def __init__(self, rule: Rule, caller: Caller, holders: Holders, patience_s: float) -> None:
        self.standing: Standing
        self._rule = rule
        self._caller = caller
        self._holders = holders
        self._patience_s = patience_s if holders.lags else 0.0
        self._looked = False

    async def enter(self, request: Request) -> None:
        """Raises Forbidden if the operation is not open to the caller at all.

        What is open to everybody for their own is so without a look at what they hold."""
        found = standing(self._rule, self._caller, NOTHING)
        if found is None:
            found = await self._look()
        if found is None:
            found = await self._wait_for(lambda one: one is not None)
        if found is None:
            refuse(request.scope["path"])
        self.standing = found

    @property
    def lets_own(self) -> bool:
        """Whether everybody may do this to what is theirs."""
        return self._rule.own is not None

    async def full(self) -> Standing:
        """How far it is open, counting everything that the caller holds."""
        if not self._looked and not self._caller.is_operator:
            self.standing = await self._look() or self.standing
        return self.standing

    async def at(self, catalog_id: str | None) -> None:
        """Raises NoRight unless that catalog is within."""
        if not await self.reaches(catalog_id):
            raise NoRight

    async def reaches(self, catalog_id: str | None) -> bool:
        """Whether that catalog is within."""
        return await self.stands(lambda one: one.at(catalog_id))

    async def meets(self, rule: Rule) -> bool:
        """Whether the caller meets another rule, too, without bounds; now or in a moment."""
        return await self.stands(lambda one: one.meets(rule))

    async def stands(self, so: Callable[[Standing], bool]) -> bool:
        """Whether that holds of the caller, now or in a moment."""
        if so(self.standing) or so(await self.full()):
            return True
        found = await self._wait_for(lambda one: one is not None and so(one))
        if found is None or not so(found):
            return False
        self.standing = found
        return True

    async def _look(self) -> Standing | None:
        self._looked = True
        return standing(self._rule, self._caller, await self._holders.held(self._caller))

    async def _wait_for(self, wanted: Callable[[Standing | None], bool]) -> Standing | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        found = None
        while loop.time() < until:
            await asyncio.sleep(_PAUSE_S)
            found = await self._look()
            if wanted(found):
                break
        return found


class Guard:
    """A dependency of routers: lets in whom the operation's rule lets in.

    Raises Forbidden, and Unauthenticated for whoever has left or is blocked since their token was issued."""

    def __init__(self, holders: Holders | None = None, patience_s: float = LOOK_AGAIN_S) -> None:
        self.holders = holders or FromToken()
        self.patience_s = patience_s

    async def __call__(self, request: Request, caller: Asking) -> None:
        if caller.person_id is not None and await self.holders.is_away(caller.person_id):
            raise Unauthenticated("The person who is signed in has left or is blocked: the token counts no more.")
        rule = rule_of(request.method, request.scope["route"].path)
        admission = Admission(rule, caller, self.holders, self.patience_s)
        await admission.enter(request)
        request.scope[_IN_SCOPE] = admission


def admission_of(request: Request) -> Admission:
    """What the guard found. Raises LookupError on a route that has none, which a test would have said."""
    found: Admission | None = request.scope.get(_IN_SCOPE)
    if found is None:
        raise LookupError(f"{request.scope['path']} has no guard.")
    return found


Admitted = Annotated[Admission, Depends(admission_of)]
"""A route's parameter `admitted: Admitted`."""


def refuse(path: str) -> NoReturn:
    """In the words that Graph has in that part of it."""
    if "/entitlementManagement" in path:
        raise NoRight
    raise Forbidden("Insufficient privileges to complete the operation.")
