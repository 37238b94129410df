"""What a worker tells of itself with each heartbeat, in the words of Sidekiq's web page."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from functools import cache

import msgspec

from clock import __version__
from clock.clocks import Clock
from clock.job.payload import seconds
from clock.problems import Problems, published
from clock.store.jobs.in_progress import Claimed
from clock.store.jobs.worker_register import Beat
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.fetching.handoff import Slot
from clock.worker.options import WorkerOptions

with suppress(ImportError):  # Windows, where no worker runs, but this is imported
    import resource

SHOWN_BYTES = 10_000  # of a payload; of a larger one, the arguments are left out


class _Summary(msgspec.Struct):
    """The content of a payload apart from its arguments, which are not read."""

    name: str = msgspec.field(name="class", default="")
    jid: str = ""
    created_at: int | float | None = None
    enqueued_at: int | float | None = None


_SUMMARIES = msgspec.json.Decoder(_Summary)


class Status:
    """Describes a worker from its parts."""

    def __init__(
        self,
        fetcher: Fetcher,
        options: WorkerOptions,
        *,
        identity: str,
        clock: Clock,
        problems: Problems | None = None,
    ) -> None:
        self._problems = problems or Problems(clock=clock)
        self._fetcher = fetcher
        self._clock = clock
        self._shown: dict[str, tuple[Claimed, str]] = {}  # thread id -> job, and its payload as it is shown
        _statm()
        self._info: dict[str, object] = {
            "hostname": socket.gethostname(),
            "started_at": seconds(clock.now()),
            "pid": os.getpid(),
            "tag": "python",
            "concurrency": options.concurrency,
            "queues": options.queue_names,
            "weights": [{queue.name: queue.weight for queue in options.queues}],
            "labels": [],
            "identity": identity,
            "version": __version__,
            "embedded": False,
        }

    def beat(self, rtt_us: int) -> Beat:
        """What is told now; `rtt_us` is how long the last heartbeat's round trip took, in microseconds."""
        now, monotonic = seconds(self._clock.now()), self._clock.monotonic()
        running = [(slot, job) for slot in self._fetcher.slots if (job := slot.job)]
        self._shown = {slot.tid: (job, self._payload(slot, job)) for slot, job in running}
        work = {
            slot.tid: {
                **_work(job, self._shown[slot.tid][1], now - (monotonic - slot.started)),
                **_progress(slot),
            }
            for slot, job in running
        }
        return Beat(
            info=self._info,
            busy=len(work),
            beat=now,
            rtt_us=rtt_us,
            quiet=self._fetcher.stopping,
            rss=resident_kb(),
            work=work,
            fetched=now - (monotonic - self._fetcher.claims.last_round_trip),
            problems=published(self._problems, self._clock.now()),
        )

    def _payload(self, slot: Slot, job: Claimed) -> str:
        """The job's payload as it is shown. A large one is read once and not with each heartbeat."""
        before = self._shown.get(slot.tid)
        return before[1] if before and before[0] is job else shown(job)


def shown(job: Claimed) -> str:
    """The payload for Sidekiq's page; of one over `SHOWN_BYTES`, without the arguments."""
    if len(job.payload) <= SHOWN_BYTES:
        return job.payload.decode(errors="replace")
    try:
        summary = _SUMMARIES.decode(job.payload)
    except (ValueError, RecursionError):
        summary = _Summary()
    args = [f"{len(job.payload)} bytes, not shown"]
    return json.dumps({**msgspec.to_builtins(summary), "queue": job.queue, "args": args})


def _progress(slot: Slot) -> dict[str, object]:
    """The progress that the running job reports, if it does. Sidekiq's page ignores the field."""
    progress = slot.state.progress if slot.state else None
    return {} if progress is None else {"progress": progress}


def _work(job: Claimed, payload: str, started: float) -> dict[str, object]:
    return {"queue": job.queue, "payload": payload, "run_at": int(started)}


def resident_kb() -> int:
    """The memory that this process holds, in kB; where the system does not tell, the most that it has held."""
    statm = _statm()
    if statm is not None:
        return int(os.pread(statm, 200, 0).split()[1]) * resource.getpagesize() // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


@cache
def _statm() -> int | None:
    """Kept open, because a job may use up all descriptors of the process. None: this system has no such file."""
    try:
        return os.open("/proc/self/statm", os.O_RDONLY)
    except OSError:
        return None
