"""Options of a job, class attributes or given to `.set(...)`, and the order that a push is built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypedDict

from clock.config.setting_types import NAME_RULE, queue_name
from clock.errors import JobError
from clock.job.context import LEVELS, JobClass, OnCommit
from clock.job.flow.limits import Limit, Rate, are_rules, rules_of
from clock.job.flow.unique import Unique, unique_of
from clock.job.payload import INTERVAL_LIMIT, LATEST, Time, in_seconds
from clock.job.redaction import hidden_places
from clock.printable import brief, closest, is_printable


def _is_count(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, int) and value >= 0)


def _is_bytes(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 2**29)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_queue(value: object) -> bool:
    return queue_name(value) is not None


def _is_duration(value: object) -> bool:
    return value is None or 0 < (in_seconds(value) or 0) < INTERVAL_LIMIT


def _is_time(value: object) -> bool:
    seconds = in_seconds(value)
    return seconds is not None and abs(seconds) <= LATEST  # false for NaN


def _is_instant(value: object) -> bool:
    return value.tzinfo is not None if isinstance(value, datetime) else _is_time(value)


def _are_names(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_name, value))


def _are_fields(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and name.isidentifier() for name in value)


LONGEST_JID = 200
_DURATION = "seconds above 0, or None; the limit is 1,000,000,000 seconds, 31 years"

#: option -> (what a value must be, in words for an error)
OPTIONS: dict[str, tuple[Callable[[object], bool], str]] = {
    "queue": (_is_queue, NAME_RULE),
    "retry": (_is_count, "True, False, or a number of retries (0 or more)"),
    "retry_for": (_is_duration, _DURATION),
    "retry_queue": (lambda value: value is None or _is_queue(value), f"{NAME_RULE}, or None"),
    "dead": (lambda value: isinstance(value, bool), "True or False"),
    "backtrace": (_is_count, "True, False, or a number of lines"),
    "tags": (_are_names, "a list of words"),
    "timeout": (_is_duration, _DURATION),
    "expires_in": (_is_duration, _DURATION),
    "redact": (_are_names, "a list of names of perform's arguments"),
    "exactly_once": (lambda value: isinstance(value, bool), "True or False"),
    "max_run_time": (_is_duration, _DURATION),
    "result_ttl": (_is_duration, _DURATION),
    "result_limit": (_is_bytes, "a number of bytes, 1 to 536,870,912 (512 MB), or None"),
    "unique": (
        lambda value: isinstance(value, bool | Unique | None),
        "True, False, None, or Unique(...)",
    ),
    "limits": (lambda value: are_rules(value, Limit), "Limit(...), a list of them with different names, or None"),
    "rates": (lambda value: are_rules(value, Rate), "Rate(...), a list of them with different names, or None"),
    "encrypt": (lambda value: isinstance(value, bool), "True or False"),
    "enqueue_after_commit": (
        lambda value: value is None or callable(value),
        "a function that calls another one after the commit, or None",
    ),
}

#: option that only `.set()` has -> (what a value must be, in words for an error)
_OPTIONS_OF_A_CALL: dict[str, tuple[Callable[[object], bool], str]] = {
    "wait": (_is_time, "seconds, or a timedelta"),
    "wait_until": (_is_instant, "an aware datetime, or seconds since 1970"),
    "jid": (
        lambda value: _is_name(value) and is_printable(str(value)) and len(str(value)) <= LONGEST_JID,
        "a text of 1 to 200 characters without control characters",
    ),
    "at_front": (lambda value: isinstance(value, bool), "True or False"),
    "durable": (lambda value: type(value) is int and 0 <= value <= 10, "a number from 0 to 10"),
    "log_level": (lambda value: value in list(LEVELS), "debug, info, warning or error"),
    "then": (lambda value: isinstance(value, Signature), "SomeJob.signature(...)"),
    "fields": (_are_fields, "a dict of names, as of variables, to values that JSON has"),
}


class JobOptions(TypedDict, total=False):
    """The options of a job class, for editors and type checkers."""

    queue: str
    retry: bool | int
    retry_for: float | timedelta | None
    retry_queue: str | None
    dead: bool
    backtrace: bool | int
    tags: Sequence[str]
    redact: Sequence[str]
    encrypt: bool
    unique: bool | Unique | None
    limits: Limit | Sequence[Limit] | None
    rates: Rate | Sequence[Rate] | None
    result_ttl: float | timedelta | None
    result_limit: int | None
    exactly_once: bool
    max_run_time: float | timedelta | None
    timeout: float | timedelta | None
    expires_in: float | timedelta | None
    enqueue_after_commit: OnCommit | None


class CallOptions(JobOptions, total=False):
    """The options of `.set()`, for editors and type checkers."""

    wait: float | timedelta
    wait_until: float | datetime
    jid: str
    at_front: bool
    durable: int
    log_level: str
    then: Signature
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Order:
    """A push without its arguments: the job class, options for the payload, the time, and how to send it.

    `when` is the time of the run; `on_commit` delays the push until a commit. `at_front`: the job is taken before
    the jobs that wait already. `durable`: how many replicas must confirm it.
    """

    job: JobClass
    options: Mapping[str, Any] = field(default_factory=dict)
    when: Time | None = None
    on_commit: OnCommit | None = None
    at_front: bool = False
    durable: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """A job with its arguments, to be pushed later: `SomeJob.signature(7)`. The arguments have been checked."""

    order: Order
    args: tuple[Any, ...]


#: Options that JSON holds as seconds.
_DURATIONS = {"retry_for", "timeout", "expires_in", "max_run_time", "result_ttl"}


#: The options of flow control.
RULES = ("unique", "limits", "rates")
#: The options of iteration.
ITERATION = ("exactly_once", "max_run_time")
#: Options of a class that a payload carries if they are true, and if they are not None.
_IF_TRUE = ("backtrace", "encrypt")
_IF_SET = ("retry_for", "retry_queue", "expires_in", "result_ttl", "result_limit")
#: All attributes of a class that `payload_fields` reads.
PAYLOAD_ATTRIBUTES = (
    *("wire_name", "queue", "retry", "dead", "tags", "redact", "perform"),
    *RULES,
    *_IF_TRUE,
    *_IF_SET,
)


def checked(where: str, options: Mapping[str, object], *, with_call: bool = False) -> None:
    """Check names and values of options; `with_call`: also the further options of `.set()`. Raises JobError."""
    known = OPTIONS | _OPTIONS_OF_A_CALL if with_call else OPTIONS
    for name, value in options.items():
        if name not in known:
            hint = closest(name, known, f"available: {', '.join(known)}")
            raise JobError(f"{where}: unknown option {name!r}; {hint}")
        accepts, words = known[name]
        if not accepts(value):
            raise JobError(f"{where}: {name} is {brief(value)}; it must be {words}")


def check_iterates(where: str, job: JobClass, options: Iterable[str]) -> None:
    """Check that a job that does not iterate has no option of iteration. Raises JobError."""
    for name in ITERATION:
        if name in options and not job._iterates:
            other = "; for a time limit use timeout" if name == "max_run_time" else ""
            raise JobError(f"{where}: {name} is an option of IterableJob, which this job is not{other}")


def payload_fields(job: JobClass, over: Mapping[str, Any]) -> dict[str, Any]:
    """The payload's fields that come from class and options; those left at their default are not written.

    `unique`, `limits` and `rates` are the rules themselves: each job has its own fields, made from its arguments.
    """
    fields: dict[str, Any] = {"class": job.wire_name, "queue": job.queue, "retry": job.retry}
    if not job.dead:
        fields["dead"] = False
    if job.tags:
        fields["tags"] = list(job.tags)
    for name in _IF_TRUE:
        if value := getattr(job, name):
            fields[name] = value
    for name in _IF_SET:
        value = getattr(job, name)
        if value is not None:
            fields[name] = value
    fields |= over
    _set_rules(job, fields)
    fields["queue"] = str.strip(fields["queue"])  # of an Enum's member, too: str() would give its class's name
    if names := fields.get("redact", job.redact):
        fields["redact"] = hidden_places(job.wire_name, job.perform, names)
    for name in _DURATIONS & fields.keys():
        fields[name] = in_seconds(fields[name])
    return fields


def _set_rules(job: JobClass, fields: dict[str, Any]) -> None:
    """Set the rules of flow control. A job with rates always has `limits`, too: the claim looks for that field."""
    own = job.unique, job.limits, job.rates
    given = [fields.pop(name, value) for name, value in zip(RULES, own, strict=True)]
    if not any(given):
        return
    if own != job._checked_rules:  # a class may have been changed after it was made
        checked(job.wire_name, dict(zip(RULES, own, strict=True)))
        job._checked_rules = tuple([list(value) if isinstance(value, list) else value for value in own])
    if unique := unique_of(given[0]):
        fields["unique"] = unique
    limits, rates = rules_of(given[1], Limit), rules_of(given[2], Rate)
    if limits or rates:
        fields["limits"] = limits
    if rates:
        fields["rates"] = rates
