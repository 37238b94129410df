"""Prometheus metrics of a clock or a worker. Imported only if prometheus-client is installed (extra `metrics`).

Work of this process is counted when it happens. Data in Redis is read at each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from clock.clocks import Clock
from clock.errors import StoreError
from clock.health.probes import LeaderSigns
from clock.inspection.jobs.job_sets import queues
from clock.job.context import JobRun, RunListener
from clock.job.payload import seconds
from clock.store import Redis, keys, listing
from clock.store.jobs.flow import batches, limit_holders
from clock.store.ledger.decision import Decision
from clock.store.server.connection import server_time_offset

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

RUN_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)  # seconds
LATENESS_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600)  # seconds


class Metrics:
    """The metrics of one process, or of several. `redis` may be used from the thread of the request.

    With several processes, each has `is_child` set and writes its counts into a folder, as prometheus-client does.
    The parent gets the folder as `children` and adds them up.
    """

    def __init__(
        self, redis: Redis, clock: Clock, *, children: Path | None = None, is_child: bool = False
    ) -> None:
        self._registry = CollectorRegistry()
        self._clock = clock
        self._is_child = is_child
        self._registry.register(_InRedis(redis, clock))
        if children is not None:
            MultiProcessCollector(self._registry, str(children))  # type: ignore[no-untyped-call]  # untyped there

    @property
    def app(self) -> WSGIApplication:
        """The application that answers `/metrics`."""
        return make_wsgi_app(self._registry)

    def watch_clock(self, clock: LeaderSigns) -> None:
        """Report whether a clock leads, and its delay; a child's clock is reported by the parent."""
        if self._is_child:
            return
        Gauge(
            "clock_leader", "1 if this clock is the leader, 0 if it is on standby.", registry=self._registry
        ).set_function(lambda: float(clock.leads))
        Gauge("clock_overdue_seconds", "Age of the oldest overdue run.", registry=self._registry).set_function(
            lambda: clock.seconds_overdue
        )

    def count_firings(self) -> Callable[[Decision], None]:
        """Count decisions and time firings. Returns the listener for decisions."""
        registry = self._registry
        firings = Counter(
            "clock_firings", "Due instants decided, by outcome.", ["event", "outcome"], registry=registry
        )
        lateness = Histogram(
            "clock_firing_lateness_seconds",
            "Time from the due instant to the run.",
            buckets=LATENESS_BUCKETS,
            registry=registry,
        )

        def note(decision: Decision) -> None:
            firings.labels(decision.event, decision.kind.value).inc()
            late_ms = decision.detail.get("late_ms")
            if decision.kind.fires and isinstance(late_ms, int):
                lateness.observe(late_ms / 1000)

        return note

    def count_jobs(self) -> RunListener:
        """Count and time the jobs that run in this process. Returns the listener for runs."""
        registry = self._registry
        runs = Counter("clock_jobs", "Jobs run, by outcome.", ["job", "queue", "outcome"], registry=registry)
        took = Histogram(
            "clock_job_run_seconds", "Run time of jobs.", ["job"], buckets=RUN_BUCKETS, registry=registry
        )

        def note(run: JobRun) -> None:
            if run.outcome != "unfit":
                name = str(run.payload["class"])
                runs.labels(name, run.queue, run.outcome).inc()
                took.labels(name).observe(run.seconds)

        return note


class _InRedis(Collector):
    """Metrics that are read from Redis at each request; empty while Redis is away."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        try:
            yield from self._read()
        except StoreError:
            yield GaugeMetricFamily("clock_redis_up", "1 if Redis answers.", 0)

    def _read(self) -> list[Metric]:
        depth = GaugeMetricFamily("clock_queue_jobs", "Jobs waiting in a queue.", labels=["queue"])
        latency = GaugeMetricFamily(
            "clock_queue_latency_seconds", "How long the next job of a queue has waited.", labels=["queue"]
        )
        for view in queues(self._redis, seconds(self._clock.now())):
            depth.add_metric([view.name], view.size)
            latency.add_metric([view.name], view.latency)
        unfinished, pending = batches.unfinished(self._redis)
        sizes = listing.sizes(self._redis)
        held, blocked = limit_holders.totals(self._redis)
        overlaps, healed, lost = listing.counters(self._redis, [keys.OVERLAPS, keys.HEALED, keys.BATCH_LOST])
        skew = server_time_offset(self._redis, self._clock).total_seconds()
        return [
            GaugeMetricFamily("clock_redis_up", "1 if Redis answers.", 1),
            depth,
            latency,
            GaugeMetricFamily("clock_retry_jobs", "Failed jobs waiting for a retry.", sizes.retry),
            GaugeMetricFamily("clock_scheduled_jobs", "Jobs scheduled for later.", sizes.schedule),
            GaugeMetricFamily("clock_dead_jobs", "Jobs that failed for good.", sizes.dead),
            GaugeMetricFamily("clock_limit_holders", "Jobs that hold a place of a limit.", held),
            GaugeMetricFamily("clock_blocked_jobs", "Jobs that a full limit holds back.", blocked),
            CounterMetricFamily(
                "clock_limit_overlaps", "Jobs that ran on after their worker was declared dead.", overlaps
            ),
            CounterMetricFamily(
                "clock_locks_healed", "Locks and places freed because another program removed their job.", healed
            ),
            GaugeMetricFamily("clock_batches_unfinished", "Batches that are not done.", unfinished),
            GaugeMetricFamily("clock_batch_jobs_pending", "Jobs that unfinished batches wait for.", pending),
            CounterMetricFamily("clock_batch_jobs_lost", "Jobs of batches that other programs removed.", lost),
            GaugeMetricFamily("clock_skew_seconds", "How far Redis's clock is ahead of this process's.", skew),
        ]
