"""The health port of a clock or a worker, for `--health-port`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clock.clocks import Clock, SystemClock
from clock.config import Config
from clock.health.probes import ClockSigns, Report, Reports, Vitals, WorkerSigns, clock_complaints, complaints
from clock.health.server import HealthServer
from clock.health.systemd import Notifier, notifier
from clock.store import Redis
from clock.store.server.opening import connected

if TYPE_CHECKING:
    from clock.health.metrics import Metrics

FOLDER_VARIABLE = "CLOCK_HEALTH_FOLDER"  # gives a child the folder for its health, which the parent's port reports


def metrics_if_installed(
    redis: Redis, clock: Clock, *, children: Path | None = None, is_child: bool = False
) -> Metrics | None:
    """The process's metrics; None: prometheus-client is missing. `children`: the folder of their counters."""
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
    """Serve health and metrics of this process (a clock, a worker or both) inside the block, and notify systemd.

    One of several processes reports to its parent, in the folder `parents`. Without `health_port` nothing is
    served. Raises ConfigurationError if the port is in use.
    """
    judge = partial(complaints, clock, worker, config.overdue_after)
    part: Report | HealthServer | None = None
    if config.health_port is not None and parents and worker:
        part = Report(parents, worker, clock, clock=SystemClock())
    elif config.health_port is not None:
        part = _server(config, config.health_port, redis, metrics, judge)
    with _started(part), notifying_systemd(judge):
        yield


@contextmanager
def notifying_systemd(judge: Callable[[], Vitals]) -> Iterator[None]:
    """Send systemd the state of this process inside the block, if systemd started it and asks for it."""
    with _started(notifier(judge, clock=SystemClock())):
        yield


@contextmanager
def _started(part: Report | HealthServer | Notifier | None) -> Iterator[None]:
    if part is None:
        yield
        return
    part.start()
    try:
        yield
    finally:
        part.stop()


def environment_of_children(folder: str | None) -> Mapping[str, str]:
    """The environment of processes that write their health and counters into `folder`; None: they do not."""
    return {FOLDER_VARIABLE: folder, "PROMETHEUS_MULTIPROC_DIR": folder} if folder else {}


@contextmanager
def health_of_children(config: Config, folder: str | None, pids: Callable[[], Sequence[int]]) -> Iterator[None]:
    """Serve health and metrics of the processes that write into `folder` inside the block; None: not wanted.

    Raises ConfigurationError if the port is in use, StoreUnavailable.
    """
    if folder is None or config.health_port is None:
        yield
        return
    clock = SystemClock()
    with connected(config) as redis:
        reports = Reports(Path(folder), pids, config.overdue_after, clock=clock)
        metrics = metrics_if_installed(redis, clock, children=Path(folder))
        if metrics:
            metrics.watch_clock(reports)
        with _started(_server(config, config.health_port, redis, metrics, reports.vitals)):
            yield


def _server(
    config: Config, port: int, redis: Redis, metrics: Metrics | None, judge: Callable[[], Vitals]
) -> HealthServer:
    judge_clock = partial(clock_complaints, redis, config.overdue_after)
    return HealthServer(config.health_host, port, judge, judge_clock, metrics.app if metrics else None)
