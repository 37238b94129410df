"""Deaths of workers, noted in the payload of a job that ran there: how many, and how each worker ended."""

from __future__ import annotations

from clock.job.payload import Payload
from clock.store.jobs.worker_register import End

COUNT = "worker_killed"
ENDS = "worker_ends"
_WORDS = {
    End.SILENT.name: "stopped sending heartbeats",
    End.ENDED.name: "were killed or exited",
    End.FROZEN.name: "were killed because they were frozen",
}


def deaths_of(payload: Payload) -> int:
    """How many workers have died with this job; 0 if the payload holds anything else.

    >>> [deaths_of({"worker_killed": count}) for count in (2, "x", -1)], deaths_of({})
    ([2, 0, 0], 0)
    """
    count = payload.get(COUNT)
    return max(0, count) if isinstance(count, int) else 0


def note_death(payload: Payload, end: End) -> int:
    """Add a death to the payload, which keeps the last ten ends; returns how many deaths there are now.

    >>> payload = {"worker_killed": 10, "worker_ends": ["SILENT"] * 10}
    >>> note_death(payload, End.ENDED), len(payload["worker_ends"]), payload["worker_ends"][-1]
    (11, 10, 'ENDED')
    """
    ends = payload.get(ENDS)
    payload[ENDS] = [*(ends if isinstance(ends, list) else []), end.name][-10:]
    payload[COUNT] = count = deaths_of(payload) + 1
    return count


def forget_deaths(payload: Payload) -> str:
    """Take the deaths out of the payload; returns what happened, in words.

    >>> forget_deaths({"worker_killed": 3, "worker_ends": ["SILENT", "ENDED", "SILENT"]})
    '3 workers that ran this job stopped sending heartbeats or were killed or exited'
    """
    count, ends = deaths_of(payload), payload.pop(ENDS, None)
    payload.pop(COUNT, None)
    known = [_WORDS[end] for end in map(str, ends) if end in _WORDS] if isinstance(ends, list) else []
    return f"{count} workers that ran this job {' or '.join(dict.fromkeys(known)) or 'died'}"
