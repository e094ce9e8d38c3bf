"""What can go wrong, told apart where it is raised: may it pass, or will it not?"""

from __future__ import annotations

from collections.abc import Collection

TOO_LARGE = "tooLarge"
"""Code of what is larger than a record may be, or would make something that is."""


class MayPass(Exception):
    """A server is away or slow. Retried with backoff; holds the partition and turns readiness red."""


class WillNotPass(Exception):
    """This very message can never be handled. It goes to the dead letters, with the reason, and the rest goes on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StateLost(Exception):
    """Services have read from Kafka, and what they made of it is gone: they would go on as if nobody were known."""

    def __init__(self, services: Collection[str]) -> None:
        super().__init__(
            f"MongoDB holds nothing of {', '.join(sorted(services))}, though Kafka knows how far they had read. "
            "So it was emptied, or is another one. Bring its data back. If it is lost for good, begin anew with an "
            "empty Kafka, too, and have the sources send what they know."
        )


class GivenUp(Exception):
    """A batch could not be finished in the time that a consumer may keep it: it is read again later."""
