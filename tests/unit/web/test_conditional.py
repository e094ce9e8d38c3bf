"""What If-Match names."""

import pytest

from shared.web.conditional import version_named
from shared.web.errors import BadRequest, PreconditionFailed


@pytest.mark.parametrize(
    ("if_match", "version"), [(None, None), ("*", None), ('W/"3"', 3), ('"3"', 3), (' W/"7" ', 7), ('"2", *', None)]
)
def test_a_version_is_named_by_its_etag(if_match: str | None, version: int | None) -> None:
    assert version_named(if_match) == version


@pytest.mark.parametrize("if_match", ['"abc"', "", '""', '"-1"', '"٣"', '"99999999999999999999"'])
def test_what_was_never_an_etag_of_ours_matches_nothing(if_match: str) -> None:
    with pytest.raises(PreconditionFailed):
        version_named(if_match)


def test_a_decision_takes_one_version() -> None:
    with pytest.raises(BadRequest, match="one ETag"):
        version_named('"2", W/"3"')
