"""`clock worker`: runs jobs, in one process or in several with one health port."""

from __future__ import annotations

import atexit
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from clock import monitors
from clock.cli import program
from clock.cli.health_port import (
    FOLDER_VARIABLE,
    environment_of_children,
    health,
    health_of_children,
    metrics_if_installed,
    notifying_systemd,
)
from clock.cli.opening import identity, patiently
from clock.cli.options import GivenPath, health_options, settings, shared_options, worker_options
from clock.cli.output import echo
from clock.cli.reloading import reload_option
from clock.cli.stopping import EXIT_SECONDS, Stopping, end_processes, leave
from clock.clocks import SystemClock
from clock.config import Config
from clock.config.setting_types import DEFAULT_CAPSULE
from clock.errors import WorkerStuck
from clock.health.probes import launcher_complaints
from clock.health.statsd import statsd_in
from clock.import_path import own_imports
from clock.job.payload import seconds
from clock.job.push.client import using_clock
from clock.job.registry import import_jobs
from clock.printable import shortened_list
from clock.shutdown import handling
from clock.store import Redis, listing
from clock.store.jobs.dead import DeadLimits
from clock.store.jobs.delayed import Delayed, earliest
from clock.store.server.connection import server_url, set_default
from clock.store.server.opening import connected, redis_clock
from clock.worker import Launcher, Queue, Worker, WorkerOptions
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink, heartbeat_link
from clock.worker.heartbeat.heartbeat_process import Assignment
from clock.worker.launcher import own_capsule, parent_pid, reporting_to_launcher
from clock.worker.limits import check_memory
from clock.worker.shard_post import ShardPost, shard_post

if TYPE_CHECKING:
    from clock.health.metrics import Metrics
    from clock.ticker import ClockProcess


LAUNCHER_SECONDS = 0.75  # a launcher ends after its processes, which it kills first

logger = logging.getLogger("clock.cli")


@click.command()
@worker_options
@click.option("--burst", is_flag=True, help="Run the jobs that are in the queues, then exit with code 0.")
@health_options
@click.option(
    "--with-clock",
    type=GivenPath(),
    metavar="CLOCK_FILE",
    help="Also run a standby clock in this worker.",
)
@reload_option
@shared_options
def worker(with_clock: Path | None, burst: bool, **options: Any) -> None:
    """Run jobs.

    Imports every module under the jobs folder. Takes jobs from the queues in the given order, or by weight.

    \b
    Example: python -m clock worker -r jobs -c 10 -p 2 -q critical,4 -q default,1
    """
    if burst and with_clock:
        raise click.UsageError("--burst ends the worker, and --with-clock needs a worker that goes on: use one.")
    config = settings(**options)
    capsule, has_shards = own_capsule(), config.shards > 1 or config.redis_urls
    if capsule is not None:
        config = _for_capsule(config, capsule)
    elif config.processes > 1 or config.capsules or has_shards or config.max_jobs or config.max_memory:
        if burst:  # a process for each shard: all must be emptied
            shards = max(config.shards, len(config.redis_urls))
            config = replace(config, processes=max(config.processes, shards))
        sys.exit(_run_several(config))
    with heartbeat_link(clock=SystemClock()) as link:
        _work(config, with_clock, burst, link)


def _work(config: Config, with_clock: Path | None, burst: bool, link: HeartbeatLink) -> None:
    """Load the application and run its jobs, with a heartbeat process that does not load it."""
    faulthandler.enable(sys.__stderr__ or 2)  # a frozen worker that is killed writes its threads' tracebacks
    import_jobs(*config.require)
    check_memory(config.max_memory)
    home = patiently(lambda: connected(config, config.concurrency + 2))
    set_default(home)
    chosen = _options(config, burst)
    post = patiently(lambda: shard_post(home, chosen))
    redis = post.redis if post else home
    clock = patiently(lambda: redis_clock(redis))
    folder = os.environ.pop(FOLDER_VARIABLE, None)  # a process that a job starts is not a child of the launcher
    metrics = metrics_if_installed(home, clock, is_child=folder is not None) if config.health_port else None
    name = identity()
    listeners = [metrics.count_jobs()] if metrics else []
    if statsd := statsd_in(os.environ, SystemClock()):
        listeners.append(statsd.note_run)
        atexit.register(statsd.flush)
    if burst and chosen.parent_pid is None:
        _report_empty(redis, chosen, seconds(clock.now()))
    process = Worker(redis, chosen, identity=name, clock=clock, link=link, listeners=listeners, post=post)
    link.assign(_assignment(config, name, post))
    stopping = Stopping(
        process.stop,
        process.stop_now,
        patience_seconds=config.stop_timeout,
        clock=SystemClock(),
        by_launcher=chosen.parent_pid is not None,
    )
    signals = {**stopping.handlers(), signal.SIGTSTP: process.quiet, signal.SIGTTIN: process.dump_threads}
    with (
        _leaving(process),
        using_clock(clock),
        handling(signals),
        _standby(with_clock, config, metrics, stopping, process) as standby,
        health(config, home, metrics, clock=standby, worker=process, parents=Path(folder) if folder else None),
        reporting_to_launcher(lambda: process.is_renewed),
        _reporting_to_monitors(),
    ):
        process.run()


def _options(config: Config, burst: bool) -> WorkerOptions:
    return WorkerOptions(
        tuple(Queue(name, weight) for name, weight in config.queues),
        config.concurrency,
        config.stop_timeout,
        config.heartbeat,
        parent_pid(),
        max_retries=config.max_retries,
        dead=DeadLimits(config.dead_max_jobs, config.dead_timeout),
        max_jobs=config.max_jobs,
        max_memory_mb=config.max_memory,
        burst=burst,
    )


def _report_empty(redis: Redis, options: WorkerOptions, now: float) -> None:
    """Print that no job waits in the queues of a burst: it would end silently if a name is misspelled."""
    delayed = Delayed(redis)
    if earliest(delayed.first_due()) <= now or delayed.parked_classes():  # they come to their queues at the start
        return
    names, known = [queue.name for queue in options.queues], listing.queue_names(redis)
    if any(end is None or end[0] for end in listing.queue_ends(redis, names)):
        return
    unknown = shortened_list([name for name in names if name not in known])
    note = f"; unknown: {unknown}; known: {shortened_list(sorted(known)) or 'none'}" if unknown else ""
    echo(f"clock: no job waits in the queues {shortened_list(names)}{note}", err=True)


def _assignment(config: Config, name: str, post: ShardPost | None) -> Assignment:
    return Assignment(
        identity=name,
        redis_url=post.address.url if post else server_url(config.redis),
        namespace=post.address.namespace if post else config.namespace or "",
        beat_seconds=config.heartbeat,
        frozen_seconds=config.frozen_timeout,
        log_format=config.log_format,
        log_level=config.log_level,
    )


@contextmanager
def _leaving(process: Worker) -> Iterator[None]:
    """End with the block, even if jobs still run, which were put back: Python would wait for their threads."""
    exit_code = 0
    try:
        yield
    except WorkerStuck as error:
        if not process.runs_jobs:
            raise
        echo(f"clock: {error}", err=True)
        exit_code = error.exit_code
    if process.runs_jobs:
        leave(exit_code)
    end_processes()


def _standby(
    clock_file: Path | None, config: Config, metrics: Metrics | None, stopping: Stopping, process: Worker
) -> AbstractContextManager[ClockProcess | None]:
    """A standby clock in this worker, if there is a clock file. A worker alone loads no code of clocks."""
    if clock_file is None:
        return nullcontext()
    with own_imports():
        from clock.cli.commands.running.run import standing_by

    return standing_by(replace(config, clock_file=clock_file), metrics, stopping, on_failure=process.stop)


def _reporting_to_monitors() -> AbstractContextManager[None]:
    """Report jobs to the providers of monitors, whose code is loaded only if the environment names one."""
    if not monitors.are_configured(os.environ):
        return nullcontext()
    with own_imports():
        from clock.monitors.job_reports import reporting_jobs

    return reporting_jobs(os.environ, SystemClock())


def _run_several(config: Config) -> int:
    """Run this command in several processes. Returns the exit code."""
    for capsule in config.capsules:
        logger.info("Starting %d processes for the capsule %s", config.processes, capsule)
    command = program.command([*sys.argv[1:], "--processes", "1"])  # the last one counts
    has_port = config.health_port is not None
    with TemporaryDirectory(prefix="clock-health-") if has_port else nullcontext() as folder:
        launcher = Launcher(
            command,
            config.processes,
            capsules=[DEFAULT_CAPSULE, *(capsule.name for capsule in config.capsules)],
            stop_timeout_seconds=config.stop_timeout,
            clock=SystemClock(),
            environ=environment_of_children(folder),
        )
        stopping = Stopping(
            launcher.stop,
            launcher.stop_now,
            patience_seconds=config.stop_timeout,
            exit_seconds=EXIT_SECONDS + LAUNCHER_SECONDS,
            clock=SystemClock(),
        )
        signals = {**launcher.handlers(), **stopping.handlers()}
        with (
            handling(signals),
            health_of_children(config, folder, lambda: launcher.pids),
            notifying_systemd(lambda: launcher_complaints(launcher.seconds_since_look)),
        ):
            return launcher.run()


def _for_capsule(config: Config, name: str) -> Config:
    """The settings of a process that a launcher started for the capsule of this name."""
    alone = replace(config, processes=1, capsules=())
    for capsule in config.capsules:
        if capsule.name == name:
            return replace(alone, queues=capsule.queues, concurrency=capsule.concurrency or config.concurrency)
    return alone
