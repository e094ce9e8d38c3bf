"""What was caught: one append-only file, and in memory where in it each mail lies."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import orjson

_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?(\S+)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


@dataclass
class Entry:
    """Where a mail lies in the file, and how often the same one came again."""

    id: int
    offset: int
    length: int
    repeats: int = 0


class Mailbox:
    """Mails in `folder`/mails.jsonl, in order of arrival, ids from 1. For one process and one thread.

    A mail is the same as an earlier one if Message-ID and envelope recipients are: it is counted there (`repeats`).
    Mails without Message-ID are all different.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "mails.jsonl"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._forget(next_id=1)
        self._load()

    def _forget(self, next_id: int) -> None:
        self._end = 0
        self._next_id = next_id
        self._entries: dict[int, Entry] = {}
        self._by_recipient: defaultdict[str, list[int]] = defaultdict(list)
        self._by_message_id: dict[tuple[str, tuple[str, ...]], int] = {}
        self.repeats = 0

    def _load(self) -> None:
        with self._path.open("rb") as lines:
            for line in lines:
                try:
                    if not line.endswith(b"\n"):
                        break
                    said = orjson.loads(line)
                except orjson.JSONDecodeError:
                    break
                self._index(said, len(line))
        # What a killed process wrote by half was never acknowledged.
        os.ftruncate(self._file, self._end)

    def _index(self, said: dict[str, Any], length: int) -> int:
        offset, self._end = self._end, self._end + length
        if "cleared" in said:
            self._next_id = said["cleared"]
        elif "repeats" in said:
            self._entries[said["repeats"]].repeats += 1
            self.repeats += 1
            return cast(int, said["repeats"])
        else:
            entry = Entry(said["id"], offset, length)
            self._entries[entry.id] = entry
            self._next_id = entry.id + 1
            for recipient in {address.lower() for address in said["to"]}:
                self._by_recipient[recipient].append(entry.id)
            if said["messageId"]:
                self._by_message_id[_key(said["messageId"], said["to"])] = entry.id
            return entry.id
        return 0

    def _append(self, said: dict[str, Any]) -> int:
        line = orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
        written = os.pwrite(self._file, line, self._end)
        if written != len(line):
            raise OSError(f"{self._path} took {written} of {len(line)} bytes.")
        return self._index(said, len(line))

    def add(self, sender: str, recipients: Sequence[str], raw: bytes) -> int:
        """Keep a mail; returns its id, the earlier one's if it is a repeat. In the file (not synced to disk) on return.

        Raises OSError if the disk is full: then nothing was kept.
        """
        header_end = _END_OF_HEADERS.search(raw)
        found = _MESSAGE_ID.search(raw, 0, header_end.start() if header_end else len(raw))
        message_id = found[1].decode("latin-1") if found else ""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        if message_id and (known := self._by_message_id.get(_key(message_id, recipients))):
            return self._append({"repeats": known, "at": now})
        return self._append(
            {
                "id": self._next_id,
                "at": now,
                "from": sender,
                "to": list(recipients),
                "messageId": message_id,
                "raw": raw.decode("latin-1"),  # any bytes at all, and back
            }
        )

    def __len__(self) -> int:
        return len(self._entries)

    def ids(self, to: str | None = None, after: int = 0) -> list[int]:
        """Ids in order of arrival, greater than `after`; only mails to this address (in any case), if given."""
        known = self._entries if to is None else self._by_recipient.get(to.strip().lower(), [])
        return [one for one in known if one > after] if after else list(known)

    def recipients(self) -> Iterator[tuple[str, int]]:
        """Every address that got mail, with the number of mails."""
        return ((address, len(ids)) for address, ids in self._by_recipient.items())

    def read(self, mail_id: int) -> dict[str, Any] | None:
        """The mail as `GET /messages/{id}` shows it, None if there is none. Parses it: about 0.3 ms."""
        entry = self._entries.get(mail_id)
        if entry is None:
            return None
        said = orjson.loads(os.pread(self._file, entry.length, entry.offset))
        message = message_from_bytes(said["raw"].encode("latin-1"), policy=modern)
        return {
            "id": str(mail_id),
            "messageId": said["messageId"],
            "from": said["from"],
            "to": said["to"],
            "subject": _header(message, "Subject"),
            "date": _date(message) or said["at"],
            "text": _part(message, "plain"),
            "html": _part(message, "html"),
            "headers": _headers(message),
            "receivedAt": said["at"],
            "repeats": entry.repeats,
        }

    def clear(self) -> None:
        """Throw all mails away. Ids go on rising, so that an old link never shows another mail."""
        os.ftruncate(self._file, 0)
        self._forget(self._next_id)
        self._append({"cleared": self._next_id})

    def close(self) -> None:
        os.close(self._file)


def _key(message_id: str, recipients: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return message_id, tuple(sorted(address.lower() for address in recipients))


def _header(message: EmailMessage, name: str) -> str:
    # A malformed header raises when it is parsed; the mail is shown all the same.
    try:
        return str(message.get(name, ""))
    except Exception:
        return ""


def _headers(message: EmailMessage) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name in message.keys():  # noqa: SIM118 - a message is no dict: names repeat, and iterating it yields none
        values = [_header(message, name)] if len(message.get_all(name, [])) < 2 else map(str, message.get_all(name, []))
        headers.setdefault(name, "\n".join(values))
    return headers


def _date(message: EmailMessage) -> str | None:
    try:
        return parsedate_to_datetime(_header(message, "Date")).astimezone(UTC).isoformat()
    except (ValueError, TypeError):
        return None


def _part(message: EmailMessage, kind: str) -> str | None:
    try:
        part = message.get_body((kind,))
        return None if part is None else str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError, AttributeError):  # an unknown charset, a broken multipart
        return None
