"""The clock of this process, for `clock run` and for a worker with a standby clock."""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Callable
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
from clock.ticker import ClockIdentity, ClockProcess, Release, release_of
from clock.timetable import Timetable

if TYPE_CHECKING:
    from clock.health.metrics import Metrics
    from clock.monitors.clock_reports import MonitoredEvents


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


def _monitored(timetable: Timetable, clock: SystemClock) -> MonitoredEvents | None:
    """The events that are reported to monitors; None: neither a provider nor an SDK is configured."""
    if not monitors.are_configured(os.environ):
        return None
    with own_imports():
        from clock.monitors.clock_reports import MonitoredEvents

    return MonitoredEvents(timetable, clock.now(), defines=bool(monitors.listeners))


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
    timetable = with_schedules(timetable, redis, config.require, import_jobs)
    monitored = _monitored(timetable, clock)
    timetable = monitored.timetable if monitored else timetable
    of_file = release_of(timetable.path, environ=os.environ, started=clock.now())
    process = ClockProcess(
        timetable,
        redis,
        lease_redis=patiently(lambda: connected(config)),
        identity=ClockIdentity(identity(), of_file, about_clock(of_file, timetable, clock)),
        machine=SystemClock(),
        on_stuck=on_stuck,
    )
    if monitored:
        with own_imports():
            from clock.monitors.clock_reports import clock_reports, senders_of

        senders = senders_of(os.environ, SystemClock())
        process.listen(clock_reports(monitored, senders.put))
        atexit.register(senders.stop)
    if statsd := statsd_in(os.environ, SystemClock()):
        process.listen(statsd.note_decision)
        atexit.register(statsd.flush)
    if metrics:
        process.listen(metrics.count_firings())
        metrics.watch_clock(process)
    return process
