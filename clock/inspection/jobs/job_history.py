"""The history of one job: the times in its payload, and the firing of the event that pushed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clock.inspection.jobs.jobs import FoundJob
from clock.job.payload import instant
from clock.store import Redis
from clock.store.ledger import history

#: Field of a payload -> its meaning.
_TIMES: Mapping[str, str] = {
    "created_at": "created",
    "enqueued_at": "enqueued",
    "failed_at": "failed first",
    "retried_at": "failed again",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a job: when (float seconds since 1970), what, and more about it."""

    at: float
    what: str
    detail: str = ""


def moments(redis: Redis, job: FoundJob) -> list[Moment]:
    """The history of a job, oldest first. Raises StoreUnavailable."""
    return sorted([*_of_payload(job), *_of_event(redis, job)], key=lambda moment: moment.at)


def _of_payload(job: FoundJob) -> Iterator[Moment]:
    latest_failure = "retried_at" if "retried_at" in job.payload else "failed_at"
    for name, what in _TIMES.items():
        at = instant(job.payload.get(name))
        if at is not None:
            yield Moment(at, what, (job.error or "") if name == latest_failure else "")


def _of_event(redis: Redis, job: FoundJob) -> Iterator[Moment]:
    firing = job.payload.get("clock")
    if not isinstance(firing, dict) or not isinstance(firing.get("event"), str):
        return
    event, due = firing["event"], firing.get("due")
    for record in history.read(redis, event):
        if record["due"] == due:
            yield Moment(record["due"] / 1000, "due", f"event {event!r}: {record['decision']}")
            outcome = record.get("outcomes", {}).get(job.jid)
            if outcome:
                detail = f"{outcome['outcome']}, ran {outcome['took_ms']} ms"
                yield Moment(outcome["at"] / 1000, "ran", detail)
            return
