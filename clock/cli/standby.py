"""A standby clock in a worker, for `clock worker --with-clock`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clock.cli.clock_process import clock_process
from clock.cli.opening import patiently
from clock.cli.stopping import Stopping
from clock.cli.timetables import in_its_folder, timetable_to_run
from clock.config import Config
from clock.errors import StoreError
from clock.store.server.opening import connected
from clock.ticker import STOP_SECONDS, ClockProcess

if TYPE_CHECKING:
    from clock.health.metrics import Metrics


@contextmanager
def standing_by(
    config: Config, metrics: Metrics | None, stopping: Stopping, *, on_failure: Callable[[], object]
) -> Iterator[ClockProcess]:
    """Also run the clock of `config.clock_file`, on its own thread and with two connections.

    `on_failure` is called if Redis refuses what the clock needs; the StoreError is raised at the end of the block.
    """
    timetable = timetable_to_run(config)
    redis = patiently(lambda: connected(config))
    ended = threading.Event()  # or its action does not end, and the lease has been given back
    process = clock_process(config, timetable, redis, on_stuck=ended.set, metrics=metrics)
    in_its_folder(timetable)
    refusals: list[StoreError] = []

    def run() -> None:
        try:
            process.run()
        except StoreError as error:
            refusals.append(error)
            on_failure()
        finally:
            ended.set()

    threading.Thread(target=run, name="clock", daemon=True).start()
    patience = min(STOP_SECONDS, config.stop_timeout)  # the process is killed soon after the end of its jobs
    stopping.add(lambda: process.stop(patience), lambda: process.stop(0))
    try:
        yield process
    finally:
        process.stop(patience)
        ended.wait()
    for refusal in refusals:
        raise refusal
