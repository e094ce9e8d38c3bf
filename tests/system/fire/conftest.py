"""One run and one company for each file, fed in portions: each test plays on from where the one before it left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.system.fire.ground import Ground, ground_in


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def the_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Everything up, with the movers there."""
    async with ground_in(tmp_path_factory.mktemp("fire")) as found:
        await found.move(24)
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def ground(the_ground: Ground) -> Ground:
    """With all services up, whatever became of the test before; where they do not come up, no later test waits."""
    if the_ground.lost:
        pytest.fail(f"The ground was lost before this test: {the_ground.lost}", pytrace=False)
    try:
        await the_ground.restore()
    except BaseException as problem:
        the_ground.lost = f"{type(problem).__name__}: {problem}"
        raise
    return the_ground
