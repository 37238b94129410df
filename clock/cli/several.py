"""A worker in several processes, with one health port for all of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from clock.cli import program
from clock.cli.health_port import environment_of_children, health_of_children
from clock.cli.stopping import EXIT_SECONDS, Stopping
from clock.clocks import SystemClock
from clock.config import Config
from clock.config.capsules import DEFAULT
from clock.shutdown import handling
from clock.worker import Launcher

logger = logging.getLogger("clock.cli")

LAUNCHER_SECONDS = 0.75  # a launcher ends after its processes, which it kills first


def run_several(config: Config) -> int:
    """Run this command in several processes. Returns the exit code.

    Raises ConfigurationError, StoreUnavailable.
    """
    for capsule in config.capsules:
        logger.info("Starting %d processes for the capsule %s", config.processes, capsule)
    command = program.command([*sys.argv[1:], "--processes", "1"])  # the last one counts
    with _folder(config) as folder:
        launcher = Launcher(
            command,
            config.processes,
            capsules=[DEFAULT, *(capsule.name for capsule in config.capsules)],
            stop_timeout_seconds=config.stop_timeout,
            clock=SystemClock(),
            environ=environment_of_children(folder) if folder else {},
        )
        stopping = Stopping(
            launcher.stop,
            launcher.stop_now,
            patience_seconds=config.stop_timeout,
            exit_seconds=EXIT_SECONDS + LAUNCHER_SECONDS,
            clock=SystemClock(),
        )
        signals = {**launcher.handlers(), **stopping.handlers()}
        with handling(signals), health_of_children(config, folder, lambda: launcher.pids):
            return launcher.run()


def for_capsule(config: Config, name: str) -> Config:
    """The settings of a process that a launcher started for the capsule of this name."""
    alone = replace(config, processes=1, capsules=())
    for capsule in config.capsules:
        if capsule.name == name:
            return replace(alone, queues=capsule.queues, concurrency=capsule.concurrency or config.concurrency)
    return alone


@contextmanager
def _folder(config: Config) -> Iterator[Path | None]:
    """The folder for the health of the processes; None: not wanted."""
    if config.health_port is None:
        yield None
        return
    with TemporaryDirectory(prefix="clock-health-") as folder:
        yield Path(folder)
