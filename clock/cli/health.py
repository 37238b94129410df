"""The health port of a clock or a worker, as `--health-port` asks for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def health(
    config: Config,
    redis: Redis,
    metrics: Metrics | None,
    *,
    clock: ClockSigns | None = None,
    worker: WorkerSigns | None = None,
) -> Iterator[None]:
    """Tell health and metrics of this process, a clock, a worker or both, inside the block.

    Nothing is told where `health_port` does not ask for it. Raises ConfigurationError where the port is taken.
    """
    if config.health_port is None:
        yield
        return
    room = importlib.import_module("clock.health")  # only here: a clock without a port starts sooner
    judge = partial(room.complaints, clock, worker, config.overdue_after)
    judge_clock = partial(room.clock_complaints, redis, config.overdue_after)
    server: HealthServer = room.HealthServer(
        config.health_port, judge, judge_clock, metrics.app if metrics else None
    )
    server.start()
    try:
        yield
    finally:
        server.stop()
