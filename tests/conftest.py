"""What all tests share: one pair of real servers a session, and an honest word about what was left out."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from xdist.scheduler.loadfile import LoadFileScheduling

from deploy.embedded import CannotRunHere, Servers
from deploy.embedded import servers as run_servers

# How long an example takes says how busy the machine is, and nothing about us.
settings.register_profile("tenure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tenure")
pytest.register_assert_rewrite("tests")  # what a helper asserts says what it found, too

SHARED = Path(__file__).resolve().parents[2] / "shared"
LONGEST = (
    *("system/fire/test_under_fire.py", "system/test_openapi_document.py", "system/test_demo.py"),
    *("system/fire/test_without_each.py", "system/test_bench_smoke.py", "system/messaging/test_faults.py"),
    *("system/test_requests.py", "system/test_cli.py", "conformance/test_sdk_reviews.py"),
)
"""Files that begin first: whoever got one of them last would let the other workers wait."""
UNDER_FIRE = "tests/system/fire/"
_WHY_LEFT_OUT = "needs ../shared, which is not here"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Kafka and mongod, started once a session. A test that stops or kills one starts it again."""
    try:
        async with run_servers(tmp_path_factory.mktemp("servers"), kafka_heap_mb=384, mongo_cache_mb=256) as both:
            yield both
    except CannotRunHere as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with the design and the real data; for tests marked `needs_shared`."""
    return SHARED


class ByFile(LoadFileScheduling):
    """A file a worker; the files under fire one after another, for each of their grounds runs a dozen processes."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return UNDER_FIRE if file.startswith(UNDER_FIRE) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; skip what needs ../shared in a clone that stands alone."""
    place = {Path(__file__).parent / file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("needs_shared"):
            item.add_marker(pytest.mark.skip(reason=_WHY_LEFT_OUT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say last what was left out; `tests/run.sh` repeats these lines after the last of its runs."""
    left_out = sorted(
        report.nodeid
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and _WHY_LEFT_OUT in report.longrepr[2]
    )
    if not left_out:
        return
    terminalreporter.section("left out: ../shared is not here")
    for test in left_out:
        terminalreporter.write_line(test)
    if note := config.getoption("left_out_file"):
        with Path(note).open("a") as file:
            file.writelines(f"{test}\n" for test in left_out)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to note what was left out."""
    parser.addoption("--left-out-file", default=None, help="append the tests that were left out without ../shared")
