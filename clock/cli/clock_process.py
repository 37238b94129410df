"""The clock of this process, for `clock run` and for a worker with a standby clock."""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clock import monitors
from clock.cli.opening import identity, patiently
from clock.clocks import SystemClock, to_ms
from clock.config import Config
from clock.health.statsd import statsd_in
from clock.import_path import own_imports
from clock.inspection.events.schedules import with_schedules
from clock.job.registry import import_jobs
from clock.store import Redis
from clock.store.ledger.clock_register import AboutClock
from clock.store.server.opening import connected, redis_clock
from clock.ticker import ClockIdentity, ClockProcess, Release, Signature, release_of
from clock.timetable import Timetable

if TYPE_CHECKING:
    from clock.health.metrics import Metrics


def release(clock_file: Path, clock: SystemClock) -> Release:
    """The release that this process runs."""
    return release_of(clock_file, environ=os.environ, started=clock.now())


def signature(release: Release) -> Signature:
    """The origin of decisions, for the history."""
    return Signature(host=socket.gethostname(), release=release.name)


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


def _with_definitions(timetable: Timetable, clock: SystemClock) -> Timetable:
    """The timetable with the definitions of its monitors, if an SDK in this process reports to them."""
    if not monitors.listeners or not any(event.monitor for event in timetable.events):
        return timetable
    with own_imports():
        from clock.monitors.clock_reports import with_definitions

    return with_definitions(timetable, clock.now())


def clock_process(
    config: Config,
    timetable: Timetable,
    redis: Redis,
    on_stuck: Callable[[], object] = lambda: None,
    metrics: Metrics | None = None,
) -> ClockProcess:
    """The clock of a timetable for this process, with `metrics` if given.

    It opens a second connection, for the lease. Waits for Redis as `patiently` does.
    """
    clock = patiently(lambda: redis_clock(redis))
    timetable = with_schedules(_with_definitions(timetable, clock), redis, config.require, import_jobs)
    of_file = release(timetable.path, clock)
    process = ClockProcess(
        timetable,
        redis,
        lease_redis=patiently(lambda: connected(config)),
        identity=ClockIdentity(identity(), of_file, about_clock(of_file, timetable, clock)),
        machine=SystemClock(),
        on_stuck=on_stuck,
    )
    if any(event.monitor for event in timetable.events) and monitors.are_configured(os.environ):
        with own_imports():
            from clock.monitors.clock_reports import clock_reports, senders_of

        senders = senders_of(os.environ, SystemClock())
        process.listen(clock_reports(timetable, senders.put))
        atexit.register(senders.stop)
    if statsd := statsd_in(os.environ, SystemClock()):
        process.listen(statsd.note_decision)
        atexit.register(statsd.flush)
    if metrics:
        process.listen(metrics.count_firings())
        metrics.watch_clock(process)
    return process
