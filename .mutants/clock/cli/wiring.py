"""The parts of commands: settings, connection, clock, names."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clock.clocks import SystemClock, to_ms
from clock.config import Config
from clock.errors import ConfigurationError, NoEvents, StoreError, StoreUnavailable
from clock.health.statsd import statsd_in
from clock.import_path import add_application
from clock.inspection.events.schedules import with_schedules
from clock.inspection.opening import connected as connected
from clock.inspection.opening import redis_clock as redis_clock
from clock.inspection.opening import redis_location as redis_location
from clock.monitors.providers import providers_in
from clock.monitors.reports import clock_reports
from clock.monitors.sender import Senders
from clock.rehearsal.sources import timetable_of
from clock.store import Redis, keys
from clock.store.key_types import wrong_keys
from clock.store.ledger.clock_register import AboutClock
from clock.store.server import embedded
from clock.ticker import ClockIdentity, ClockProcess, Release, Signature, release_of
from clock.timetable import Timetable
from clock.timetable.clock_file.loading.own_module import make_importable

if TYPE_CHECKING:
    from clock.health.metrics import Metrics

START_SECONDS = 10.0  # a starting process waits this long for Redis: a restart or a fail-over takes a few seconds
RETRY_SECONDS = 0.5
T = TypeVar("T")

logger = logging.getLogger("clock.cli")


def identity() -> str:
    """This process's name in Redis, in Sidekiq's form: host, process id, 12 hex digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


def patiently(start: Callable[[], T]) -> T:
    """Return what `start` returns. If a fault of Redis may pass, call `start` again for `START_SECONDS`.

    Raises what `start` raises: a StoreUnavailable only if Redis has been away for that long.
    """
    clock, never, is_logged = SystemClock(), threading.Event(), False
    give_up = clock.monotonic() + START_SECONDS
    while True:
        try:
            return start()
        except StoreUnavailable as error:
            if clock.monotonic() >= give_up:
                raise
            if not is_logged:
                logger.error("%s Trying again for %g s.", error, START_SECONDS)
            is_logged = True
        clock.wait(never, RETRY_SECONDS)


def connected_later(config: Config, max_connections: int) -> Redis:
    """Like `connected`, but without an open connection until a command needs one."""
    redis = connected(config, max_connections)
    redis.connection_pool.disconnect()
    return redis


def opened(config: Config, *, names_wrong_keys: bool = True) -> tuple[Redis, SystemClock]:
    """A connection for a command that reads or repairs, and Redis's time.

    With `names_wrong_keys`, a warning names keys of a wrong type, which commands skip. Raises StoreUnavailable,
    and ConfigurationError in a folder without an application: no embedded server is started there.
    """
    if not config.redis and not _is_application(config):
        raise ConfigurationError(
            f"no clock file, jobs or data in {Path.cwd()}: change to the application's folder, or set REDIS_URL"
        )
    redis = connected(config, 2)
    clock = redis_clock(redis)
    if names_wrong_keys:
        _name_wrong_keys(redis)
    return redis, clock


def _name_wrong_keys(redis: Redis) -> None:
    with suppress(StoreError):  # this user has no permission for it
        for wrong in wrong_keys(redis):
            if not wrong.name.startswith(keys.QUEUE):  # the lists of queues name those
                logger.warning("In Redis, %s: another program wrote it; rename or delete it", wrong)


def _is_application(config: Config) -> bool:
    data = embedded.files_of(Path.cwd()).home
    return bool(config.schedule) or any(path.exists() for path in (config.clock_file, *config.require, data))


def load_timetable(config: Config) -> Timetable:
    """The timetable of the clock file and of the YAML files, whose jobs are imported. Raises DeclarationError.

    The application's modules stay importable, for actions that import modules when they run.
    """
    add_application(config.clock_file)
    return timetable_of(config)


def all_events(config: Config, redis: Redis) -> Timetable:
    """The timetable with the schedules in Redis as one more source. Raises DeclarationError."""
    return with_schedules(load_timetable(config), redis, config.require)


def timetable_to_run(config: Config) -> Timetable:
    """The timetable of a starting clock; prepares the process for its functions.

    Raises DeclarationError, NoEvents.
    """
    timetable = load_timetable(config)
    if timetable.is_empty:
        raise NoEvents(timetable.path)
    make_importable(timetable)
    sys.argv = [str(config.clock_file)]  # for its functions, as for `python FILE`
    return timetable


def timetable_if_any(config: Config, *, is_named: bool) -> Timetable | None:
    """The timetable; None: nothing is declared, and no file was given. Raises DeclarationError."""
    return load_timetable(config) if is_named or config.clock_file.exists() or config.schedule else None


def release(clock_file: Path, clock: SystemClock) -> Release:
    """The release that this process runs."""
    return release_of(clock_file, environ=os.environ, started_ms=to_ms(clock.now()))


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
    timetable = with_schedules(timetable, redis, config.require)
    of_file = release(timetable.path, clock)
    process = ClockProcess(
        timetable,
        redis,
        lease_redis=patiently(lambda: connected(config)),
        identity=ClockIdentity(identity(), of_file, about_clock(of_file, timetable, clock)),
        machine=SystemClock(),
        on_stuck=on_stuck,
    )
    if any(event.monitor for event in timetable.events) and (providers := providers_in(os.environ)):
        sender = Senders(providers, SystemClock())
        process.listen(clock_reports(timetable, sender.put))
        atexit.register(sender.stop)
    if statsd := statsd_in(os.environ, SystemClock()):
        process.listen(statsd.note_decision)
        atexit.register(statsd.flush)
    if metrics:
        process.listen(metrics.count_firings())
        metrics.watch_clock(process)
    return process
