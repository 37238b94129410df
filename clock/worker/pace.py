"""How long jobs take here, and so how many are claimed at once and by how many threads they are run."""

from __future__ import annotations

SOON_SECONDS = 0.01  # what is claimed at once should be done within about this time
SHORT_SECONDS = 0.0003  # shorter jobs are run by one thread: handing over costs more than such a job
MOST_AT_ONCE = 500
_WEIGHT = 0.1  # of the latest job in the mean


class Pace:
    """The mean time per job. A time over `SOON_SECONDS` counts as that: jobs that long are claimed one by one."""

    def __init__(self) -> None:
        self._mean_seconds = SOON_SECONDS
        self.finished = 0

    def note(self, seconds: float) -> None:
        """A job took so long."""
        self._mean_seconds += _WEIGHT * (min(seconds, SOON_SECONDS) - self._mean_seconds)
        self.finished += 1

    def note_stall(self) -> None:
        """A job takes so long that what was measured before is no guide."""
        self._mean_seconds = SOON_SECONDS

    @property
    def is_short(self) -> bool:
        """Whether one thread does more than several, as they would wait for each other and not for their jobs."""
        return self._mean_seconds < SHORT_SECONDS

    def how_many(self, threads: int) -> int:
        """How many jobs `threads` threads do soon; 0: jobs are long, and each thread wants one."""
        if self._mean_seconds > SOON_SECONDS / 2:
            return 0
        working = 1 if self.is_short else threads
        return min(MOST_AT_ONCE, int(working * SOON_SECONDS / max(self._mean_seconds, 1e-6)))
