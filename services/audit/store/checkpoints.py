"""Signed heads and the keys they were signed with: in the database, and in a file to keep elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.audit.model import place_of
from shared.contracts.audit import Checkpoint
from shared.messaging.errors import MayPass
from shared.storage import Database, Documents

KEY_BYTES = 32
CHECKPOINT_FILE = "audit-checkpoints.ndjson"


class Checkpoints:
    """Signed heads and the public keys they were signed with: in the database, and in a file to keep elsewhere."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._checkpoints = Documents(database, "checkpoints")
        self._keys = Documents(database, "keys")
        self.file = data_dir / CHECKPOINT_FILE

    async def ensure_indexes(self) -> None:
        return None

    async def keep_key(self, key_id: str, public: bytes) -> None:
        await self._keys.set(key_id, {"public": public.hex()})

    async def keys(self) -> dict[str, bytes]:
        """By id; what is no key is none, and what was signed with it is signed with an unknown one."""
        return {one["_id"]: public for one in await self._keys.find({}) if (public := public_key_in(one)) is not None}

    async def last(self, chains: Collection[str]) -> dict[str, int]:
        """The highest signed sequence of each of these chains."""
        highest: dict[str, int] = {}
        for chain in chains:
            within = {"$gte": f"{chain}/", "$lt": f"{chain}0"}
            found = await self._checkpoints.find({"_id": within}, sort=(("_id", -1),), limit=1, fields={"_id": 1})
            highest[chain] = int(str(found[0]["_id"]).rpartition("/")[2]) if found else 0
        return highest

    async def covering(self, chain: str, sequence: int) -> Checkpoint | None:
        """The first that covers this record; None if it is not signed yet."""
        within = {"$gte": place_of(chain, sequence), "$lt": f"{chain}0"}
        async for document in self._checkpoints.walk({"_id": within}):
            if (found := checkpoint_in(document)) is not None:
                return found
        return None

    async def keep(self, checkpoints: Sequence[Checkpoint]) -> None:
        await self._checkpoints.insert(
            [{"_id": one.id, "json": one.json_bytes().decode()} for one in checkpoints], ordered=False
        )

    async def append_to_file(self, checkpoints: Sequence[Checkpoint]) -> None:
        """One line a checkpoint, forced to disk. Raises MayPass for what the disk refuses."""
        lines = b"".join(one.json_bytes() + b"\n" for one in checkpoints)
        try:
            await asyncio.to_thread(_append, self.file, lines)
        except OSError as problem:
            raise MayPass(f"{self.file.name}: {problem.strerror}") from problem

    async def walk(self) -> AsyncIterator[tuple[str, Checkpoint | None]]:
        """Each place, and the checkpoint there; None if what lies there is none."""
        async for one in self._checkpoints.walk({}):
            yield str(one["_id"]), checkpoint_in(one)

    def from_file(self) -> list[Checkpoint]:
        """Those in the file; a line that a crash cut short is left out. Raises OSError for a file that is no file."""
        return checkpoints_in(self.file.read_bytes().splitlines()) if self.file.exists() else []


def checkpoint_in(document: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint that this document holds; None if somebody made something else of it."""
    try:
        return Checkpoint.model_validate_json(document["json"])
    except (ValueError, KeyError):
        return None


def public_key_in(document: Mapping[str, Any]) -> bytes | None:
    """The public key that this document holds; None if somebody made something else of it."""
    try:
        public = bytes.fromhex(document["public"])
    except (ValueError, KeyError, TypeError):
        return None
    return public if len(public) == KEY_BYTES else None


def checkpoints_in(lines: Sequence[bytes]) -> list[Checkpoint]:
    """Checkpoints from lines of JSON; what is none is left out."""
    found: list[Checkpoint] = []
    for line in lines:
        try:
            found.append(Checkpoint.model_validate_json(line))
        except ValueError:
            continue
    return found


def _append(path: Path, lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                lines = b"\n" + lines  # a crash cut the last line short: it stays alone in that
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
