"""The key that signs the heads of the trail: read from a file, made in the data folder if there is none."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.decide.verify import Authentic, signed_bytes
from services.audit.model import Head, key_id_of, place_of
from shared.contracts.audit import Checkpoint

KEY_FILE = "audit-key.pem"


class NoSigningKey(Exception):
    """The key file cannot be read or holds no Ed25519 key."""


class SigningKey:
    """One Ed25519 key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.id = key_id_of(self.public)

    @property
    def public_pem(self) -> str:
        return (
            self._private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def sign(self, what: bytes) -> bytes:
        return self._private.sign(what)

    def checkpoint(self, chain: str, head: Head, at: datetime) -> Checkpoint:
        """The signed head of one chain."""
        blank = Checkpoint(
            id=place_of(chain, head.sequence),
            chain=chain,
            sequence=head.sequence,
            head=head.hash,
            at=at,
            key_id=self.id,
            signature="",
        )
        signature = base64.b64encode(self._private.sign(signed_bytes(blank))).decode()
        return blank.model_copy(update={"signature": signature})


def signing_key(configured: Path | None, data_dir: Path) -> SigningKey:
    """The key to sign with. Without `configured`: `audit-key.pem` in the data folder, made (0600) the first time.

    Raises NoSigningKey for a file that is not there though configured, or is no unencrypted Ed25519 key in PEM."""
    path = configured or data_dir / KEY_FILE
    if configured is None:
        _make(path)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise NoSigningKey(f"{path} cannot be read as an Ed25519 key in PEM ({type(problem).__name__}).") from problem
    if not isinstance(private, Ed25519PrivateKey):
        raise NoSigningKey(f"{path} holds another kind of key than Ed25519.")
    return SigningKey(private)


def _make(path: Path) -> None:
    """Whole or not at all, whoever else is making it: written aside, then linked to a name that nobody has yet."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass  # another process was first; its key it is
    finally:
        aside.unlink()


def authentic_by(public_keys: Mapping[str, bytes]) -> Authentic:
    """Whether a signature is genuine, by raw public keys; those whose id does not fit their key count for nothing."""
    known = {id: Ed25519PublicKey.from_public_bytes(raw) for id, raw in public_keys.items() if key_id_of(raw) == id}

    def authentic(key_id: str, signature: bytes, signed: bytes) -> bool | None:
        key = known.get(key_id)
        if key is None:
            return None
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            return False
        return True

    return authentic
