"""Collections of notification: `messages`, replicas of names, `reasons`, `endings`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.notification import decide
from services.notification.model import Channel, Ending, Event, Known, Message, Person, Status, dump, load
from services.notification.reviews import COLLECTING
from shared.clock import SystemClock
from shared.contracts.catalog import PackageFact, PolicyFact
from shared.contracts.directory import GroupFact, PersonFact
from shared.storage import Database, Documents, Index, Replica

REAL_TIME = SystemClock()
KEEP_REASONS = timedelta(days=14)
"""As long as the topics are kept: nothing older is told of."""


class Messages:
    """The records, and the queue in them: whoever has `next_at` is waiting or under a lease until then."""

    def __init__(self, database: Database) -> None:
        self.documents = Documents(
            database,
            "messages",
            indexes=(
                Index("channel", "next_at", partial={"next_at": {"$exists": True}}),
                Index("recipient", "-created_at", "_id"),
                Index("-created_at", "_id"),
                Index("status", partial={"status": {"$in": ["failed", "skipped"]}}),
            ),
        )

    async def record(self, messages: Sequence[Message], wait: timedelta = timedelta()) -> None:
        """Keep new ones, to be sent at once or after `wait`; those that are there already stay as they are, however far
        they have come.

        Attempts and leases go by the real clock, whatever the business clock says."""
        due = REAL_TIME.now() + wait
        await self.documents.insert([dump(replace(one, next_at=due)) for one in messages], ordered=False)

    async def claim(self, channel: Channel, now: datetime, until: datetime, claim: str, limit: int) -> list[Message]:
        """Take up to `limit` of what is due, the oldest first, under a lease. Two workers never get the same."""
        waiting: dict[str, Any] = {"channel": channel.value, "next_at": {"$lte": now}}
        due = await self.documents.find(waiting, sort=[("next_at", 1)], limit=limit, fields={"_id": 1})
        if not due:
            return []
        ids = [document["_id"] for document in due]
        taken = {"status": Status.SENDING.value, "next_at": until, "claim": claim}
        await self.documents.change([({"_id": {"$in": ids}, **waiting}, {"$set": taken})])
        found = await self.documents.find({"_id": {"$in": ids}, "claim": claim})
        return [load(document) for document in found]

    async def under_way(self) -> int:
        """How many are being sent, or would be by now. What waits for another attempt is not among them."""
        soon = REAL_TIME.now() + max(decide.LOOK_AGAIN, COLLECTING)
        return await self.documents.count(
            {
                "next_at": {"$exists": True},
                "$or": [{"status": Status.SENDING.value}, {"status": Status.QUEUED.value, "next_at": {"$lte": soon}}],
            }
        )

    async def settle(self, messages: Sequence[Message], claim: str) -> None:
        """Write what became of claimed messages: one bulk write, one part for all that came to the same."""
        alike: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
        for one in messages:
            alike[one.status, one.attempts, one.next_at, one.sent_at, one.problem].append(one.id)
        changes = []
        for (status, attempts, next_at, sent_at, problem), ids in alike.items():
            values = {"attempts": attempts, "next_at": next_at, "sent_at": sent_at, "problem": problem}
            put = {"status": status.value, **{name: value for name, value in values.items() if value}}
            gone = {"claim": "", **{name: "" for name, value in values.items() if not value}}
            changes.append(({"_id": {"$in": ids}, "claim": claim}, {"$set": put, "$unset": gone}))
        await self.documents.change(changes)

    async def counts(self) -> dict[str, dict[str, int]]:
        """By channel and status; `sent` is what remains, so that it need not be counted one by one."""
        found: dict[str, dict[str, int]] = {}
        for channel in Channel:
            counted = {
                status.value: await self.documents.count({"channel": channel.value, "status": status.value, **narrow})
                for status, narrow in (
                    (Status.QUEUED, {"next_at": {"$exists": True}}),
                    (Status.SENDING, {"next_at": {"$exists": True}}),
                    (Status.FAILED, {}),
                    (Status.SKIPPED, {}),
                    (Status.SENT, {}),
                )
            }
            found[channel.value] = counted
        return found


class Names:
    """What texts need to know of people, groups, packages and policies."""

    def __init__(self, database: Database) -> None:
        self.people: Replica[PersonFact] = Replica(database, "people", _of_person)
        self.groups: Replica[GroupFact] = Replica(database, "groups", lambda fact: {"name": fact.state.display_name})
        self.packages: Replica[PackageFact] = Replica(
            database, "packages", lambda fact: {"name": fact.state.display_name}
        )
        self.policies: Replica[PolicyFact] = Replica(
            database,
            "policies",
            lambda fact: {
                "name": fact.state.display_name,
                "silent": fact.state.is_assignment_notification_disabled,
                "extends": fact.state.requestor_settings.enable_targets_to_self_update_access,
            },
        )
        self.reasons = Documents(database, "reasons", indexes=(Index("at"),))
        self.endings = Documents(database, "endings", indexes=(Index("assignment"), Index("at")))

    async def record_reasons(self, reasons: Sequence[tuple[str, str]], at: datetime) -> None:
        """What person facts changed, in words, by the fact's id. Twice is once."""
        await self.reasons.insert([{"_id": id, "words": words, "at": at} for id, words in reasons], ordered=False)

    async def record_endings(self, endings: Sequence[Ending], at: datetime) -> None:
        """Twice is once."""
        await self.endings.insert(
            [
                {
                    "_id": f"{one.assignment_id}:{one.version}",
                    "assignment": one.assignment_id,
                    "version": one.version,
                    "ends_at": one.ends_at,
                    "at": at,
                }
                for one in endings
            ],
            ordered=False,
        )

    async def forget(self, now: datetime) -> None:
        """Drop what no message can be about any more."""
        for documents in (self.reasons, self.endings):
            await documents.delete({"at": {"$lt": now - KEEP_REASONS}})

    async def known(self, messages: Sequence[Message]) -> Known:
        """All that these messages refer to, with one query a collection."""
        items = [item for message in messages for item in message.items]
        about = {id for item in items for id in (item.person_id, item.by, item.asked_by) if id}
        named = {id for message in messages for one in message.reviews for id in one.people}
        about |= named
        people = await self.people.get({message.recipient for message in messages} | about)
        # Groups inside a group that is reviewed are decided about as people are.
        groups = await self.groups.get(named - people.keys()) if named else {}
        packages = await self.packages.get({item.package_id for item in items})
        policies = await self.policies.get({item.policy_id for item in items})
        reasons = await self.reasons.find({"_id": {"$in": list({message.why.id for message in messages})}})
        limited = {i.assignment_id for m in messages if m.event is Event.ENDS_SOON for i in m.items}
        endings: defaultdict[str, tuple[Ending, ...]] = defaultdict(tuple)
        for document in await self.endings.find({"assignment": {"$in": list(limited)}}) if limited else ():
            one = Ending(document["assignment"], document["version"], document["ends_at"])
            endings[one.assignment_id] += (one,)
        return Known(
            people={id: Person(id, name=one["name"] or "") for id, one in groups.items()}
            | {
                id: Person(id, one["version"], one["name"], one["mail"], one["upn"], one.get("pending", False))
                for id, one in people.items()
            },
            packages={id: one["name"] for id, one in packages.items()},
            policies={id: one["name"] for id, one in policies.items()},
            reasons={one["_id"]: one["words"] for one in reasons},
            endings=endings,
            silent=frozenset(id for id, one in policies.items() if one.get("silent")),
            extends=frozenset(id for id, one in policies.items() if one.get("extends")),
        )


def _of_person(fact: PersonFact) -> dict[str, Any]:
    attributes = fact.state.attributes
    return {
        "name": str(attributes.get("displayName") or attributes.get("givenName") or ""),
        "mail": str(attributes.get("mail") or ""),
        "upn": str(attributes.get("userPrincipalName") or ""),
        "pending": attributes.get("externalUserState") == "PendingAcceptance",
    }
