"""The clock of a process: `clock run`, and the standby clock of `clock worker --with-clock`."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from clock import monitors
from clock.cli.health_port import health, metrics_if_installed
from clock.cli.opening import identity, patiently
from clock.cli.options import GivenPath, health_options, setting_option, settings, shared_options
from clock.cli.reloading import reload_option
from clock.cli.stopping import Stopping, end_processes, leave
from clock.cli.timetables import in_its_folder, timetable_to_run
from clock.clocks import SystemClock, to_ms
from clock.config import Config
from clock.errors import StoreError
from clock.health.statsd import statsd_in
from clock.import_path import own_imports
from clock.inspection.events.schedules import with_schedules
from clock.job.push.client import using_clock
from clock.job.registry import import_jobs
from clock.log import log_to
from clock.shutdown import handling
from clock.store import Redis
from clock.store.ledger.clock_register import AboutClock
from clock.store.ledger.decision import Decision
from clock.store.server.connection import set_default
from clock.store.server.opening import connected, redis_clock
from clock.ticker import STOP_SECONDS, ClockIdentity, ClockProcess, Release, release_of
from clock.timetable import Timetable

if TYPE_CHECKING:
    from clock.health.metrics import Metrics

PUSH_CONNECTIONS = 10  # at most, for pushes from threads and conditions of the clock file; opened when needed


@click.command()
@click.argument("clock_file", required=False, type=GivenPath())
@setting_option("schedule_file")
@health_options
@reload_option
@shared_options
@click.pass_obj
def run(begun: Callable[[], object] | None, /, **options: Any) -> None:
    """Run the clock: run the events of CLOCK_FILE (default: lib/clock.py) when they are due.

    Several clocks may run at once: one of them leads, and each run is enqueued once.

    TERM and HUP wait up to 10 s for running actions, then hand over to another clock. INT, QUIT and a second
    TERM do not wait. USR1 logs the timetable.

    \b
    Example: python -m clock lib/clock.py
    """
    config = settings(**options)
    timetable = timetable_to_run(config)
    if timetable.settings.logger is not None:
        log_to(timetable.settings.logger)
    redis = patiently(lambda: connected(config))
    for_pushes = patiently(lambda: connected(config, PUSH_CONNECTIONS))
    for_pushes.connection_pool.disconnect()  # until a push needs a connection
    set_default(for_pushes)
    metrics = metrics_if_installed(redis, SystemClock()) if config.health_port else None
    process = clock_process(config, timetable, redis, on_stuck=leave, metrics=metrics)
    stopping = Stopping(process.stop, lambda: process.stop(0), patience_seconds=STOP_SECONDS, clock=SystemClock())
    signals = {
        **stopping.handlers(),
        signal.SIGINT: stopping.ask_now,  # Ctrl-C does not wait for actions
        signal.SIGUSR1: process.log_timetable,
    }
    with handling(signals), health(config, redis, metrics, clock=process), using_clock(process.clock):
        if begun:  # by the caller of the command, which waits for it
            begun()
        in_its_folder(timetable)
        process.run()
    end_processes()


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
