"""A run that cannot start says why in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli.endpoints import CannotStart
from deploy.run.process import all_in_one
from shared.settings import Settings


async def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    there = tmp_path / "a-file"
    there.write_text("")
    for folder in (there, there / "below"):
        with pytest.raises(CannotStart, match=r"a-file.*: .*--data-dir"):
            async with all_in_one(Settings(data_dir=folder), (), print):
                pass
