"""The health port of a clock or a worker, as `--health-port` asks for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from clock.clocks import Clock
from clock.config import Config
from clock.store import Redis

if TYPE_CHECKING:
    from clock.health import HealthServer
    from clock.health.metrics import Metrics
    from clock.health.probes import ClockSigns, WorkerSigns


def metrics_if_installed(redis: Redis, clock: Clock) -> Metrics | None:
    """The process's metrics; None: prometheus-client (the extra `metrics`) is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    found: Metrics = importlib.import_module("clock.health.metrics").Metrics(redis, clock)
    return found


def clock_health(config: Config, clock: ClockSigns, metrics: Metrics | None) -> AbstractContextManager[None]:
    """Tell a clock's health and metrics inside the block, where `health_port` asks. Raises ConfigurationError."""
    return _served(config, "clock_complaints", clock, metrics)


def worker_health(config: Config, worker: WorkerSigns, metrics: Metrics | None) -> AbstractContextManager[None]:
    """The same of a worker."""
    return _served(config, "worker_complaints", worker, metrics)


@contextmanager
def _served(config: Config, complaints: str, process: object, metrics: Metrics | None) -> Iterator[None]:
    if config.health_port is None:
        yield
        return
    health = importlib.import_module("clock.health")  # only here: a clock without a port starts sooner
    judge = partial(getattr(health, complaints), process, config.overdue_after)
    server: HealthServer = health.HealthServer(config.health_port, judge, metrics.app if metrics else None)
    server.start()
    try:
        yield
    finally:
        server.stop()
