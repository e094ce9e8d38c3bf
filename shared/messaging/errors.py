"""What can go wrong, told apart where it is raised: may it pass, or will it not?"""

from __future__ import annotations


class MayPass(Exception):
    """A server is away or slow. Retried with backoff; holds the partition and turns readiness red."""


class WillNotPass(Exception):
    """This very message can never be handled. It goes to the dead letters, with the reason, and the rest goes on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class GivenUp(Exception):
    """A batch could not be finished in the time that a consumer may keep it: it is read again later."""
