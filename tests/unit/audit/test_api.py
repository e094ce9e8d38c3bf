"""What audit takes over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from services.audit.api import EraseIn, NewLogIn, moment_of
from shared.web.errors import BadRequest


def test_a_reason_that_stays_in_the_trail_is_not_blank() -> None:
    for blank in ("", " \n"):
        with pytest.raises(ValidationError):
            NewLogIn(reason=blank)
        with pytest.raises(ValidationError):
            EraseIn(reason=blank)
    assert (NewLogIn(reason=" the disk is gone ").reason, EraseIn().reason) == ("the disk is gone", "erasure request")


def test_when_is_a_day_or_a_moment_in_utc() -> None:
    assert (moment_of(None), moment_of("9999-12-31")) == (None, date(9999, 12, 31))
    for same in ("2026-03-01T09:00:00Z", "2026-03-01T10:00:00 01:00", "2026-03-01T09:00:00"):
        assert moment_of(same) == datetime(2026, 3, 1, 9, tzinfo=UTC)
    for none in ("soon", "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(BadRequest, match="is no date such as"):
            moment_of(none)
