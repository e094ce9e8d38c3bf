"""Signs the heads of the chains at intervals and when the service stops, and hands the checkpoints out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog

from services.audit.model import Head
from services.audit.signing import SigningKey, signing_key
from services.audit.store.checkpoints import Checkpoints
from services.audit.store.trail import Trail
from shared.clock import Clock
from shared.contracts.audit import Checkpoint
from shared.contracts.topics import TRAIL_HEADS
from shared.messaging.envelope import enveloped
from shared.messaging.failpoints import Failpoints, Point
from shared.messaging.ports import Publisher
from shared.settings import Settings

log = structlog.get_logger(__name__)
LAST_SEAL_S = 5.0
LOOK_EVERY_S = 60.0
"""How often all chains are looked at for what others wrote: a replica that was killed signs its last records no
more."""


class Sealer:
    """One a process. Several replicas may sign the same head: each signature is true. What one wrote and did not
    live to sign is signed by the others, some time later."""

    def __init__(
        self,
        trail: Trail,
        checkpoints: Checkpoints,
        publisher: Publisher,
        clock: Clock,
        settings: Settings,
        failpoints: Failpoints,
    ) -> None:
        self._trail = trail
        self._checkpoints = checkpoints
        self._publisher = publisher
        self._clock = clock
        self._settings = settings
        self._failpoints = failpoints
        self._key: SigningKey | None = None
        self._signed: dict[str, int] = {}
        self._looked_at: float | None = None
        self._sealing = asyncio.Lock()

    @property
    def key(self) -> SigningKey:
        """Read, or made, when first asked for. Raises NoSigningKey."""
        if self._key is None:
            self._key = signing_key(self._settings.audit_key_file, self._settings.data_dir)
        return self._key

    async def seal(self, *, look: bool = False) -> list[Checkpoint]:
        """Sign what has grown since the last time; `look`: whoever wrote it, and now. Published and filed before it is
        stored as done, so that a crash between repeats it and loses none. Raises MayPass, NoSigningKey."""
        async with self._sealing:  # what is asked for while another is under way would be signed and filed twice
            return await self._seal(look)

    async def _seal(self, look: bool) -> list[Checkpoint]:
        if self._looked_at is None:
            await self._checkpoints.keep_key(self.key.id, self.key.public)
        of_others: dict[str, Head] = {}
        now, looked_at = time.monotonic(), self._looked_at
        if look or looked_at is None or now - looked_at >= LOOK_EVERY_S:
            of_others, looked_at = await self._trail.stored_heads(), now
            self._signed.update(await self._checkpoints.last(list(of_others)))
        at = self._clock.now()
        grown = [
            self.key.checkpoint(chain, head, at)
            for chain, head in sorted(_farthest(self._trail.heads, of_others).items())
            if head.sequence > self._signed.get(chain, 0)
        ]
        if grown:
            await self._publisher.publish(
                [
                    enveloped(
                        TRAIL_HEADS,
                        one.chain,
                        one.json_bytes(),
                        ce_id=one.id,
                        ce_type=one.ce_type,
                        source="audit",
                        at=at,
                        subject=one.chain,
                    )
                    for one in grown
                ]
            )
            self._failpoints.reach(Point.AFTER_PUBLISH, "audit")
            await self._checkpoints.append_to_file(grown)
            await self._checkpoints.keep(grown)
            self._signed.update((one.chain, one.sequence) for one in grown)
        self._looked_at = looked_at  # what was found is signed by now: else it is looked for again
        return grown

    async def run(self) -> None:
        """Seal every `audit_checkpoint_s`, and once more when stopped."""
        try:
            while True:
                await self.seal()
                await asyncio.sleep(self._settings.audit_checkpoint_s)
        except asyncio.CancelledError:
            try:
                # Of a batch in hand it may be that its records are written and its heads not yet known here.
                await asyncio.wait_for(self.seal(look=True), LAST_SEAL_S)
            except Exception as problem:
                # The next start signs what is left; only until then would a cut tail go unnoticed.
                log.warning("the trail was not sealed at the end", problem=type(problem).__name__)
            raise

    def public(self) -> dict[str, Any]:
        """The public key, for whoever verifies elsewhere."""
        return {
            "keyId": self.key.id,
            "algorithm": "Ed25519",
            "publicKey": self.key.public.hex(),
            "pem": self.key.public_pem,
        }


def _farthest(known: Mapping[str, Head], others: Mapping[str, Head]) -> dict[str, Head]:
    """Of each chain the head that lies farther."""
    return {
        chain: max(known.get(chain, Head()), others.get(chain, Head()), key=lambda head: head.sequence)
        for chain in known.keys() | others.keys()
    }
