"""The workers of a world: which are alive, which have died, and which heartbeats matter.

While all workers live and Redis answers, a heartbeat changes nothing except its own time. Then only the last
heartbeat before the next moment is made. After a worker has died, or was cut off, each heartbeat is made at its
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from clock.clocks import Clock
from clock.store import Redis, keys
from clock.testing.world.world_worker import WorldWorker


class WorkerGroup:
    """Starts and kills workers, and moves them on; `hire` makes a worker, by its number."""

    def __init__(self, redis: Redis, hire: Callable[[int], WorldWorker], *, clock: Clock) -> None:
        self._redis = redis
        self._hire = hire
        self._clock = clock
        self._hired = 0
        self._workers: list[WorldWorker] = []
        self._dead: list[WorldWorker] = []
        self.is_cut_off = False

    def __len__(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        """Start another worker."""
        self._hired += 1
        self._workers.append(self._hire(self._hired))

    def kill(self) -> None:
        """Kill a worker as SIGKILL does: a busy one, or else the first. Raises ValueError if none is left."""
        if not self._workers:
            raise ValueError("no worker is left to kill")
        victim = next((worker for worker in self._workers if worker.is_busy), self._workers[0])
        self._workers.remove(victim)
        self._dead.append(victim)
        victim.die()

    def cut_off(self) -> None:
        """Note that Redis is away, so heartbeats do not reach it."""
        self.is_cut_off = True
        for worker in self._workers:
            worker.has_beaten = False

    def is_back(self) -> None:
        """Note that Redis is back: the next heartbeat of each worker reaches it."""
        self.is_cut_off = False
        for worker in self._workers:
            worker.skip_beats(self._clock.now())

    def moments(self) -> Iterator[datetime]:
        """The instants of the next changes here. While Redis is away, changes wait until it is back."""
        now = self._clock.now()
        for worker in self._workers:
            if self._beats_matter:
                yield worker.next_beat
            for slot in worker.slots:
                if slot.ends_at is not None and not (self.is_cut_off and slot.ends_at <= now):
                    yield slot.ends_at
                elif slot.ends_at is None and slot.looks_at > now and not self.is_cut_off:
                    yield slot.looks_at

    def catch_up_heartbeats(self, before: datetime, go_to: Callable[[datetime], object]) -> None:
        """Make each worker's last heartbeat up to that instant, if the earlier ones change nothing."""
        if self._beats_matter or self.is_cut_off:
            return
        beats = [(last, worker) for worker in self._workers if (last := worker.last_beat(before)) is not None]
        for at, worker in sorted(beats, key=lambda beat: beat[0]):
            go_to(at)
            worker.beat_once()

    def take_turns(self, now: datetime) -> None:
        """Finish the jobs whose time is over, and make the heartbeats that are due."""
        for worker in list(self._workers):
            for slot in worker.slots:
                if slot.ends_at is not None and slot.ends_at <= now:
                    slot.settle()
        if self.is_cut_off:
            return
        for worker in self._workers:
            if worker.next_beat <= now:
                worker.beat()
        if self._dead:
            known = self._redis.zrange(keys.WORKERS, 0, -1)
            self._dead = [worker for worker in self._dead if worker.identity.encode() in known]

    def begin_jobs(self, now: datetime) -> None:
        """Claim jobs for free slots until there are no more: a job that starts may enqueue others."""
        while any(worker.begin_job(now) for worker in self._workers):
            pass

    @property
    def _beats_matter(self) -> bool:
        """Whether a worker has died or was cut off, and the others do not know yet."""
        if self.is_cut_off:
            return False
        return bool(self._dead) or not all(worker.has_beaten for worker in self._workers)
