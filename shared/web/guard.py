"""The one door of every operation: whether its rule opens it to the caller, and how far.

    routes = APIRouter(tags=["catalog"], dependencies=[Depends(guard)])

    @routes.get("/catalogs/{id}")
    async def catalog(id: str, admitted: Admitted) -> ...:
        await admitted.at(id)

The rule comes from `shared.security.operations`, by the route that was found. A role that was only just given may be on
its way to this service, so a caller is refused only once all that was said of what they hold has been heard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NoReturn, Protocol

from fastapi import Depends, Request

from shared.security.authority import NOTHING, Held, Rule, Standing, standing
from shared.security.caller import Caller
from shared.security.operations import rule_of
from shared.web.caller import Asking
from shared.web.errors import Forbidden, NoRight, Unauthenticated

_IN_SCOPE = "tenure.admission"


class Holders(Protocol):
    """Where it is known who holds what."""

    async def held(self, caller: Caller) -> Held: ...

    async def is_away(self, person_id: str) -> bool:
        """Whether that person has left or is blocked: their token goes on, and counts for nothing."""
        ...

    async def abreast(self, caller: Caller) -> None:
        """Wait until all is known that was said of the caller, and of what they hold."""
        ...


class FromToken:
    """Nothing is known beside what the token says."""

    async def held(self, caller: Caller) -> Held:
        return NOTHING

    async def is_away(self, person_id: str) -> bool:
        return False

    async def abreast(self, caller: Caller) -> None:
        return None


class Admission:
    """One request's way through its rule."""

    def __init__(self, rule: Rule, caller: Caller, holders: Holders) -> None:
        self.standing: Standing
        self._rule = rule
        self._caller = caller
        self._holders = holders
        self._looked = False

    async def enter(self, request: Request) -> None:
        """Raises Forbidden if the operation is not open to the caller at all.

        What is open to everybody for their own is so without a look at what they hold."""
        found = standing(self._rule, self._caller, NOTHING)
        if found is None:
            found = await self._look() or await self._look_abreast()
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
        """Whether the caller meets another rule, too, without bounds."""
        return await self.stands(lambda one: one.meets(rule))

    async def stands(self, so: Callable[[Standing], bool]) -> bool:
        """Whether that holds of the caller, counting what they were given just now."""
        if so(self.standing) or so(await self.full()):
            return True
        found = await self._look_abreast()
        if found is None or not so(found):
            return False
        self.standing = found
        return True

    async def _look(self) -> Standing | None:
        self._looked = True
        return standing(self._rule, self._caller, await self._holders.held(self._caller))

    async def _look_abreast(self) -> Standing | None:
        await self._holders.abreast(self._caller)
        return await self._look()


class Guard:
    """A dependency of routers: lets in whom the operation's rule lets in.

    Raises Forbidden, and Unauthenticated for whoever has left or is blocked since their token was issued."""

    def __init__(self, holders: Holders | None = None) -> None:
        self.holders = holders or FromToken()

    async def __call__(self, request: Request, caller: Asking) -> None:
        if await self._is_away(caller):
            await self.holders.abreast(caller)
            if await self._is_away(caller):
                raise Unauthenticated("The person who is signed in has left or is blocked: the token counts no more.")
        rule = rule_of(request.method, request.scope["route"].path)
        admission = Admission(rule, caller, self.holders)
        await admission.enter(request)
        request.scope[_IN_SCOPE] = admission

    async def _is_away(self, caller: Caller) -> bool:
        return caller.person_id is not None and await self.holders.is_away(caller.person_id)


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
