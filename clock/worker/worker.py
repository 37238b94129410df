"""The worker: starts the threads that run jobs and those that look after them, and stops them in order."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable

from clock import __version__
from clock.clocks import Clock
from clock.errors import StoreError
from clock.job.payload import seconds
from clock.store import Redis
from clock.store.arrivals import Arrivals
from clock.store.delayed import Delayed
from clock.store.in_progress import InProgress
from clock.store.processes import Beat, Processes
from clock.worker.fetcher import Fetcher
from clock.worker.heartbeat import Heartbeat, resident_kb
from clock.worker.options import WorkerOptions
from clock.worker.poller import Poller
from clock.worker.processor import Processor
from clock.worker.recovery import recover, unpark

logger = logging.getLogger(__name__)


class Worker:
    """Takes jobs from queues and runs them, `options.concurrency` at once, until it is stopped.

    The jobs' classes must have been imported. `identity` names the process in Redis.
    """

    def __init__(self, redis: Redis, options: WorkerOptions, *, identity: str, clock: Clock) -> None:
        self._redis = redis
        self._options = options
        self._identity = identity
        self._clock = clock
        self._started_at = seconds(clock.now())
        self._stop_asked = threading.Event()
        self._stopped = threading.Event()
        self._in_progress = InProgress(redis, identity)
        self._arrivals = Arrivals(redis, options.queue_names, max_watched=options.concurrency)
        self._fetcher = Fetcher(self._in_progress, self._arrivals, options=options, clock=clock)
        self._delayed = Delayed(redis)
        self._processes = Processes(redis)
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Work until `stop` is called and the jobs that run have ended, or been put back.

        Raises StoreUnavailable where Redis is away at the start; later it is waited for.
        """
        self._look_after_others()
        logger.info(
            "Starting worker %s: %d threads, queues %s, at most %d connections to Redis",
            self._identity,
            self._options.concurrency,
            ", ".join(self._options.queue_names),
            self._options.concurrency + 2,
        )
        for slot in self._fetcher.slots:
            self._start(Processor(slot, self._fetcher, self._in_progress, clock=self._clock).run, slot.name)
        self._start(self._fetcher.run, "fetcher")
        heartbeat = self._heartbeat()
        self._start(lambda: heartbeat.run(self._stopped), "heartbeat")
        poller = Poller(self._delayed, clock=self._clock)
        self._start(lambda: poller.run(self._stop_asked), "poller")
        self._stop_asked.wait()
        self._wind_up()

    def quiet(self) -> None:
        """Take no more jobs; those that run go on. There is no way back. May be called from any thread."""
        if not self._fetcher.stopping:
            logger.info("Quiet: no more jobs are taken")
            self._fetcher.stop()

    def stop(self) -> None:
        """Let `run` end; may be called from any thread, and twice."""
        self.quiet()
        self._stop_asked.set()

    def dump_threads(self) -> None:
        """Write what each thread is doing to the log."""
        frames = sys._current_frames()
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            if frame is not None:
                stack = "".join(traceback.format_stack(frame)).rstrip()
                logger.warning("Thread %s:\n%s", thread.name, stack)

    def _start(self, target: Callable[[], object], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        if name.startswith("job "):
            self._threads.append(thread)

    def _wind_up(self) -> None:
        running = len(self._fetcher.taken)
        if running:
            logger.info("Stopping: %d jobs run, waiting up to %g s", running, self._options.stop_timeout_seconds)
        deadline = self._clock.monotonic() + self._options.stop_timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        try:
            self._put_back()
            self._stopped.set()
            self._processes.leave(self._identity)
        except StoreError as error:
            logger.error("%s Jobs in progress here are put back by other workers.", error)
        logger.info("Stopped")

    def _put_back(self) -> None:
        self._fetcher.acknowledge()
        cut = self._fetcher.taken
        if cut:
            logger.warning("Putting %d unfinished jobs back into their queues", len(cut))
        self._fetcher.give_back(self._fetcher.held)

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            self._processes,
            self._identity,
            describe=self._describe,
            on_signal=self._obey,
            duties=self._look_after_others,
            clock=self._clock,
        )

    def _look_after_others(self) -> None:
        recover(self._redis, clock=self._clock)
        released = unpark(self._delayed)
        if released:
            logger.info("Released %d parked jobs: their classes are known here", released)

    def _obey(self, signal: str) -> None:
        orders = {"TSTP": self.quiet, "TERM": self.stop, "TTIN": self.dump_threads}
        if signal in orders:
            orders[signal]()

    def _describe(self, rtt_us: int) -> Beat:
        weights = {queue.name: queue.weight for queue in self._options.queues}
        now = seconds(self._clock.now())
        info = {
            "hostname": socket.gethostname(),
            "started_at": self._started_at,
            "pid": os.getpid(),
            "tag": "python",
            "concurrency": self._options.concurrency,
            "queues": self._options.queue_names,
            "weights": [weights],
            "labels": [],
            "identity": self._identity,
            "version": __version__,
            "embedded": False,
        }
        taken = self._fetcher.taken
        return Beat(
            info=info,
            busy=len(taken),
            beat=now,
            rtt_us=rtt_us,
            quiet=self._fetcher.stopping,
            rss=resident_kb(),
            work={
                str(job.number): {
                    "queue": job.queue,
                    "payload": job.payload.decode(errors="replace"),
                    "run_at": int(now),
                }
                for job in taken
            },
        )
