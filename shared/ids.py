"""Ids that are derived from their cause, so that a repeated message names the same thing again."""

import uuid

# Never change it: every derived id in every database rests on it.
NAMESPACE = uuid.UUID("6f0b5c0e-3b1d-5b0a-9d53-7e6e75726574")


def derived_id(*parts: str | int) -> str:
    """UUID (version 5, lower case) of the parts, in their order.

    Each part is preceded by its length in characters, so that ("ab", "c") and ("a", "bc") differ; 1 and "1" are one.
    Start with the kind of thing (`derived_id("assignment", request_id)`), else one cause's offspring are all one.
    Raises ValueError without parts.
    """
    if not parts:
        raise ValueError("An id is derived from something.")
    texts = [str(part) for part in parts]
    return str(uuid.uuid5(NAMESPACE, "".join(f"{len(text)}:{text}" for text in texts)))
