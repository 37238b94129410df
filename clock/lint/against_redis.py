"""The jobs and events in Redis that the code of this checkout cannot run, before it is deployed.

Each job passes the checks of a worker before a run, in the same order. Nothing is changed.
A job of a queue that other programs work on, Ruby's for instance, is not checked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from clock.errors import (
    ArgumentsError,
    DeclarationError,
    EncryptionKeyMissing,
    NoPerform,
    UndecryptableArgument,
    UnknownJobClass,
)
from clock.inspection.events.schedules import event_of
from clock.inspection.jobs.jobs import FoundJob, found
from clock.job import IterableJob, registry
from clock.job.encryption import decrypted_args
from clock.job.position import FIELD
from clock.job.push.arguments import check_arity
from clock.lint.finding import Finding
from clock.printable import counted
from clock.store import Redis, keys, listing
from clock.store.jobs import scanning
from clock.store.jobs.unserved_queues import unserved
from clock.store.ledger import schedules, timetable_changes
from clock.timetable import Timetable

ALIKE = 0.6  # of difflib: names that differ in a word
MOST_JOBS = 10_000  # of one place: a second or two; a larger place is sampled
SHOWN = 5  # jids in one finding
_ADVICE = {
    "unknown-class": "keep a class of this name, or delete the jobs, or wait until they have run",
    "arguments": "accept the old arguments too, with defaults, until these jobs have run",
    "encryption-key": "keep the old key in CLOCK_ENCRYPTION_KEYS until these jobs have run",
    "cursor": "keep it an IterableJob until these jobs have run",
    "payload": "workers move such jobs to the dead",
}


@dataclass(frozen=True, slots=True)
class StoredFinding(Finding):
    """A finding in Redis: `count` jobs that were read, and the jids of some of them."""

    count: int = 0
    jids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a job cannot run: the rule, and the reason, which is the same for jobs with the same fault."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    key: str
    kind: scanning.Kind
    level: str = "error"


def stored_jobs(redis: Redis, queues: Collection[str] | None, most: int = MOST_JOBS) -> Iterator[Finding]:
    """Jobs that cannot run, and queues without a worker.

    `queues` are those of the workers to be deployed; None: unknown, so the running workers' count. Dead jobs are
    warnings. Raises StoreUnavailable.
    """
    for place in _places(redis):
        total = scanning.size(redis, place.key, place.kind)
        faulty: dict[tuple[str, Fault], list[str]] = {}
        read = 0
        for member in scanning.sampled(redis, place.key, place.kind, total, most):
            read += 1
            job = found(member)
            fault = fault_of(job)
            if fault and not (fault.rule == "unknown-class" and queues is not None and job.queue not in queues):
                faulty.setdefault((str(job.payload.get("class")), fault), []).append(job.jid)
        yield from _findings(place, faulty)
        if read < total:
            text = f"{total:,} jobs, of which {read:,} were read, spread evenly: others may have faults, too"
            yield StoredFinding("warning", "sampled", "", place.name, text, count=total)
    yield from _unserved(redis, queues)


def fault_of(job: FoundJob) -> Fault | None:
    """Why a worker with this code could not run the job; None: it can."""
    payload = job.payload
    name, args = payload.get("class"), payload.get("args")
    if not isinstance(name, str) or not isinstance(args, list):
        return Fault("payload", "the payload is not a job")
    try:
        job_class = registry.lookup(name)
        check_arity(name, job_class.perform, args)
        if "encrypt" in payload:
            decrypted_args(payload)
    except UnknownJobClass:
        return Fault("unknown-class", f"no class is named {name!r}")
    except (ArgumentsError, NoPerform) as error:
        return Fault("arguments", _without_values(error, name, args))
    except (EncryptionKeyMissing, UndecryptableArgument) as error:
        return Fault("encryption-key", str(error))
    kept = payload.get(FIELD)
    has_cursor = isinstance(kept, Mapping) and kept.get("cursor") is not None
    if has_cursor and not (isinstance(job_class, type) and issubclass(job_class, IterableJob)):
        return Fault("cursor", f"{name} is no longer an IterableJob: its saved cursor is ignored, it starts over")
    return None


def _without_values(error: Exception, name: str, args: Sequence[object]) -> str:
    """The error without the job's arguments, so jobs with the same fault are one finding and no value is shown."""
    text = str(error).removeprefix(f"{name}: ")
    return text.partition(": argument ")[0] if args else text


def _places(redis: Redis) -> Iterator[_Place]:
    for name in listing.queue_names(redis):
        yield _Place(f"queue {name}", keys.queue(name), "list")
    yield _Place("scheduled", keys.SCHEDULE, "zset")
    yield _Place("retry", keys.RETRY, "zset")
    for name in listing.parked(redis):
        yield _Place(f"parked {name}", keys.PARKED_JOBS + name, "list")
    yield _Place("dead", keys.DEAD, "zset", "warning")


def _findings(place: _Place, faulty: Mapping[tuple[str, Fault], Sequence[str]]) -> Iterator[Finding]:
    for (name, fault), jids in faulty.items():
        shown = ", ".join(jids[:SHOWN]) + (", ..." if len(jids) > SHOWN else "")
        text = f"{counted(len(jids), 'job')} of {name}: {fault.text}; {_ADVICE[fault.rule]} (jid {shown})"
        yield StoredFinding(
            place.level, fault.rule, "", place.name, text, count=len(jids), jids=tuple(jids[:SHOWN])
        )


def _unserved(redis: Redis, queues: Collection[str] | None) -> Iterator[Finding]:
    waiting = {name: count for name, (count, _) in unserved(redis).items() if name not in (queues or ())}
    for name, count in sorted(waiting.items()):
        text = f"{count:,} jobs wait, and no worker takes from this queue; start one with -q {name}"
        yield StoredFinding("warning", "queue", "", f"queue {name}", text, count=count)


def stored_events(redis: Redis, timetable: Timetable) -> Iterator[Finding]:
    """Events that were removed, each with its new name: of the same schedule, or else of a similar name.

    Raises StoreUnavailable, WrongType.
    """
    running = timetable_changes.declared(redis)
    renamed = {old for event in timetable.events for old in event.options.was}
    removed = [name for name in running if name not in timetable.by_name and name not in renamed]
    added = {name: event.declaration for name, event in timetable.by_name.items() if name not in running}
    for name in removed:
        same = [new for new, words in added.items() if words == running[name]]
        near = get_close_matches(name, same or list(added), 1, 0.0 if same else ALIKE)
        text = "it runs now and is not in the clock file: its runs end with the deploy"
        for new in near:
            text += f". If it is {new!r} now, declare .named({new!r}, was={name!r}): it keeps its last run"
        yield Finding("warning", "removed-event", name, str(timetable.path), text)


def stored_schedules(redis: Redis, timetable: Timetable) -> Iterator[Finding]:
    """Schedules in Redis that this code skips: their class or arguments do not fit, or the file has their name.

    Raises StoreUnavailable, WrongType.
    """
    for schedule in schedules.read(redis):
        text = ""
        if schedule.name in timetable.by_name:
            text = "the clock file declares an event of this name, so the schedule in Redis never runs"
        else:
            try:
                event_of(schedule.name, schedule.fields)
            except DeclarationError as error:
                text = f"this schedule in Redis would never run: {error}"
        if text:
            yield Finding("error", "stored-schedule", schedule.name, "clock:schedules", text)
