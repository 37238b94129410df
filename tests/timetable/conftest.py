import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from clock.timetable import Event, Timetable, load
from tests.timetable.differential import TALLY

collect_ignore = ["every_construct"]  # a clock file holds no doctests, and is no module to be imported

HEAD = """
from datetime import datetime, time, timedelta; from functools import partial
from clock import DUE_AT, Job, configure, cron, error_handler, every, handler, on, repeat, rrule, sun, sync_events
from tests.timetable.jobs import NoJob, SendLetterJob, Waiter, act, give, holidays, stream, wait
"""


@pytest.fixture
def load_lines(tmp_path: Path) -> Callable[[str], Timetable]:
    """Load a clock file of these lines; the first of them is line 5."""

    def load_file(lines: str) -> Timetable:
        path = tmp_path / "clock.py"
        path.write_text(HEAD + textwrap.dedent(lines))
        return load(path)

    return load_file


@pytest.fixture
def declared(load_lines: Callable[[str], Timetable]) -> Callable[..., Event]:
    """The one event of a clock file of this declaration."""

    def declare(expression: str, tz: str = "America/New_York") -> Event:
        [event] = load_lines(f"configure(tz={tz!r})\n{expression}\n").events
        return event

    return declare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how much was compared with other libraries."""
    for what, cases in sorted(TALLY.items()):
        terminalreporter.write_line(f"{what}: {cases:,}")
