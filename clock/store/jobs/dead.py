"""The limits of `dead`: how many dead jobs are kept, and for how long. The caller logs what they remove."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from clock.store import keys
from clock.store.scripts import run

STEP = 200  # jobs removed in one script call: below a ms of Redis's time


@dataclass(frozen=True, slots=True)
class DeadLimits:
    """How many dead jobs are kept, and for how many seconds after they died. The defaults are Sidekiq's."""

    max_jobs: int = 10_000
    seconds: float = 180 * 24 * 3600

    def words(self, removed: Trimmed) -> str:
        """The removed jobs in words, for a log line or a command's answer."""
        reasons = (
            (removed.by_number, f"dead_max_jobs = {self.max_jobs}"),
            (removed.by_age, f"dead_timeout = {self.seconds:g} (seconds)"),
        )
        return " and ".join(
            f"{count:,} older dead {'job was' if count == 1 else 'jobs were'} removed by {setting}"
            for count, setting in reasons
            if count
        )


DEFAULT_LIMITS = DeadLimits()


@dataclass(frozen=True, slots=True)
class Trimmed:
    """How many dead jobs were removed because of their age, and how many because there were too many."""

    by_age: int = 0
    by_number: int = 0

    def __add__(self, other: Trimmed) -> Trimmed:
        return Trimmed(self.by_age + other.by_age, self.by_number + other.by_number)

    @property
    def count(self) -> int:
        """How many in all."""
        return self.by_age + self.by_number


def trim(redis: Redis, limits: DeadLimits, now: float) -> Trimmed:
    """Remove what the limits do not keep at `now` (float seconds), in short steps. Raises StoreUnavailable."""
    removed = Trimmed()
    args = [now - limits.seconds, limits.max_jobs, STEP]
    while (step := Trimmed(*run(redis, "trim_dead", [keys.DEAD], args))).count:
        removed += step
        if step.count < STEP:
            break
    return removed
