"""`clock run`: the clock."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import click

from clock.cli.clock_process import clock_process
from clock.cli.health_port import health, metrics_if_installed
from clock.cli.opening import patiently
from clock.cli.options import GivenPath, health_options, setting_option, settings, shared_options
from clock.cli.reloading import reload_option
from clock.cli.stopping import Stopping, end_processes, leave
from clock.cli.timetables import in_its_folder, timetable_to_run
from clock.clocks import SystemClock
from clock.job.push.client import using_clock
from clock.log import log_to
from clock.shutdown import handling
from clock.store.server.connection import set_default
from clock.store.server.opening import connected
from clock.ticker import STOP_SECONDS

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
