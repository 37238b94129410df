"""The pytest plugin that pytest loads at each start: the names of the fixtures, and the option.

Test runs without a clock must not pay for the package. So the first test that uses a fixture imports it:
`clock.testing.plugin` implements the fixtures. The state of the run is here; `History` and `assert_timeline` read
it, if this module is loaded.

PYTEST_DONT_REWRITE: this module has no assertions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clock.rehearsal.job_modes import Collected
    from clock.store import Redis
    from clock.testing import FakeClock, History, World

is_updating = False  # whether `assert_timeline` writes its snapshots
histories: list[Any] | None = None  # the histories of the present test


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--clock-update`."""
    parser.getgroup("clock").addoption(
        "--clock-update", action="store_true", help="Rewrite the snapshots of clock.testing.assert_timeline."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Store `--clock-update`."""
    global is_updating  # a run has the process to itself
    is_updating = config.getoption("--clock-update")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Collect the histories of the test and of its fixtures."""
    global histories
    before, histories = histories, []
    yield
    histories = before


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """Add the firings of the clock files to the report of a failed test."""
    report = (yield).get_result()
    if report.failed and histories:
        from clock.testing.plugin import summary_lines

        report.sections += [("clock", "\n".join(summary_lines(history))) for history in histories]


@pytest.fixture
def clock_run() -> Callable[..., History]:
    """`clock.testing.run`: rehearse a clock file."""
    from clock.testing import run

    return run


@pytest.fixture
def fake_clock() -> Iterator[FakeClock]:
    """A clock at the start of 2026, in UTC; jobs that the test pushes get its time."""
    from clock.testing import plugin

    with plugin.fake_clock() as clock:
        yield clock


@pytest.fixture
def jobs() -> Iterator[Collected]:
    """Collects the jobs that the test pushes: `jobs.payloads`, `jobs.jobs(SomeJob)`, `jobs.drain(SomeJob)`."""
    from clock.testing import plugin

    with plugin.collected() as jobs:
        yield jobs


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    """`clock.testing.world`: the worlds that a test makes are closed after it."""
    from clock.testing import plugin

    with plugin.worlds() as make:
        yield make


@pytest.fixture(scope="session")
def _embedded_clock_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    from clock.testing import plugin

    with plugin.server(tmp_path_factory.mktemp("clock")) as redis:
        yield redis


@pytest.fixture
def embedded_redis(_embedded_clock_redis: Redis) -> Iterator[Redis]:
    """An empty Valkey for the test session; `perform_async` pushes to it."""
    from clock.testing import plugin

    with plugin.emptied(_embedded_clock_redis):
        yield _embedded_clock_redis
