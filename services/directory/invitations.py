"""`/invitations`: have somebody from outside in the directory, as a guest who has not accepted yet.

The guest is there at once, so that access can be given before they come. Whether they have accepted is told like every
other property of theirs (`externalUserState`), by a source or over HTTP: who signs people in knows it. No mail goes out
from here. Source: reference/graph-api-operations.md 5.3.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field as Described
from pydantic import model_validator

from services.directory.api import Rooms
from services.directory.decide.sponsors import SetSponsor
from services.directory.graph import id_at
from services.directory.store import Document
from services.directory.writing import set_sponsor, state
from shared.contracts.hr import ChangeKind
from shared.storage import Answers
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphBody, GraphModel, NotBlank
from shared.web.guard import Guard
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.paging import context_url

PENDING = "PendingAcceptance"
MOST_SPONSORS = 20
_Text = Annotated[str, Described(max_length=1024)]
_Mail = Annotated[str, Described(max_length=113, pattern=r"^[^@\s]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")]


class AddressIn(GraphModel):
    name: _Text | None = None
    address: _Text | None = None


class RecipientIn(GraphModel):
    email_address: AddressIn = AddressIn()


class MessageIn(GraphModel):
    """What a mail would say. It is answered as it came, and not kept."""

    message_language: _Text | None = None
    cc_recipients: Annotated[tuple[RecipientIn, ...], Described(max_length=1)] = (RecipientIn(),)
    customized_message_body: Annotated[str, Described(max_length=10_000)] | None = None


class InvitedIn(GraphModel):
    id: Annotated[str, Described(min_length=1, max_length=64)]


class SponsorIn(GraphModel):
    """Whoever answers for a guest: an object of that id, or a reference to it."""

    id: Annotated[str, Described(min_length=1, max_length=64)] | None = None
    odata_id: Annotated[str, Described(min_length=1, max_length=512)] | None = Described(None, alias="@odata.id")

    @model_validator(mode="after")
    def _named(self) -> SponsorIn:
        if self.id is None and self.odata_id is None:
            raise ValueError("say the id, or '@odata.id'")
        return self

    @property
    def named(self) -> str:
        return self.id or id_at(self.odata_id or "")


class InvitationIn(GraphBody):
    """Whom to invite, and where they come to afterwards."""

    read_only: ClassVar[frozenset[str]] = GraphBody.read_only | {"inviteRedeemUrl", "status"}

    invited_user_email_address: _Mail
    invite_redirect_url: Annotated[str, Described(min_length=1, max_length=2048, pattern=r"^https?://\S+$")]
    invited_user_display_name: Annotated[NotBlank, Described(min_length=1, max_length=256)] | None = None
    invited_user_type: Literal["Guest", "Member"] = "Guest"
    send_invitation_message: bool = False
    invited_user_message_info: MessageIn = MessageIn()
    reset_redemption: bool = False
    invited_user: InvitedIn | None = None
    invited_user_sponsors: Annotated[tuple[SponsorIn, ...], Described(max_length=MOST_SPONSORS)] = ()
    sponsors_bound: tuple[_Text, ...] = Described((), alias="invitedUserSponsors@odata.bind", max_length=MOST_SPONSORS)

    @property
    def sponsors(self) -> list[str]:
        """Ids of who answers for the guest."""
        return [*(one.named for one in self.invited_user_sponsors), *map(id_at, self.sponsors_bound)]


def invitation_routes(rooms: Rooms, answers: Answers, guard: Guard) -> APIRouter:
    """The one route."""
    router = APIRouter(tags=["invitations"], route_class=answering_once(answers), dependencies=[Depends(guard)])

    @router.post("/v1.0/invitations", status_code=201)
    async def invite(request: Request, body: InvitationIn, key: IdempotencyKey = None) -> dict[str, Any]:
        """Who is a guest already stays the one they are; with `resetRedemption` they have to accept anew."""
        sponsors = [await rooms.person_or_group(one) for one in body.sponsors]
        guest = await _guest(rooms, request, body)
        for sponsor in sponsors:
            await set_sponsor(rooms, request, SetSponsor(guest["_id"], sponsor["_id"], True))
        return {"@odata.context": context_url(request, "invitations/$entity"), **_said(request, body, guest)}

    return router


async def _guest(rooms: Rooms, request: Request, body: InvitationIn) -> Document:
    """Made if the address is nobody's yet. Raises BadRequest if it is a member's."""
    mail = body.invited_user_email_address
    found = await _known(rooms, body.invited_user.id if body.invited_user else mail)
    if found is None:
        id = made_id(request, "person")
        await state(rooms, request, id, ChangeKind.JOINED, _as_invited(body))
        return await rooms.user(id)
    if found["state"]["attributes"].get("userType") != "Guest":
        raise BadRequest(f"'{mail}' is a member of this organization.", target="invitedUserEmailAddress")
    if body.reset_redemption:
        await state(rooms, request, found["_id"], ChangeKind.CHANGED, {"mail": mail, "externalUserState": PENDING})
        return await rooms.user(found["_id"])
    return found


async def _known(rooms: Rooms, key: str) -> Document | None:
    found = await rooms.people.by_name_or_id(key)
    if found is None or not found.get("joined") or found.get("deleted"):
        return None
    return {"_id": found["_id"], "version": found["version"], "state": found}


def _as_invited(body: InvitationIn) -> Document:
    mail = body.invited_user_email_address
    local, _, _ = mail.partition("@")
    return {
        "displayName": body.invited_user_display_name or local,
        "mail": mail,
        "mailNickname": local,
        # Theirs: there is no domain of ours that a name could be made in.
        "userPrincipalName": mail,
        "userType": body.invited_user_type,
        "accountEnabled": True,
        "creationType": "Invitation",
        "externalUserState": PENDING,
    }


def _said(request: Request, body: InvitationIn, guest: Document) -> Document:
    attributes = guest["state"]["attributes"]
    accepted = attributes.get("externalUserState") == "Accepted"
    return {
        "id": made_id(request, "invitation"),
        # Whoever signs people in redeems the invitation on the way there.
        "inviteRedeemUrl": body.invite_redirect_url,
        "invitedUserDisplayName": attributes.get("displayName"),
        "invitedUserType": attributes.get("userType"),
        "invitedUserEmailAddress": body.invited_user_email_address,
        "sendInvitationMessage": body.send_invitation_message,
        "resetRedemption": body.reset_redemption,
        "invitedUserMessageInfo": body.invited_user_message_info.graph(),
        "inviteRedirectUrl": body.invite_redirect_url,
        "status": "Completed" if accepted else PENDING,
        "invitedUser": {"id": guest["_id"]},
    }
