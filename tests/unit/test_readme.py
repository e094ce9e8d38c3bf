"""What the README says of the settings and commands is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from shared.settings import settings_table

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def test_the_settings_are_those_of_the_code() -> None:
    assert settings_table() in README


def test_every_make_target_it_names_is_there() -> None:
    makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text()
    named = set(re.findall(r"`make (\w+)", README)) | set(re.findall(r"^    make (\w+)$", README, re.MULTILINE))
    assert named
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)
