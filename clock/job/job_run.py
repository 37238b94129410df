"""One run of a job: the part that outlives it, and the report of it for the worker's listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from clock.job.payload import Payload
from clock.store.ledger.held_pushes import Push

Outcome = Literal["done", "dropped", "failed", "unfit"]


class JobRun(msgspec.Struct, frozen=True):
    """A run of a job that has ended, and the next step of the job: for the log, the metrics, the event's history.

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


#: Saves fields in the payload of the running job, and pushes jobs, in one step. False: another worker has the job.
Save = Callable[[Mapping[str, object], Sequence[Push]], bool]

#: Why a run ended early: the worker stops; its time is over; other workers have the job now.
EndedEarly = Literal["", "stopped", "released", "lost"]


class RunState:
    """One run of a job. Written by the job's thread; `progress` is also read by the heartbeat.

    `fields` belong into the payload wherever the job goes next. `ended_early`: the job must run again.
    `on_cancel` interrupts a coroutine; a thread is never interrupted.
    """

    # Defaults of the class: a run that needs none of these, which is the usual one, pays for none of them.
    fields: Mapping[str, object] = MappingProxyType({})
    progress: Mapping[str, object] | None = None
    ended_early: EndedEarly = ""
    cancelled = False
    on_cancel: Callable[[], object] | None = None
    result: object = None
    batch: object = None  # the job's own batch, once it has been used

    def __init__(self, save: Save | None = None, started: float | None = None, jid: str = "") -> None:
        self.save = save  # None: this run is not a worker's
        self.started = started  # monotonic seconds; None: unknown
        self.jid = jid

    def cancel(self) -> None:
        """Note that the job was cancelled. May be called from another thread, and twice."""
        if not self.cancelled:
            self.cancelled = True
            if self.on_cancel is not None:
                self.on_cancel()
