"""`unique`: of jobs with the same key, only one waits or runs at a time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple, get_args

from clock.errors import JobError, described
from clock.job.context import JobClass
from clock.job.flow.checked_call import checked_call
from clock.job.payload import in_seconds
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
        for name, words in ("until", get_args(Until)), ("on_conflict", get_args(OnConflict)):
            if (value := getattr(self, name)) not in words:
                raise JobError(
                    f"Unique: {name} is {brief(value)}; it must be one of {', '.join(map(repr, words))}"
                )
        if self.window is not None and not 0.001 <= (in_seconds(self.window) or 0) <= LONGEST_WINDOW:
            raise JobError(
                f"Unique: window is {brief(self.window)}; it must be a timedelta or seconds, 0.001 to a year"
            )
        is_names = isinstance(self.by, (str, list, tuple)) and all(isinstance(name, str) for name in self.by)
        if not (self.by is None or callable(self.by) or is_names):
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
        return Lock(self.key(job, args), jid, int((in_seconds(self.window) or 0) * 1000), self.on_conflict)

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
            try:
                return self.by(*args)
            except Exception as error:
                raise JobError(f"{job.wire_name}: unique's `by` failed with {described(error)}") from error
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
