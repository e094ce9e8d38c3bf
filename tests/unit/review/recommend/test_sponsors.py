"""A guest whose sponsor left."""

import pytest

from services.review.recommend.sponsors import Sponsors, sponsor_left


@pytest.mark.parametrize(
    ("sponsors", "decision", "reason", "words"),
    [
        (Sponsors(True, 1, 0), "deny", "sponsorLeft", "A guest. Their sponsor has left."),
        (Sponsors(True, 3, 0), "deny", "sponsorLeft", "A guest. All 3 sponsors of theirs have left."),
        (Sponsors(True, 3, 1), "approve", "sponsorThere", "A guest. 1 of 3 sponsors still here."),
        (Sponsors(True, 1, 1), "approve", "sponsorThere", "A guest. 1 of 1 sponsor still here."),
        (Sponsors(True, 0, 0), "noInfoAvailable", "noSponsorNamed", "A guest for whom no sponsor is named."),
        (Sponsors(False, 1, 0), "noInfoAvailable", "noGuest", "Not a guest: nobody sponsors them."),
    ],
)
def test_a_guest_whose_sponsors_have_all_left_is_denied(
    sponsors: Sponsors, decision: str, reason: str, words: str
) -> None:
    said = sponsor_left(sponsors)
    assert (said.decision, said.reason, said.words) == (decision, reason, words)
