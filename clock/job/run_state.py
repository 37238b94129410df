"""The part of a run that outlives it: the position of an iteration, its progress, and how the run ended early."""

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
    """

    __slots__ = ("ended_early", "fields", "progress", "save", "started")

    def __init__(self, save: Save | None = None, started: float | None = None) -> None:
        self.save = save  # None: this run is not a worker's
        self.fields: Mapping[str, object] = {}
        self.progress: Mapping[str, object] | None = None
        self.started = started  # monotonic seconds; None: unknown
        self.ended_early: EndedEarly = ""
