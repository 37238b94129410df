"""A worker in a world: the worker's own parts without its threads, moved on by the world's clock."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from clock.errors import StoreError
from clock.rehearsal.fake_clock import FakeClock
from clock.store import Redis
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.worker_register import WorkerRegister
from clock.testing.world.slots import Lasts, Ran, SlotOwner, WorldSlot
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.heartbeat.heartbeat import BeatTasks, Heartbeat, WorkerDescription
from clock.worker.maintenance.recovery import recover, unpark
from clock.worker.options import WorkerOptions
from clock.worker.running.firing_outcomes import FiringOutcomes


class WorldWorker:
    """The parts of one worker: its slots, its heartbeat, and what it does for others."""

    def __init__(
        self,
        redis: Redis,
        identity: str,
        *,
        options: WorkerOptions,
        clock: FakeClock,
        lasts: Lasts,
        runs: list[Ran],
    ) -> None:
        self.identity = identity
        self.clock = clock
        in_progress = InProgress(redis, identity, counts_by_redis_time=False)
        self._redis = redis
        self._delayed = Delayed(redis)
        outcomes = FiringOutcomes(redis, clock=clock)
        fetcher = Fetcher(in_progress, options=options, clock=clock)
        owner = SlotOwner(identity, in_progress, clock, lasts, runs)
        self.slots = [WorldSlot(owner, fetcher, slot, outcomes) for slot in fetcher.slots]
        self.beat_period = timedelta(seconds=options.beat_seconds)
        self.next_beat = clock.now()
        self.has_beaten = False  # whether Redis has taken the last heartbeat
        self._register = WorkerRegister(redis)
        self._status = WorkerDescription(fetcher, options, identity=identity, clock=clock)
        self._heartbeat = self._new_heartbeat()

    def beat(self) -> None:
        """Beat, and do what the beat calls for; without Redis it is left out."""
        self.next_beat = self.clock.now() + self.beat_period
        self.has_beaten = False
        with suppress(StoreError):
            self._heartbeat.turn()
            self.has_beaten = True

    def last_beat(self, before: datetime) -> datetime | None:
        """When the last heartbeat up to that moment is due; None: not found."""
        count = (before - self.next_beat) // self.beat_period
        return None if count < 0 else self.next_beat + count * self.beat_period

    def beat_once(self) -> None:
        """Make the heartbeat that is due now, those before it having been left out; it calls for nothing."""
        self._heartbeat = self._new_heartbeat()
        self._heartbeat.beat()
        self.next_beat = self.clock.now() + self.beat_period

    def skip_beats(self, until: datetime) -> None:
        """Leave out the heartbeats before `until`."""
        last = self.last_beat(until)
        self.next_beat = self.next_beat if last is None else last + self.beat_period

    def begin_job(self, now: datetime) -> bool:
        """Make a free slot claim a job and run its code. Returns whether it found one."""
        slot = next((slot for slot in self.slots if slot.run is None and slot.looks_at <= now), None)
        return slot is not None and slot.begin()

    @property
    def is_busy(self) -> bool:
        """Whether a job runs here."""
        return any(slot.run for slot in self.slots)

    def die(self) -> None:
        """Note that the worker has died with its running jobs."""
        for slot in self.slots:
            if slot.run:
                slot.run.ended, slot.run.outcome = self.clock.now(), "killed"

    def _do_duties(self) -> None:
        unpark(self._delayed)
        limit_holders.heal(self._redis, now=self.clock.now())

    def _new_heartbeat(self) -> Heartbeat:
        return Heartbeat(
            self._register,
            self.identity,
            BeatTasks(
                describe=self._status.beat,
                on_signal=lambda _: None,
                duties=self._do_duties,
                judge=lambda: recover(self._redis, clock=self.clock, own=self.identity),
            ),
            beat_seconds=self.beat_period.total_seconds(),
            clock=self.clock,
        )
