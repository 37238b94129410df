"""The health port of a clock or a worker, as `--health-port` asks for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clock.clocks import Clock
from clock.health import HealthServer, Vitals
from clock.store import Redis

if TYPE_CHECKING:
    from clock.health.metrics import Metrics


def metrics_if_installed(redis: Redis, clock: Clock) -> Metrics | None:
    """The process's metrics; None: prometheus-client (the extra `metrics`) is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    found: Metrics = importlib.import_module("clock.health.metrics").Metrics(redis, clock)
    return found


@contextmanager
def health(port: int | None, vitals: Callable[[], Vitals], metrics: Metrics | None) -> Iterator[None]:
    """Tell health and metrics on `port` inside the block; None: nowhere. Raises ConfigurationError."""
    if port is None:
        yield
        return
    server = HealthServer(port, vitals, metrics.app if metrics else None)
    server.start()
    try:
        yield
    finally:
        server.stop()
