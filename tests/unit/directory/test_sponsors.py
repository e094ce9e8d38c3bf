"""Who answers for a guest: added and removed one by one, each on top of what is true when it is decided."""

from dataclasses import replace

import pytest

from services.directory import decide
from services.directory.decide.sponsors import SetSponsor
from services.directory.properties import MOST_ITEMS, SPONSORS, cleaned
from services.directory.sources import API
from shared.messaging.decision import Decision

from .people import CAUSE, Ana, Person, types

EVA, BOB = "6f3c1f2e-0000-4000-8000-00000000000a", "6f3c1f2e-0000-4000-8000-00000000000b"


class Guest(Ana):
    def __init__(self) -> None:
        super().__init__()
        self.hears(source=API, employeeId="ana", kind="joined", attributes={"userType": "Guest"})

    def sponsor(self, id: str, stands: bool = True) -> Decision[Person]:
        self.offset += 1
        at = replace(self.at(), cause=CAUSE.model_copy(update={"id": f"asked-{self.offset}"}))
        return self._keep(decide.sponsors.wish(self.state, SetSponsor("ana", id, stands), at))

    @property
    def sponsors(self) -> object:
        return self.attributes.get(SPONSORS)


def test_sponsors_are_added_and_removed_one_by_one() -> None:
    ana = Guest()
    assert types(ana.sponsor(EVA)) == ["PersonChanged"]
    ana.sponsor(BOB)
    assert ana.sponsors == [EVA, BOB]
    ana.sponsor(EVA, stands=False)
    assert ana.sponsors == [BOB]
    ana.sponsor(BOB, stands=False)
    assert ana.sponsors is None


@pytest.mark.parametrize(("stands", "code"), [(True, "alreadyReferenced"), (False, "ResourceNotFound")])
def test_what_is_so_already_is_refused(stands: bool, code: str) -> None:
    ana = Guest()
    if stands:
        ana.sponsor(EVA)
    decision = ana.sponsor(EVA, stands=stands)
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.transitions) == (code, ())


def test_nobody_has_endlessly_many() -> None:
    ana = Guest()
    ids = [f"6f3c1f2e-0000-4000-8001-{n:012x}" for n in range(MOST_ITEMS)]
    ana.hears(source=API, employeeId="ana", changeId="many", attributes={SPONSORS: ids})
    decision = ana.sponsor(EVA)
    assert decision.refusal is not None
    assert decision.refusal.code == "tooMany"


def test_a_source_that_knows_the_ids_may_state_them() -> None:
    clean, problems = cleaned({SPONSORS: [EVA.upper(), EVA]})
    assert (clean, problems) == ({SPONSORS: [EVA]}, ())
    for unfit in ("eva", ["eva"], [7], [EVA] * (MOST_ITEMS + 1)):
        clean, problems = cleaned({SPONSORS: unfit})
        assert (clean, [code for _, code, _ in problems]) == ({}, ["invalidProperty"]), unfit
