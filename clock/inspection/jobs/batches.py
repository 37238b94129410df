"""Batches: how far they are, and whether each pending job is still in Redis.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice

from clock.clocks import from_ms
from clock.inspection.doctor.finding import Finding, Grade
from clock.printable import shortened_list
from clock.store import Redis
from clock.store.jobs.flow import batches as stored
from clock.store.jobs.flow.batches import Child

OPEN_TOO_LONG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch: its state (open, sealed, done), and how many of its jobs are pending, done, and ended otherwise.

    `fired` has the time of each event. `opener` is the jid of the job that opened it.
    """

    bid: str
    state: str
    pending: int
    done: int
    failed: int
    created_at: datetime
    fired: Mapping[str, datetime]
    parent: str | None = None
    opener: str | None = None
    description: str = ""

    @property
    def ended_with_failures(self) -> bool:
        """Whether all its jobs have ended, some of them without success, so `on_success` has not been pushed."""
        return self.state == "done" and self.failed > 0 and "success" not in self.fired

    @property
    def total(self) -> int:
        """How many jobs it has."""
        return self.pending + self.done + self.failed


def batches(redis: Redis) -> list[BatchView]:
    """All batches, the newest first."""
    found = stored.read_all(redis)
    counts = stored.count(redis, list(found))
    views = [_view(bid, batch, count) for (bid, batch), count in zip(found.items(), counts, strict=True)]
    return views[::-1]


def batch(redis: Redis, bid: str) -> BatchView | None:
    """One batch; None: unknown."""
    found = stored.read(redis, bid)
    return _view(bid, found, stored.count(redis, [bid])[0]) if found else None


def failures(redis: Redis, bid: str, limit: int) -> list[Child]:
    """The jobs of a batch that have ended without success: dead, dropped, cancelled, deleted or lost."""
    return list(islice(stored.children(redis, bid, "f"), limit))


def batch_json(view: BatchView) -> dict[str, object]:
    """A batch for programs."""
    return {**asdict(view), "total": view.total}


def _view(bid: str, found: stored.Batch, counts: stored.Counts) -> BatchView:
    pending, done, failed = counts
    if found.state == "done" and found.total is not None and "success" in found.fired:
        done = found.total  # its children are removed
    fired = {event: from_ms(int(at)) for event, at in found.fired.items()}
    about = (found.parent, found.opener, found.description)
    return BatchView(bid, found.state, pending, done, failed, from_ms(int(found.created)), fired, *about)


def open_batches(redis: Redis, now: datetime) -> Iterator[Finding]:
    """Batches that have been open for more than an hour."""
    found = [
        (bid, one)
        for bid, one in stored.read_all(redis).items()
        if one.state == "open" and now - from_ms(int(one.created)) > OPEN_TOO_LONG
    ]
    if not found:
        yield Finding("batches", Grade.GOOD, "none has been open for more than an hour")
        return
    named = shortened_list([f"{bid} of job {one.opener}" if one.opener else bid for bid, one in found])
    yield Finding(
        "batches",
        Grade.WARNING,
        f"open for more than an hour: {named}",
        "retry the job that opened it, or seal it by hand: clock batches BID --seal",
    )
