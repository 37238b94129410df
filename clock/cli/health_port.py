"""The health port of a clock or a worker, as `--health-port` asks for it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clock.cli.wiring import connected
from clock.clocks import Clock, SystemClock
from clock.config import Config
from clock.health import HealthServer, Report, Reports, Vitals, clock_complaints, complaints
from clock.health.probes import ClockSigns, WorkerSigns
from clock.store import Redis

if TYPE_CHECKING:
    from clock.health.metrics import Metrics

FOLDER_VARIABLE = "CLOCK_HEALTH_FOLDER"  # tells a child where to write how it is, for its parent's port


def parents_folder() -> Path | None:
    """Where this process tells its parent how it is; None: it is nobody's child. To be asked once."""
    folder = os.environ.pop(FOLDER_VARIABLE, None)  # what a job starts is not the parent's child
    return Path(folder) if folder else None


def metrics_if_installed(
    redis: Redis, clock: Clock, *, children: Path | None = None, is_child: bool = False
) -> Metrics | None:
    """The process's metrics; None: prometheus-client (the extra `metrics`) is not installed.

    `children` is where the processes write what they have counted, if this one speaks for several.
    """
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    from clock.health.metrics import Metrics

    return Metrics(redis, clock, children=children, is_child=is_child)


@contextmanager
def health(
    config: Config,
    redis: Redis,
    metrics: Metrics | None,
    *,
    clock: ClockSigns | None = None,
    worker: WorkerSigns | None = None,
    parents: Path | None = None,
) -> Iterator[None]:
    """Tell health and metrics of this process, a clock, a worker or both, inside the block.

    One of several processes tells its parent, by the folder `parents`. Nothing is told where `health_port`
    does not ask for it. Raises ConfigurationError where the port is taken.
    """
    if config.health_port is None:
        yield
        return
    if parents and worker:
        answering: Report | HealthServer = Report(parents, worker, clock, clock=SystemClock())
    else:
        judge = partial(complaints, clock, worker, config.overdue_after)
        answering = _server(config, config.health_port, redis, metrics, judge)
    answering.start()
    try:
        yield
    finally:
        answering.stop()


def told_to(folder: Path) -> Mapping[str, str]:
    """The environment of processes that write into `folder` how they are, and what they have counted."""
    return {FOLDER_VARIABLE: str(folder), "PROMETHEUS_MULTIPROC_DIR": str(folder)}


@contextmanager
def health_of_children(config: Config, folder: Path | None, pids: Callable[[], Sequence[int]]) -> Iterator[None]:
    """Tell health and metrics of the processes that write into `folder`, inside the block; None: nobody asks.

    Raises ConfigurationError where the port is taken, StoreUnavailable.
    """
    if folder is None or config.health_port is None:
        yield
        return
    clock = SystemClock()
    redis = connected(config)
    reports = Reports(folder, pids, config.overdue_after, clock=clock)
    metrics = metrics_if_installed(redis, clock, children=folder)
    if metrics:
        metrics.watch_clock(reports)
    server = _server(config, config.health_port, redis, metrics, reports.vitals)
    server.start()
    try:
        yield
    finally:
        server.stop()


def _server(
    config: Config, port: int, redis: Redis, metrics: Metrics | None, judge: Callable[[], Vitals]
) -> HealthServer:
    judge_clock = partial(clock_complaints, redis, config.overdue_after)
    return HealthServer(config.health_host, port, judge, judge_clock, metrics.app if metrics else None)
