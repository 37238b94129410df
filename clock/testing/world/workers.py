"""The workers of a world: who lives, who has died, and whose heartbeat matters.

While all live and Redis answers, a heartbeat changes nothing but its own time: of those up to the next moment
only the last is made. As soon as somebody has died, or was cut off, each is made at its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from clock.clocks import Clock
from clock.store import Redis, keys
from clock.testing.world.world_worker import WorldWorker


class WorkerGroup:
    """Starts, kills and moves on the workers; `hire` makes one, by its number."""

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
        """Kill a worker as SIGKILL does: one that runs a job, else the first. Raises ValueError: there is none."""
        if not self._workers:
            raise ValueError("no worker is left to kill")
        victim = next((worker for worker in self._workers if worker.is_busy), self._workers[0])
        self._workers.remove(victim)
        self._dead.append(victim)
        victim.die()

    def cut_off(self) -> None:
        """Note that Redis is away: heartbeats are not heard."""
        self.is_cut_off = True
        for worker in self._workers:
            worker.has_beaten = False

    def is_back(self) -> None:
        """Note that Redis is back: each worker is heard at its next heartbeat."""
        self.is_cut_off = False
        for worker in self._workers:
            worker.skip_beats(self._clock.now())

    def moments(self) -> Iterator[datetime]:
        """When something happens here. What cannot be told while Redis is away is told when it is back."""
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
        """Make each worker's last heartbeat up to that moment, where the earlier ones change nothing."""
        if self._beats_matter or self.is_cut_off:
            return
        beats = [(last, worker) for worker in self._workers if (last := worker.last_beat(before)) is not None]
        for at, worker in sorted(beats, key=lambda beat: beat[0]):
            go_to(at)
            worker.beat_once()

    def take_turns(self, now: datetime) -> None:
        """Tell what has become of jobs whose time is over, and make the heartbeats that are due."""
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
        """Let free slots claim jobs until there is nothing to claim: a job that begins may enqueue others."""
        while any(worker.begin_job(now) for worker in self._workers):
            pass

    @property
    def _beats_matter(self) -> bool:
        """Somebody has died or was cut off, and the others do not know yet."""
        if self.is_cut_off:
            return False
        return bool(self._dead) or not all(worker.has_beaten for worker in self._workers)
