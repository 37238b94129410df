"""`unique`: of jobs with the same key, only one waits or runs at a time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple, get_args

from clock.errors import JobError, described
from clock.job.flow.checked_call import checked_call
from clock.job.types import JobClass
from clock.printable import brief, closest
from clock.store.jobs.flow.unique_locks import Lock

Until = Literal["start", "done"]
OnConflict = Literal["skip", "replace", "raise"]
LONGEST_WINDOW = 366 * 86_400.0  # seconds


@checked_call
@dataclass(frozen=True, repr=False)
class Unique:
    """Defines which jobs are equal, how long one of them blocks the others, and what a blocked push does.

    - `by`: a function of the arguments, or names of parameters; None: all arguments;
    - `until`: "done": until the job has ended for good; "start": until a worker starts it;
    - `on_conflict`: "skip": the push returns the holder's jid; "replace": the new job takes the place of the
      waiting one; "raise": the push raises NotUnique;
    - `window`: a timedelta, or seconds: the lock lasts this long after the push, even if the job ends earlier.
    """

    by: Callable[..., object] | Sequence[str] | str | None = None
    until: Until = "done"
    on_conflict: OnConflict = "skip"
    window: timedelta | float | None = None

    def __post_init__(self) -> None:
        _check_word("until", self.until, get_args(Until))
        _check_word("on_conflict", self.on_conflict, get_args(OnConflict))
        if not _is_window(self.window):
            raise JobError(
                f"Unique: window is {brief(self.window)}; it must be a timedelta or seconds, 0.001 to a year"
            )
        if not (self.by is None or callable(self.by) or _are_names(self.by)):
            raise JobError(
                f"Unique: by is {brief(self.by)}; it must be a function or names of perform's parameters"
            )

    def __repr__(self) -> str:
        by = getattr(self.by, "__qualname__", None) or self.by
        return f"Unique(by={by!r}, until={self.until!r}, on_conflict={self.on_conflict!r}, window={self.window!r})"

    @property
    def names(self) -> Sequence[str]:
        """The names of the parameters in `by`."""
        if isinstance(self.by, str):
            return [self.by]
        return list(self.by) if isinstance(self.by, Sequence) else []

    def check_names(self, where: str, perform: Callable[..., object]) -> None:
        """Check that `perform` has the parameters in `by`. Raises JobError."""
        known = list(inspect.signature(perform).parameters)[1:]
        for name in self.names:
            if name not in known:
                takes = f"perform takes {', '.join(known) or 'no argument'}"
                raise JobError(f"{where}: unique names the parameter {name!r}; {closest(name, known, takes)}")

    def check_encrypted(self, job: JobClass, args: Sequence[object]) -> None:
        """Check that the encrypted argument, the last one, does not count: a hash can be guessed. JobError."""
        last = [*inspect.signature(job.perform).bind(None, *args).arguments][-1]
        if self.by is None or last in self.names:
            raise JobError(
                f"{job.wire_name}: {last!r} is encrypted, and the key of the lock would be a hash of it; "
                "name other parameters: unique = Unique(by=...)"
            )

    def lock(self, job: JobClass, args: Sequence[object], jid: str) -> Lock:
        """The lock that a push with these arguments needs. Raises JobError."""
        return Lock(self.key(job, args), jid, _window_ms(self.window), self.on_conflict)

    def key(self, job: JobClass, args: Sequence[object]) -> str:
        """The class and a hash of the arguments that count. Raises JobError if JSON does not support them."""
        value = self._value(job, args)
        try:
            text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError):
            raise JobError(
                f"{job.wire_name}: unique's `by` returned {brief(value)}, which JSON does not support; "
                "return an id, a text or a list of them"
            ) from None
        return f"{job.wire_name}:{hashlib.sha256(text.encode()).hexdigest()[:24]}"

    def _value(self, job: JobClass, args: Sequence[object]) -> object:
        if callable(self.by):
            return _called(job, self.by, args)
        bound = inspect.signature(job.perform).bind(None, *args)
        bound.apply_defaults()
        if self.by is None:
            return [*bound.args[1:]]
        if not bound.arguments.keys() >= set(self.names):
            self.check_names(job.wire_name, job.perform)
        return [bound.arguments[name] for name in self.names]


class UniqueField(NamedTuple):
    """The lock in a payload."""

    key: str
    until: str
    conflict: str


def unique_of(value: object) -> Unique | None:
    """The rule of an option's value: True means `Unique()`, False and None no rule."""
    return value if isinstance(value, Unique) else Unique() if value is True else None


def field_for(unique: Unique, lock: Lock) -> dict[str, object]:
    """The field of the payload: with it, workers free the lock without application code."""
    return {"key": lock.key, "until": unique.until, "conflict": lock.conflict}


def unique_field(payload: Mapping[str, object]) -> UniqueField | None:
    """The lock of a payload; None: the job is not unique, or another program wrote the field."""
    found = payload.get("unique")
    if not isinstance(found, Mapping) or not isinstance(found.get("key"), str):
        return None
    return UniqueField(found["key"], str(found.get("until")), str(found.get("conflict")))


def lock_pair(payload: Mapping[str, object]) -> tuple[str, str] | None:
    """(key, jid) of the lock that the end of this job frees; None: it has none."""
    field = unique_field(payload)
    return (field.key, str(payload.get("jid"))) if field else None


def _called(job: JobClass, by: Callable[..., object], args: Sequence[object]) -> object:
    try:
        return by(*args)
    except Exception as error:
        raise JobError(f"{job.wire_name}: unique's `by` failed with {described(error)}") from error


def _are_names(by: object) -> bool:
    return isinstance(by, (str, list, tuple)) and all(isinstance(name, str) for name in by)


def _is_window(window: object) -> bool:
    if window is None:
        return True
    if isinstance(window, bool) or not isinstance(window, (timedelta, int, float)):
        return False
    seconds = window.total_seconds() if isinstance(window, timedelta) else window
    return 0.001 <= seconds <= LONGEST_WINDOW


def _window_ms(window: timedelta | float | None) -> int:
    seconds = window.total_seconds() if isinstance(window, timedelta) else window or 0
    return int(seconds * 1000)


def _check_word(name: str, value: object, known: Sequence[Any]) -> None:
    if value not in known:
        raise JobError(f"Unique: {name} is {brief(value)}; it must be one of {', '.join(map(repr, known))}")
