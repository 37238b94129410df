"""A world: clock, Redis, workers and their jobs on one fake clock, in one thread.

The ticker, the scripts, the processor, the poller, the heartbeat and the recovery of dead workers' jobs are those
of production. The world only decides which of them runs next. It goes from one moment to the next: a due instant,
the end of a job, a delayed job that is due, a heartbeat that matters. Random numbers - the jitter of retries - are
the same in each run, so a world always has the same result.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from operator import itemgetter
from typing import Any, Self, TypeVar

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.job import Job, encryption
from clock.job.payload import Payload, decode
from clock.job.push.client import using_clock
from clock.job.registry import lookup
from clock.printable import brief
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.frozen_time import Move, moving_world
from clock.rehearsal.instants import aware, upcoming
from clock.rehearsal.job_modes import disable
from clock.store import keys
from clock.store.jobs.delayed import Delayed, Nearer, earliest
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import using_default
from clock.testing.world.private_server import Line, private_redis
from clock.testing.world.slots import OUTCOMES, Crew, Ran
from clock.testing.world.workers import WorkerGroup
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.ticker.side_tasks import KeptOut
from clock.ticker.ticker import RETRY_SECONDS
from clock.timetable import Timetable, load
from clock.timetable.clock_file.draft import zone_named
from clock.worker.maintenance.scheduled import ScheduledJobs
from clock.worker.options import Queue, WorkerOptions

SHORTEST = timedelta(milliseconds=1)  # the shortest job, so time passes whatever it enqueues
NEVER = datetime.max.replace(tzinfo=UTC)

#: How long a job takes: a length, or a function of its arguments that returns one.
Duration = timedelta | Callable[..., timedelta]
K = TypeVar("K", bound="type[Job] | str")


class World:
    """Created by `testing.world`; `run` advances time. Use it in a `with` block, or call `close`.

    `runs` are all runs of jobs, in their order; `clock` is the world's time, `redis` its Redis.
    """

    def __init__(
        self, start: datetime, timetable: Timetable | None, options: WorkerOptions, lasts: Mapping[str, Duration]
    ) -> None:
        self.clock = FakeClock(start)
        self.zone = start.tzinfo or UTC
        self.runs: list[Ran] = []
        self._timetable = timetable
        self._lasts = lasts
        self._open = ExitStack()
        self.redis = self._open.enter_context(private_redis())
        self._line = Line(self.redis)
        self._delayed = Delayed(self.redis)
        self._poller = ScheduledJobs(self._delayed, Nearer(self.redis), clock=self.clock)
        self._polls_at = start
        self._ticker: Ticker | None = None
        self._kept_out = KeptOut(RedisLedger(self.redis), clock=self.clock)
        self._ticks_at, self._failures = NEVER, 0
        crew = Crew(self.redis, options, self.clock, self._time_of, self.runs)
        self._worker_group = WorkerGroup(crew, self._line)
        self._calls: list[tuple[datetime, int, Callable[[], object]]] = []
        self._move: Move = lambda _: None
        self._is_inside = False
        self._luck = random.Random(0).getstate()  # noqa: S311  # not a secret

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Return its Redis to the pool."""
        self._open.close()

    def at(self, when: str | datetime, call: Callable[..., object], *args: object) -> None:
        """Call `call(*args)` at that instant of the world, inside it: `w.at("01:30", w.kill_worker)`.

        `when` is a datetime or its text (naive: in the world's zone), or a time of day: the next one. Raises
        ValueError if it is in the past.
        """
        moment, now = upcoming(when, self.zone, self.clock.now()), self.clock.now()
        if moment < now:
            raise ValueError(f"{moment} is past; the world is at {now.astimezone(self.zone)}")
        self._calls.append((moment, len(self._calls), partial(call, *args)))
        self._calls.sort(key=itemgetter(0, 1))

    def redis_down(self, begin: str | datetime, end: str | datetime) -> None:
        """Cut off Redis from `begin` to `end`; its data stays. Times of day mean the next ones."""
        first = upcoming(begin, self.zone, self.clock.now())
        last = upcoming(end, self.zone, first)
        if last < first:
            raise ValueError(f"Redis cannot be back at {last}, before it goes down at {first}")
        self.at(first, self._worker_group.cut_off)
        self.at(last, self._worker_group.reconnect)

    def kill_worker(self) -> None:
        """Kill a worker as SIGKILL does: a busy one, or else the first. Raises ValueError if none is left."""
        self._worker_group.kill()

    def start_worker(self) -> None:
        """Start another worker."""
        self._worker_group.start()

    def kill_clock(self) -> None:
        """Kill the clock process."""
        self._ticker, self._ticks_at = None, NEVER

    def start_clock(self, timetable: Timetable | None = None) -> None:
        """Start a clock process; another `timetable` is a deploy."""
        self._timetable = timetable or self._timetable
        if self._timetable is not None:
            self._ticker = Ticker(
                self._timetable,
                ledger=RedisLedger(self.redis, clock=self.clock),
                clock=self.clock,
                signature=Signature("world", "world"),
                mode=ON_THE_LOOP,
            )
            self._ticker.listen(self._kept_out.note)
            self._ticks_at = self.clock.now()

    def run(self, **length: float) -> None:
        """Advance time: `run(days=2)`, `run(hours=1, minutes=30)`. Work due exactly at the end is not done."""
        end = self.clock.now() + timedelta(**length)
        if end < self.clock.now():
            raise ValueError(f"time goes only forwards, not by {timedelta(**length)}")
        with self._inside():
            self._take_turns(self.clock.now())
            while (at := self._next_moment(end)) < end:
                self._go_to(at)
                self._take_turns(at)
            self._go_to(end)

    def enqueue(self, job: type[Job], *args: object) -> str:
        """Push a job as the application would, now. Returns its jid."""
        with self._inside():
            return job.perform_async(*args)

    def ran(self, job: type[Job] | str, outcome: str | None = None) -> list[Ran]:
        """A job's runs, or those with this outcome. Raises ValueError for another outcome, UnknownJobClass."""
        if outcome not in (None, *OUTCOMES):
            raise ValueError(f"unknown outcome {outcome!r}; available: {', '.join(OUTCOMES)}")
        if isinstance(job, str) and job not in {run.job for run in self.runs}:
            lookup(job)
        return [run for run in self.runs if run.job == _name(job) and outcome in (None, run.outcome)]

    def waiting(self, where: str) -> list[Payload]:
        """The payloads in a queue, by its name, or in `schedule`, `retry` or `dead`."""
        found: Any
        if where in (keys.SCHEDULE, keys.RETRY, keys.DEAD):
            found = self.redis.zrange(where, 0, -1)
        else:
            found = self.redis.lrange(keys.queue(where), 0, -1)[::-1]
        return [payload for payload in map(decode, found) if isinstance(payload, dict)]

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """Use the world's time, Redis and random numbers in this process."""
        if self._is_inside:  # a call that `at` planned
            yield
            return
        before = random.getstate()
        random.setstate(self._luck)
        self._is_inside = True
        try:
            with (
                disable(),
                using_default(self.redis),
                using_clock(self.clock),
                moving_world(self.clock.now().timestamp()) as self._move,
            ):
                encryption.change_random_key(True)  # `disable` undoes it
                yield
        finally:
            self._is_inside = False
            self._luck = random.getstate()
            random.setstate(before)

    def _go_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.advance(at - self.clock.now())
            self._move(at.timestamp())

    def _next_moment(self, end: datetime) -> datetime:
        """When the next change happens; makes the heartbeats before it."""
        moments = [self._ticks_at, *self._worker_group.moments(), *(at for at, _, _ in self._calls[:1])]
        if len(self._worker_group):
            moments.append(self._polls_at)
        at = max(min(moments), self.clock.now())
        self._worker_group.catch_up_heartbeats(min(at, end), self._go_to)
        return at

    def _take_turns(self, now: datetime) -> None:
        while self._calls and self._calls[0][0] <= now:
            self._calls.pop(0)[2]()
        self._worker_group.take_turns(now)
        if self._ticks_at <= now:
            self._tick(now)
        if not self._line.is_cut and len(self._worker_group):
            self._poller.poll()
        self._worker_group.begin_jobs(now)
        due = math.inf if self._line.is_cut else earliest(self._delayed.first_due())
        self._polls_at = NEVER if due == math.inf else max(now, from_ms(math.ceil(due * 1000)))  # never too early

    def _tick(self, now: datetime) -> None:
        assert self._ticker is not None  # noqa: S101  # only called with a ticker
        try:
            self._ticker.tick()
            self._kept_out.check()
        except StoreError:
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self._ticks_at = now + timedelta(seconds=wait)
            return
        self._failures = 0
        self._ticks_at = self._ticker.next_firing or NEVER

    def _time_of(self, payload: Payload) -> timedelta:
        lasts, args = self._lasts.get(str(payload.get("class")), SHORTEST), payload.get("args")
        if callable(lasts):
            lasts = lasts(*args) if isinstance(args, list) else SHORTEST
        return max(SHORTEST, lasts)


def _name(job: type[Job] | str) -> str:
    return job if isinstance(job, str) else job.wire_name


def world(
    start: str | datetime,
    *,
    tz: str | tzinfo | None = None,
    file: str | os.PathLike[str] | Timetable | None = None,
    workers: int = 1,
    slots: int = 1,
    queues: Sequence[str] = ("default",),
    durations: Mapping[K, Duration] | None = None,
) -> World:
    """A world that starts at `start`: a clock with `file` (None: no clock), and `workers` with `slots` each.

    A naive `start` is in `tz`, or else in the clock file's zone, or else in UTC. `durations` has how long jobs
    take: a timedelta, or a function of the arguments that returns one; by default a millisecond. Raises StoreError
    if the `embedded` extra is not installed, ValueError for invalid numbers.
    """
    if workers < 0 or slots < 1:
        raise ValueError(f"workers={workers}, slots={slots}: a world has 0 or more workers of 1 or more slots")
    if isinstance(queues, str) or not queues or not all(isinstance(name, str) and name for name in queues):
        raise ValueError(f"queues is {brief(queues)}; it must be a list of one or more names of queues")
    timetable = file if isinstance(file, Timetable) or file is None else load(file)
    zone = zone_named(tz, "world: ") if tz is not None else timetable.settings.tz if timetable else UTC
    options = WorkerOptions(tuple(Queue(name) for name in queues), slots)
    lasts = {_name(job): length for job, length in (durations or {}).items()}
    if wrong := [job for job, length in lasts.items() if not (isinstance(length, timedelta) or callable(length))]:
        raise ValueError(f"the duration of {wrong[0]} is neither a timedelta nor a function that returns one")
    found = World(aware(start, zone).astimezone(zone), timetable, options, lasts)
    found.start_clock()
    for _ in range(workers):
        found.start_worker()
    return found
