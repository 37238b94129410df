"""The workers of a world: the workers' own parts without their threads, moved on by the world's clock.

While all workers live and Redis answers, a heartbeat changes nothing except its own time. Then only the last
heartbeat before the next moment is made. After a worker has died, or was cut off, each heartbeat is made at its
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from operator import itemgetter

from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.worker_register import WorkerRegister
from clock.testing.world.private_server import Line
from clock.testing.world.slots import Crew, WorldSlot
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.heartbeat.heartbeat import BeatTasks, Heartbeat, WorkerDescription
from clock.worker.maintenance.recovery import recover, unpark


class WorldWorker:
    """The parts of one worker: its slots, its heartbeat, and what it does for others."""

    def __init__(self, crew: Crew, identity: str) -> None:
        self.identity = identity
        self._crew = crew
        self._clock = crew.clock
        in_progress = InProgress(crew.redis, identity, counts_by_redis_time=False)
        fetcher = Fetcher(in_progress, options=crew.options, clock=crew.clock)
        self.slots = [WorldSlot(crew, identity, in_progress, fetcher, slot) for slot in fetcher.slots]
        self._beat_period = timedelta(seconds=crew.options.beat_seconds)
        self.next_beat = crew.clock.now()
        self.has_beaten = False  # whether Redis has taken the last heartbeat
        self._description = WorkerDescription(fetcher, crew.options, identity=identity, clock=crew.clock)
        self._heartbeat = self._new_heartbeat()

    def beat(self) -> None:
        """Beat, and do what the beat calls for; without Redis it is left out."""
        self.next_beat = self._clock.now() + self._beat_period
        self.has_beaten = False
        with suppress(StoreError):
            self._heartbeat.turn()
            self.has_beaten = True

    def last_beat(self, before: datetime) -> datetime | None:
        """When the last heartbeat up to that moment is due; None: not found."""
        count = (before - self.next_beat) // self._beat_period
        return None if count < 0 else self.next_beat + count * self._beat_period

    def beat_once(self) -> None:
        """Make the heartbeat that is due now, those before it having been left out; it calls for nothing."""
        self._heartbeat = self._new_heartbeat()
        self._heartbeat.beat()
        self.next_beat = self._clock.now() + self._beat_period

    def skip_beats(self) -> None:
        """Leave out the heartbeats before now."""
        if last := self.last_beat(self._clock.now()):
            self.next_beat = last + self._beat_period

    def begin_job(self, now: datetime) -> bool:
        """Make a free slot claim a job and run its code. Returns whether it found one."""
        slot = next((slot for slot in self.slots if slot.run is None and slot.looks_at <= now), None)
        return slot is not None and slot.begin()

    def _do_duties(self) -> None:
        unpark(Delayed(self._crew.redis))
        limit_holders.heal(self._crew.redis, now=self._clock.now())

    def _new_heartbeat(self) -> Heartbeat:
        return Heartbeat(
            WorkerRegister(self._crew.redis),
            self.identity,
            BeatTasks(
                describe=self._description.beat,
                on_signal=lambda _: None,
                duties=self._do_duties,
                judge=lambda: recover(self._crew.redis, clock=self._clock, own=self.identity),
            ),
            beat_seconds=self._crew.options.beat_seconds,
            clock=self._clock,
        )


class WorkerGroup:
    """Starts and kills workers, and moves them on, while the `line` to Redis may be cut."""

    def __init__(self, crew: Crew, line: Line) -> None:
        self._crew = crew
        self._line = line
        self._started = 0
        self._workers: list[WorldWorker] = []
        self._dead: list[WorldWorker] = []

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Start another worker."""
        self._started += 1
        self._workers.append(WorldWorker(self._crew, f"world:{self._started}"))

    def kill(self) -> None:
        """Kill a worker as SIGKILL does: a busy one, or else the first. Raises ValueError if none is left."""
        if not self._workers:
            raise ValueError("no worker is left to kill")
        is_busy = [any(slot.run for slot in worker.slots) for worker in self._workers]
        victim = self._workers.pop(is_busy.index(True) if any(is_busy) else 0)
        self._dead.append(victim)
        for slot in victim.slots:
            if slot.run:
                slot.run.ended, slot.run.outcome = self._crew.clock.now(), "killed"

    def cut_off(self) -> None:
        """Cut the line, so heartbeats do not reach Redis."""
        self._line.cut()
        for worker in self._workers:
            worker.has_beaten = False

    def reconnect(self) -> None:
        """Mend the line: the next heartbeat of each worker reaches Redis."""
        self._line.mend()
        for worker in self._workers:
            worker.skip_beats()

    def moments(self) -> Iterator[datetime]:
        """The instants of the next changes here. While Redis is away, changes wait until it is back."""
        now, is_cut = self._crew.clock.now(), self._line.is_cut
        for worker in self._workers:
            if self._beats_matter:
                yield worker.next_beat
            for slot in worker.slots:
                if slot.ends_at is not None and not (is_cut and slot.ends_at <= now):
                    yield slot.ends_at
                elif slot.ends_at is None and slot.looks_at > now and not is_cut:
                    yield slot.looks_at

    def catch_up_heartbeats(self, before: datetime, go_to: Callable[[datetime], object]) -> None:
        """Make each worker's last heartbeat up to that instant, if the earlier ones change nothing."""
        if self._beats_matter or self._line.is_cut:
            return
        beats = [(last, worker) for worker in self._workers if (last := worker.last_beat(before)) is not None]
        for at, worker in sorted(beats, key=itemgetter(0)):
            go_to(at)
            worker.beat_once()

    def take_turns(self, now: datetime) -> None:
        """Finish the jobs whose time is over, and make the heartbeats that are due."""
        for worker in list(self._workers):
            for slot in worker.slots:
                if slot.ends_at is not None and slot.ends_at <= now:
                    slot.settle()
        if self._line.is_cut:
            return
        for worker in self._workers:
            if worker.next_beat <= now:
                worker.beat()
        if self._dead:
            known = self._crew.redis.zrange(keys.WORKERS, 0, -1)
            self._dead = [worker for worker in self._dead if worker.identity.encode() in known]

    def begin_jobs(self, now: datetime) -> None:
        """Claim jobs for free slots until there are no more: a job that starts may enqueue others."""
        while any(worker.begin_job(now) for worker in self._workers):
            pass

    @property
    def _beats_matter(self) -> bool:
        """Whether a worker has died or was cut off, and the others do not know yet."""
        if self._line.is_cut:
            return False
        return bool(self._dead) or not all(worker.has_beaten for worker in self._workers)
