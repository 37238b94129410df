"""The part of a run that outlives it: its result, its position and progress, and how it ended early."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from clock.store.ledger.held_pushes import Push

#: Saves fields in the payload of the running job, and pushes jobs, in one step. False: another worker has the job.
Save = Callable[[Mapping[str, object], Sequence[Push]], bool]

#: Why a run ended early: the worker stops; its time is over; other workers have the job now.
EndedEarly = Literal["", "stopped", "released", "lost"]


class RunState:
    """One run of a job. Written by the job's thread; `progress` is also read by the heartbeat.

    `fields` belong into the payload wherever the job goes next. `ended_early`: the job must run again.
    `on_cancel` interrupts a coroutine; a thread is never interrupted.
    """

    __slots__ = ("cancelled", "ended_early", "fields", "jid", "on_cancel", "progress", "result", "save", "started")

    def __init__(self, save: Save | None = None, started: float | None = None, jid: str = "") -> None:
        self.jid = jid
        self.save = save  # None: this run is not a worker's
        self.fields: Mapping[str, object] = {}
        self.progress: Mapping[str, object] | None = None
        self.started = started  # monotonic seconds; None: unknown
        self.ended_early: EndedEarly = ""
        self.cancelled = False
        self.on_cancel: Callable[[], object] | None = None
        self.result: object = None

    def cancel(self) -> None:
        """Note that the job was cancelled. May be called from another thread, and twice."""
        if not self.cancelled:
            self.cancelled = True
            if self.on_cancel is not None:
                self.on_cancel()
