"""A guest whose sponsor left: nobody answers for them any more."""

from __future__ import annotations

from dataclasses import dataclass

from services.review.recommend.advice import Recommendation, counted


@dataclass(frozen=True, slots=True)
class Sponsors:
    """Needs: `userType` and `sponsors` of the person (PERSON_FACTS); of each sponsor whether they still work here
    (PERSON_FACTS, not left); of a group, whether it is there (GROUP_FACTS). Those of a connected organisation too."""

    of_guest: bool
    named: int
    there: int
    """Those of them who still work here."""


def sponsor_left(sponsors: Sponsors) -> Recommendation:
    """`sponsorThere`, `sponsorLeft`; without information `noGuest`, `noSponsorNamed`."""
    if not sponsors.of_guest:
        return Recommendation("noInfoAvailable", "noGuest", "Not a guest: nobody sponsors them.")
    if sponsors.named == 0:
        return Recommendation("noInfoAvailable", "noSponsorNamed", "A guest for whom no sponsor is named.")
    figures = {"sponsors": sponsors.named, "sponsorsThere": sponsors.there}
    if sponsors.there == 0:
        who = "Their sponsor has" if sponsors.named == 1 else f"All {sponsors.named} sponsors of theirs have"
        return Recommendation("deny", "sponsorLeft", f"A guest. {who} left.", figures)
    words = f"A guest. {sponsors.there} of {counted(sponsors.named, 'sponsor')} still here."
    return Recommendation("approve", "sponsorThere", words, figures)
