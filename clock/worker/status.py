"""What a worker tells of itself with each heartbeat, in the words of Sidekiq's web page."""

from __future__ import annotations

import os
import resource
import socket
import sys
from pathlib import Path

from clock import __version__
from clock.clocks import Clock
from clock.job.payload import seconds
from clock.store.processes import Beat
from clock.worker.fetcher import Fetcher
from clock.worker.options import WorkerOptions
from clock.worker.ready import Slot

_STATM = Path("/proc/self/statm")


class Status:
    """Describes a worker from its parts."""

    def __init__(self, fetcher: Fetcher, options: WorkerOptions, *, identity: str, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
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
        work = {
            slot.tid: _work(slot, now - (monotonic - slot.started)) for slot in self._fetcher.slots if slot.job
        }
        return Beat(
            info=self._info,
            busy=len(work),
            beat=now,
            rtt_us=rtt_us,
            quiet=self._fetcher.stopping,
            rss=resident_kb(),
            work=work,
            fetched=now - (monotonic - self._fetcher.last_round_trip),
        )


def _work(slot: Slot, started: float) -> dict[str, object]:
    job = slot.job
    return {
        "queue": job.queue if job else "",
        "payload": job.payload.decode(errors="replace") if job else "",
        "run_at": int(started),
    }


def resident_kb() -> int:
    """The memory that this process holds, in kB; where the system does not tell, the most that it has held."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
