"""What audit takes over HTTP."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.audit.api import EraseIn, NewLogIn


def test_a_reason_that_stays_in_the_trail_is_not_blank() -> None:
    for blank in ("", " \n"):
        with pytest.raises(ValidationError):
            NewLogIn(reason=blank)
        with pytest.raises(ValidationError):
            EraseIn(reason=blank)
    assert (NewLogIn(reason=" the disk is gone ").reason, EraseIn().reason) == ("the disk is gone", "erasure request")
