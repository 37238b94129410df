"""The running job of this thread or task, for its own code and for log lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from clock.clocks import Clock, SystemClock, from_ms
from clock.job.payload import Payload
from clock.job.run.run_state import RunState

_SYSTEM_CLOCK = SystemClock()


class Context(msgspec.Struct, frozen=True):
    """One run of a job: its payload, whether the worker is stopping, the queue it came from, and the time."""

    payload: Payload = msgspec.field(default_factory=dict)
    is_stopping: Callable[[], bool] = lambda: False
    queue: str = "default"
    clock: Clock = _SYSTEM_CLOCK
    state: RunState = msgspec.field(default_factory=RunState)
    decrypted: Sequence[Any] | None = None  # the arguments, if the payload holds an encrypted one

    @property
    def args(self) -> Sequence[Any]:
        """The arguments for `perform`."""
        if self.decrypted is not None:
            return self.decrypted
        args = self.payload.get("args")
        return args if isinstance(args, list) else ()

    @property
    def jid(self) -> str:
        """The job's id."""
        return str(self.payload.get("jid") or "")

    @property
    def attempt(self) -> int:
        """1 on the first run, 2 on the first retry, and so on.

        "Retry now" on Sidekiq's page costs no retry: it takes one from the count, which is -1 after one failure.
        """
        count = self.payload.get("retry_count")
        return max(2, count + 2) if isinstance(count, int) else 1

    def report_progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Note how far the run has come, for the next heartbeat."""
        state = self.state
        if state.started is None:
            state.started = self.clock.monotonic()
        spent = round(self.clock.monotonic() - state.started, 3)
        state.progress = {"done": done, "total": total, "seconds": spent, "note": note}

    def instant(self, name: str) -> datetime | None:
        """`due` or `previous` of the firing that pushed the job."""
        firing = self.payload.get("clock")
        ms = firing.get(name) if isinstance(firing, Mapping) else None
        return from_ms(ms) if isinstance(ms, int) else None
