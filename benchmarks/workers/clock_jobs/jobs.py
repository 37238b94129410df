"""The same jobs as clock's."""

from benchmarks.workers import same_jobs
from clock import Job, Limit, Rate


class MarkInstantJob(Job):
    """Notes that now is `name`."""

    def perform(self, name: str) -> None:
        """Note it."""
        same_jobs.mark(name)


class DoNothingJob(Job):
    """Does nothing."""

    def perform(self) -> None:
        """Do nothing."""


class WithLimitJob(DoNothingJob):
    """Does nothing, under a limit that never takes effect. The name is as long as that of the job without."""

    limits = Limit("never full", 1_000_000)


class WithARateJob(DoNothingJob):
    """Does nothing, under a rate that never takes effect."""

    rates = Rate("never reached", 1_000_000_000, per=1)


class HeldBackJob(DoNothingJob):
    """Is blocked: the benchmark sets the maximum to 0."""

    limits = Limit("held back", 1)


class TakeNapJob(Job):
    """Waits for a millisecond."""

    def perform(self) -> None:
        """Wait."""
        same_jobs.nap()


class StampWaitJob(Job):
    """Notes how long it waited."""

    def perform(self, pushed: float) -> None:
        """Note it."""
        same_jobs.stamp(pushed)


BY_NAME: dict[str, type[Job]] = {
    "mark": MarkInstantJob,
    "nothing": DoNothingJob,
    "limited": WithLimitJob,
    "rated": WithARateJob,
    "held": HeldBackJob,
    "nap": TakeNapJob,
    "stamp": StampWaitJob,
}
