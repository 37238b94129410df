"""A clock on a machine whose wall clock is set: `python -m benchmarks.faults.stepping CLOCK_FILE STEP_FILE`.

STEP_FILE holds by how many seconds the wall clock is off, and is read whenever the time is asked.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from clock.cli.commands.running.run import about_clock
from clock.cli.opening import identity
from clock.clocks import SystemClock
from clock.log import configure_logging
from clock.shutdown import handling
from clock.store.server.connection import connect, set_default
from clock.ticker import ClockIdentity, ClockProcess, release_of
from clock.timetable import load


class SteppingClock(SystemClock):
    """The machine's clock, as somebody sets it."""

    def __init__(self, step_file: Path) -> None:
        super().__init__()
        self._step_file = step_file

    def now(self) -> datetime:
        """The present instant, as this machine has it."""
        return super().now() + timedelta(seconds=float(self._step_file.read_text() or 0))


def main(clock_file: str, step_file: str) -> None:
    """Run the clock until it is stopped."""
    configure_logging("text", "info")
    timetable = load(clock_file)
    redis = connect()
    set_default(redis)
    of_file = release_of(Path(clock_file), environ=os.environ, started=SystemClock().now())
    process = ClockProcess(
        timetable,
        redis,
        lease_redis=connect(),
        identity=ClockIdentity(identity(), of_file, about_clock(of_file, timetable, SystemClock())),
        machine=SteppingClock(Path(step_file)),
    )
    with handling({signal.SIGTERM: process.stop}):
        process.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
