"""Ids that are derived from their cause, so that a repeated message names the same thing again."""

import uuid
from hashlib import sha1

# Never change it: every derived id in every database rests on it.
NAMESPACE = uuid.UUID("6f0b5c0e-3b1d-5b0a-9d53-7e6e75726574")
_NAMESPACE_BYTES = NAMESPACE.bytes


def derived_id(*parts: str | int) -> str:
    """UUID (version 5, lower case) of the parts, in their order.

    Each part is preceded by its length in characters, so that ("ab", "c") and ("a", "bc") differ; 1 and "1" are one.
    Start with the kind of thing (`derived_id("assignment", request_id)`), else one cause's offspring are all one.
    Raises ValueError without parts.
    """
    if not parts:
        raise ValueError("An id is derived from something.")
    texts = [str(part) for part in parts]
    name = "".join([f"{len(text)}:{text}" for text in texts])
    # uuid.uuid5 by hand, in a third of its time: every HR change derives some.
    digest = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
