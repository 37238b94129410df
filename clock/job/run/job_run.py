"""One run of a job, as the worker's listeners get it: the log, the metrics, the history of the job's event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from clock.job.payload import Payload

Outcome = Literal["done", "dropped", "failed", "unfit"]


class JobRun(msgspec.Struct, frozen=True):
    """A run of a job that has ended, and the next step of the job.

    `outcome` is done, dropped (it raised Discard), failed, or unfit: the worker could not run it at all. `goes_to`
    is `retry`, `dead` or empty. `retry_at` is in float seconds since 1970. `then` is the next step of a failed job
    in words.
    """

    payload: Payload
    queue: str
    outcome: Outcome
    seconds: float = 0.0
    error: BaseException | None = None
    goes_to: str = ""
    retry_at: float = 0.0
    then: str = ""


#: Called with each run, on the thread that ran the job.
RunListener = Callable[[JobRun], object]
