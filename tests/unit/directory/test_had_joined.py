"""Whether somebody was here by a day: reviews of inactive people leave out who came since (REV-3)."""

from datetime import UTC, datetime

import pytest

from services.directory.timeline import FOLD_ABOVE, had_joined_by, to_ms

from .people import Ana

pytestmark = pytest.mark.spec("REV-3")


def by(ana: Ana, day: str) -> bool:
    assert ana.state is not None
    return had_joined_by(ana.state.timeline, to_ms(datetime.fromisoformat(day).replace(tzinfo=UTC)))


def test_the_day_they_joined_counts_and_not_when_it_was_heard() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2026-02-01")
    assert (by(ana, "2026-01-31"), by(ana, "2026-02-01")) == (False, True)


def test_a_joining_that_was_taken_back_is_none() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01")
    ana.hears(changeId="r", kind="rescinded", rescinds="j")
    assert not by(ana, "2026-01-01")
    ana.hears(changeId="j2", kind="joined", effectiveAt="2026-02-20")
    assert (by(ana, "2026-02-01"), by(ana, "2026-02-20")) == (False, True)


def test_of_whom_much_has_been_said_it_was_long_ago() -> None:
    ana = Ana()
    ana.hears(changeId="j", kind="joined", effectiveAt="2020-01-01")
    for number in range(FOLD_ABOVE + 1):
        ana.hears(changeId=f"c{number}", effectiveAt="2026-01-01", sequence=number, attributes={"city": str(number)})
    assert ana.state is not None
    assert ana.state.timeline.base is not None
    assert by(ana, "2025-12-01")
