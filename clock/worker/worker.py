"""The worker: starts the threads that run jobs and those that look after them, and stops them in order."""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from clock import worker_hooks
from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable, WorkerStuck
from clock.job.context import RunListener
from clock.job.encryption import key_ids
from clock.job.middleware.metrics import METRICS
from clock.job.payload import seconds
from clock.problems import Problems
from clock.store import Redis, keys
from clock.store.jobs.delayed import Delayed, Nearer
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.unserved_queues import UnservedQueues
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.store.server.checks.losses import warn_of_losses
from clock.store.server.checks.permissions import SelfCheck, of_worker
from clock.store.server.connection import answers
from clock.worker.callbacks import Callbacks
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.heartbeat.heartbeat import BeatTasks, Heartbeat, WorkerDescription
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink
from clock.worker.limits import Limits, Watchdog
from clock.worker.maintenance.duties import (
    ClockWatch,
    Duties,
    LimitChecks,
    LostChildren,
    cancel_running,
    follow_redis_time,
)
from clock.worker.maintenance.recovery import recover, unpark
from clock.worker.maintenance.scheduled import ScheduledJobs
from clock.worker.options import WorkerOptions
from clock.worker.running.coroutines import cancel_all, stacks
from clock.worker.running.job_log import record_outcome
from clock.worker.running.job_moves import JobMoves
from clock.worker.running.processor import Processor
from clock.worker.shard_post import ShardPost

WATCH_SECONDS = 1.0
LOOK_SECONDS = 0.1  # how soon a stop that waits for jobs notices that it is to end at once
CLOSE_SECONDS = 2.5  # for the last commands to Redis; without them other workers put the jobs back
CANCEL_SECONDS = 1.0  # for the `finally` blocks of coroutine jobs that are cut short
EXIT_HOOK_SECONDS = 0.25  # at least so long, hooks of `exit` may take: the process is killed soon after
BEAT_PATIENCE_SECONDS = 2.0  # for a heartbeat that is under way when the worker ends

logger = logging.getLogger("clock.worker")


class Worker:
    """Takes jobs from queues and runs them, `options.concurrency` at once, until it is stopped.

    The jobs' classes must have been imported. `identity` names the process in Redis. `link` leads to the process
    that keeps the heartbeat going while a job holds the interpreter lock. Each run goes to the `listeners`. `post`
    is the process's claim on the shard that `redis` leads to.
    """

    def __init__(
        self,
        redis: Redis,
        options: WorkerOptions,
        *,
        identity: str,
        clock: Clock,
        link: HeartbeatLink | None = None,
        listeners: Sequence[RunListener] = (),
        post: ShardPost | None = None,
    ) -> None:
        self._redis = redis
        self._options = options
        self._identity = identity
        self._clock = clock
        self._link = link
        self._post = post
        self._stop_asked = threading.Event()
        self._stop_by = float("inf")  # the monotonic moment until which jobs may run
        self._stopped = threading.Event()
        self.is_renewed = False  # it ends because of `max_jobs` or `max_memory_mb`: another must replace it
        self._cut_short = False
        self._job_threads: list[threading.Thread] = []
        self._callbacks = Callbacks()
        self._problems = problems = Problems(clock=clock, on_fatal=self.stop, on_error=self._callbacks.report)
        self._register = WorkerRegister(redis)
        self._delayed = Delayed(redis, problems)
        in_progress = InProgress(redis, identity, options.dead, problems=problems)
        self._fetcher = Fetcher(
            in_progress,
            options=options,
            clock=clock,
            problems=problems,
            on_empty=self.stop,
            is_drained=self._is_drained,
        )
        self._moves = JobMoves(in_progress, self._fetcher.claims, clock=clock, problems=problems)
        self._watchdog = Watchdog(self._fetcher, redis_answers=self._redis_answers, clock=clock)
        self._limits = Limits(options, self.quiet)
        record = partial(record_outcome, redis, clock, problems)
        counters = [self._limits.note] if options.max_jobs else []
        self._listeners: Sequence[RunListener] = (METRICS.note, record, *counters, *listeners)
        commands = of_worker(identity, options.queue_names)
        self._self_check = SelfCheck(redis, commands, clock=clock, problems=problems)

    def run(self) -> None:
        """Work until `stop` is called and the jobs that run have ended, or been put back.

        Raises StoreError if Redis refuses from the start what the worker needs; while Redis is away it waits.
        Raises HookFailed if a startup hook raises, WorkerStuck if this process alone is cut off.
        """
        self._begin()
        worker_hooks.fire("startup")
        scheduled = ScheduledJobs(self._delayed, Nearer(self._redis), clock=self._clock, problems=self._problems)
        if self._options.burst:
            scheduled.poll()
        self._start_jobs()
        heartbeat = self._make_heartbeat()  # before any job is taken: it counts the silence from now on
        self._start(self._fetcher.run, "fetcher")
        beating = self._start(lambda: heartbeat.run(self._stopped), "heartbeat")
        self._start(lambda: scheduled.run(self._stop_asked), "scheduled")
        self._start(lambda: self._self_check.run(self._stop_asked), "self-check")
        is_stuck = self._watch_until_stopped()
        self._wind_up(beating)
        if is_stuck:
            raise WorkerStuck(self._identity)
        self._problems.raise_fatal()

    def _is_drained(self) -> bool:
        first = self._delayed.first_due()[keys.FREED]
        return first == -math.inf or first > seconds(self._clock.now())  # -inf: no set, so no job of it

    @property
    def seconds_since_look(self) -> float:
        """How long ago the fetcher looked for work, with success or without."""
        return self._clock.monotonic() - self._fetcher.last_look

    @property
    def seconds_since_fetch(self) -> float:
        """How long ago Redis answered a fetch; 0 while all threads are busy, or the worker stops claiming."""
        if self._fetcher.stopping or len(self._fetcher.taken) >= self._options.concurrency:
            return 0.0
        return self._clock.monotonic() - self._fetcher.claims.last_round_trip

    @property
    def problems(self) -> list[str]:
        """Why this worker is not ready."""
        return self._problems.blocking

    @property
    def runs_jobs(self) -> bool:
        """Whether jobs run; after `run`: those that were cut short run on."""
        return self._cut_short or bool(self._fetcher.taken)

    def quiet(self) -> None:
        """Stop claiming jobs; running jobs continue. This cannot be undone. May be called from any thread."""
        if not self._fetcher.stopping:
            self._fetcher.stop()
            logger.info("Draining: not accepting new jobs")
            self._callbacks.fire("quiet")

    def stop(self) -> None:
        """Make `run` end; may be called from any thread, and twice."""
        self.quiet()
        self._stop_asked.set()

    def stop_now(self) -> None:
        """Make `run` end without waiting for jobs; may be called from any thread, and twice."""
        self._stop_by = self._clock.monotonic()
        self.stop()

    def dump_threads(self) -> None:
        """Log the stack of each thread and of each coroutine."""
        frames = sys._current_frames()
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            if frame is not None:  # pragma: no branch  # unless the thread ends at that moment
                _log_stack("Thread", thread.name, "".join(traceback.format_stack(frame)).rstrip())
        for name, stack in stacks():
            _log_stack("Coroutine", name, stack)

    def _begin(self) -> None:
        """Look at Redis before taking anything from it. Raises StoreError if it refuses a needed command."""
        key_ids()  # an invalid encryption key ends the worker before it takes a job
        self._self_check.look()
        self._problems.raise_fatal()
        with suppress(StoreUnavailable):  # each heartbeat releases them
            self._release_parked()
        warn_of_losses(self._redis)
        logger.info(
            "Starting worker %s: %d threads, queues %s, at most %d connections to Redis",
            self._identity,
            self._options.concurrency,
            ", ".join(self._options.queue_names),
            self._options.concurrency + 2,
        )
        if self._post:
            logger.info("This worker serves the shard %s", self._post)

    def _start_jobs(self) -> None:
        for slot in self._fetcher.slots:
            processor = Processor(
                slot,
                self._fetcher,
                self._moves,
                clock=self._clock,
                listeners=self._listeners,
                max_retries=self._options.max_retries,
            )
            self._job_threads.append(self._start(processor.run, slot.tid))

    def _watch_until_stopped(self) -> bool:
        """Look after the worker each second until it is asked to stop; whether it is stuck."""
        while not self._clock.wait(self._stop_asked, LOOK_SECONDS if self.is_renewed else WATCH_SECONDS):
            self._problems.watch()
            self._heed_limits()
            if self._link:
                self._link.tend()
            if self._watchdog.is_stuck():
                return True
            if self._options.parent_pid not in (None, os.getppid()):
                logger.warning("The parent process is gone; stopping")
                self.stop()
        return False

    def _heed_limits(self) -> None:
        """Stop claiming jobs when a limit is reached; stop when no job runs."""
        if not self.is_renewed and (reached := self._limits.reached() or (self._post.moved if self._post else "")):
            self.is_renewed = True
            logger.info("This process ends and is replaced: %s", reached)
            self.quiet()
        if self.is_renewed and not self._fetcher.taken:
            self.stop()

    def _start(self, target: Callable[[], object], name: str) -> threading.Thread:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def _wind_up(self, beating: threading.Thread) -> None:
        self.stop()
        running = len(self._fetcher.taken)
        if running:
            logger.info(
                "Stopping: %d jobs running, waiting up to %g s. A second signal (Ctrl-C) stops at once and puts "
                "the jobs back",
                running,
                self._options.stop_timeout_seconds,
            )
        self._stop_by = min(self._stop_by, self._clock.monotonic() + self._options.stop_timeout_seconds)
        shutdown = self._callbacks.fire("shutdown")
        for thread in self._job_threads:
            while thread.is_alive() and (left := self._seconds_left()):
                thread.join(min(left, LOOK_SECONDS))
        self._wait_for(shutdown)
        closing = self._start(lambda: self._close(beating), "closing")
        closing.join(CLOSE_SECONDS)
        if closing.is_alive():
            logger.error("Redis does not answer. Other workers put back the jobs in progress here.")
        if self._link:
            self._link.close()
        self._cut_short = bool(self._fetcher.taken)  # threads that a cancelled job has started may run on
        cancel_all(CANCEL_SECONDS)
        self._stop_by = max(self._stop_by, self._clock.monotonic() + EXIT_HOOK_SECONDS)
        self._wait_for(self._callbacks.fire("exit"))
        logger.info("Stopped")

    def _wait_for(self, hooks: threading.Event) -> None:
        while left := self._seconds_left():
            if self._clock.wait(hooks, min(left, LOOK_SECONDS)):
                return

    def _seconds_left(self) -> float:
        return max(0.0, self._stop_by - self._clock.monotonic())

    def _close(self, beating: threading.Thread) -> None:
        try:
            self._fetcher.acknowledge()
            if cut := self._fetcher.taken:
                logger.warning("Putting %d unfinished jobs back into their queues", len(cut))
            self._fetcher.give_back_all()
            self._flush_metrics()
            self._stopped.set()
            beating.join(BEAT_PATIENCE_SECONDS)
            self._register.leave(self._identity)
            if self._post and not (self.is_renewed or self._options.burst):
                self._post.leave()
        except StoreError as error:
            logger.error("%s Other workers put back the jobs in progress here.", error)

    def _make_heartbeat(self) -> Heartbeat:
        description = WorkerDescription(
            self._fetcher, self._options, identity=self._identity, clock=self._clock, problems=self._problems
        )
        duties = Duties(self._redis, self._named_duties(), problems=self._problems, clock=self._clock)
        time = self._problems.part("time")
        recover_others = partial(
            recover,
            self._redis,
            clock=self._clock,
            own=self._identity,
            dead=self._options.dead,
            problems=self._problems,
            died=self._callbacks.died,
        )

        def describe(rtt_us: int) -> Beat:
            follow_redis_time(self._redis, clock=self._clock, part=time)
            return description.beat(rtt_us)

        return Heartbeat(
            self._register,
            self._identity,
            BeatTasks(describe, self._obey, duties.do, recover_others),
            beat_seconds=self._options.beat_seconds,
            clock=self._clock,
            problems=self._problems,
            link=self._link,
        )

    def _redis_answers(self) -> bool:
        """Whether Redis answers another process of this machine, or a fresh connection of this one."""
        lately = self._clock.monotonic() - self._options.expires_seconds
        return bool(self._link and self._link.has_beaten_since(lately)) or answers(self._redis)

    def _named_duties(self) -> Mapping[str, Callable[[], object]]:
        home = self._post.home if self._post else self._redis
        queues, unserved = self._problems.part("queues"), UnservedQueues(self._redis, clock=self._clock)

        def look_at_queues() -> None:  # a draining worker is itself the reason
            queues.found(*(() if self._fetcher.stopping else unserved.problems()))

        return {
            "hooks": partial(self._callbacks.beat, self._clock, self._options.expires_seconds),
            "metrics": self._flush_metrics,
            "watching the clock": ClockWatch(home, clock=self._clock).look,
            "queues without a worker": look_at_queues,
            "parked jobs": self._release_parked,
            "limits": LimitChecks(self._redis, clock=self._clock).look,
            "cancelled jobs": partial(cancel_running, self._redis, self._fetcher.slots, clock=self._clock),
            "jobs to be settled": self._moves.retry_refused,
            **({"shard": self._post.renew} if self._post else {}),
            "jobs of batches": LostChildren(home, self._identity, clock=self._clock).look,
        }

    def _flush_metrics(self) -> None:
        METRICS.flush(self._redis, self._clock.now())

    def _release_parked(self) -> None:
        released = unpark(self._delayed, problems=self._problems)
        if released:
            logger.info("Released %d parked jobs: this worker can run them", released)

    def _obey(self, signal: str) -> None:
        orders = {"TSTP": self.quiet, "TERM": self.stop, "TTIN": self.dump_threads}
        if signal in orders:
            orders[signal]()


def _log_stack(kind: str, name: str, stack: str) -> None:
    record = logger.makeRecord(
        logger.name, logging.WARNING, __file__, 0, "%s %s:", (kind, name), None, sinfo=stack
    )
    logger.handle(record)
