"""The clock of this process, for `clock run` and for a worker with a standby clock."""

from __future__ import annotations

import atexit
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clock import monitors
from clock.cli.opening import identity, patiently
from clock.cli.stopping import Stopping
from clock.cli.timetables import in_its_folder, timetable_to_run
from clock.clocks import SystemClock, to_ms
from clock.config import Config
from clock.errors import StoreError
from clock.health.statsd import statsd_in
from clock.import_path import own_imports
from clock.inspection.events.schedules import with_schedules
from clock.job.registry import import_jobs
from clock.store import Redis
from clock.store.ledger.clock_register import AboutClock
from clock.store.ledger.decision import Decision
from clock.store.server.opening import connected, redis_clock
from clock.ticker import STOP_SECONDS, ClockIdentity, ClockProcess, Release, release_of
from clock.timetable import Timetable

if TYPE_CHECKING:
    from clock.health.metrics import Metrics


def about_clock(release: Release, timetable: Timetable, clock: SystemClock) -> AboutClock:
    """The constant part of a clock's heartbeat."""
    return AboutClock(
        host=socket.gethostname(),
        pid=os.getpid(),
        release=release.name,
        started_at=to_ms(clock.now()),
        events=len(timetable.events),
        skew_ms=round(clock.offset.total_seconds() * 1000),
    )


def clock_process(
    config: Config,
    timetable: Timetable,
    redis: Redis,
    on_stuck: Callable[[], object] = lambda: None,
    metrics: Metrics | None = None,
) -> ClockProcess:
    """The clock of a timetable for this process. Opens a second connection, for the lease; waits for Redis."""
    clock = patiently(lambda: redis_clock(redis))
    timetable = with_schedules(timetable, redis, config.require, import_jobs)
    listeners: list[Callable[[Decision], object]] = []
    if monitors.are_configured(os.environ):  # a provider or an SDK
        with own_imports():
            from clock.monitors.clock_reports import MonitoredEvents, clock_reports, senders_of

        monitored = MonitoredEvents(timetable, clock.now(), defines=bool(monitors.listeners))
        timetable, senders = monitored.timetable, senders_of(os.environ, SystemClock())
        listeners.append(clock_reports(monitored, senders.put))
        atexit.register(senders.stop)
    if statsd := statsd_in(os.environ, SystemClock()):
        listeners.append(statsd.note_decision)
        atexit.register(statsd.flush)
    of_file = release_of(timetable.path, environ=os.environ, started=clock.now())
    process = ClockProcess(
        timetable,
        redis,
        lease_redis=patiently(lambda: connected(config)),
        identity=ClockIdentity(identity(), of_file, about_clock(of_file, timetable, clock)),
        machine=SystemClock(),
        on_stuck=on_stuck,
    )
    if metrics:
        listeners.append(metrics.count_firings())
        metrics.watch_clock(process)
    for listener in listeners:
        process.listen(listener)
    return process


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
