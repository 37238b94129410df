"""`limits` and `rates`: how many jobs of a name run at a time, and how many start in a time.

The client writes the rules into the payload. The claim in Redis decides, so it needs no code of the application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from clock.errors import JobError, described
from clock.job.context import JobClass
from clock.job.flow.checked_call import checked_call
from clock.job.payload import in_seconds
from clock.printable import brief, is_printable

LONGEST_NAME = 200  # characters
LARGEST = 1_000_000_000  # above what a place can hold, and below what Redis accepts
LARGEST_IN_WINDOW = 100  # starts of one job: Redis keeps an entry for each start
LONGEST_SECONDS = 366 * 86_400.0  # of a rate

Name = str | Callable[..., str]
T = TypeVar("T")


@checked_call
@dataclass(frozen=True, repr=False)
class Limit:
    """At most `maximum` jobs with this name run at a time, in all classes, queues and workers.

    `name` is a text, or a function of the job's arguments that returns one.
    """

    name: Name
    maximum: int

    def __post_init__(self) -> None:
        if not callable(self.name):
            check_name("Limit", self.name, _OR_FUNCTION)
        check_count("Limit: maximum", self.maximum)

    def __repr__(self) -> str:
        return f"Limit({_shown(self.name)}, {self.maximum})"

    def field(self, job: JobClass, args: Sequence[object]) -> dict[str, object]:
        """The limit in a payload. Raises JobError."""
        return {"name": _named(job, "Limit", self.name, args), "max": self.maximum}


@checked_call
@dataclass(frozen=True, repr=False)
class Rate:
    """At most `count` jobs with this name start in each period `per`, a timedelta or seconds.

    - `name`: a text, or a function of the job's arguments that returns one;
    - `window`: False: a bucket of `count` tokens that fills up evenly: after a pause `count` jobs start at once,
      and others follow; True: never more than `count` starts in any `per`;
    - `weight`: for how many starts this job counts, or a function of the job's arguments that returns it.
    """

    name: Name
    count: int
    per: timedelta | float
    window: bool = False
    weight: int | Callable[..., int] = 1

    def __post_init__(self) -> None:
        if not callable(self.name):
            check_name("Rate", self.name, _OR_FUNCTION)
        check_count("Rate: count", self.count)
        if not 0.001 <= (in_seconds(self.per) or 0) <= LONGEST_SECONDS:
            raise JobError(f"Rate: per is {brief(self.per)}; it must be a timedelta or seconds, 0.001 to a year")
        if not isinstance(self.window, bool):
            raise JobError(f"Rate: window is {brief(self.window)}; it must be True or False")
        if not callable(self.weight):
            self._check_weight(self.weight)

    def __repr__(self) -> str:
        return (
            f"Rate({_shown(self.name)}, {self.count}, per={self.per!r}, window={self.window}, "
            f"weight={_shown(self.weight)})"
        )

    def field(self, job: JobClass, args: Sequence[object]) -> dict[str, object]:
        """The rate in a payload. Raises JobError."""
        weight = _called(job, "Rate: weight", self.weight, args) if callable(self.weight) else self.weight
        self._check_weight(weight, f"{job.wire_name}: ")
        found: dict[str, object] = {
            "name": _named(job, "Rate", self.name, args),
            "count": self.count,
            "per": round((in_seconds(self.per) or 0) * 1000),
        }
        if weight != 1:
            found["weight"] = weight
        if self.window:
            found["window"] = True
        return found

    def _check_weight(self, weight: object, where: str = "") -> None:
        most = min(self.count, LARGEST_IN_WINDOW) if self.window else self.count
        if isinstance(weight, bool) or not isinstance(weight, int) or not 1 <= weight <= most:
            with_window = " with window=True" if most < self.count else ""
            raise JobError(
                f"{where}Rate: weight is {brief(weight)}; it must be a whole number, 1 to {most}{with_window}"
            )


def rules_of(value: object, kind: type[T]) -> list[T]:
    """The limits or the rates of an option's value."""
    rules: Iterable[object] = value if isinstance(value, (list, tuple)) else [value]
    return [rule for rule in rules if isinstance(rule, kind)]


def are_rules(value: object, kind: type[Limit] | type[Rate]) -> bool:
    """Whether an option's value is None, a rule of this kind, or a list of them whose names differ."""
    if value is None or isinstance(value, kind):
        return True
    if not isinstance(value, (list, tuple)) or not all(isinstance(rule, kind) for rule in value):
        return False
    names = [rule.name for rule in value]
    return len(set(names)) == len(names)


def depends_on_arguments(fields: Mapping[str, Any]) -> bool:
    """Whether a rule of these fields is a function of the job's arguments."""
    rules = (*fields.get("limits", ()), *fields.get("rates", ()))
    return any(callable(rule.name) or callable(getattr(rule, "weight", 1)) for rule in rules)


def rule_fields(job: JobClass, fields: Mapping[str, Any], args: Sequence[object]) -> dict[str, object]:
    """The payload's own `limits` and `rates`. Raises JobError."""
    found: dict[str, object] = {}
    for option in ("limits", "rates"):
        if option in fields:
            found[option] = rules = [rule.field(job, args) for rule in fields[option]]
            names = [str(rule["name"]) for rule in rules]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise JobError(f"{job.wire_name}: {option} has the name {twice!r} twice; give each its own name")
    return found


def rate_names(payload: Mapping[str, object]) -> list[str]:
    """The names of a payload's rates."""
    found = payload.get("rates")
    rates = found if isinstance(found, list) else []
    return [rate["name"] for rate in rates if isinstance(rate, Mapping) and isinstance(rate.get("name"), str)]


def _named(job: JobClass, kind: str, name: Name, args: Sequence[object]) -> str:
    found = _called(job, f"{kind}: name", name, args) if callable(name) else name
    check_name(f"{job.wire_name}: {kind}", found)
    return str(found)


def _called(job: JobClass, what: str, function: Callable[..., object], args: Sequence[object]) -> object:
    try:
        return function(*args)
    except Exception as error:
        failed = f"the function failed with {described(error)}; it gets the arguments of the job"
        raise JobError(f"{job.wire_name}: {what}: {failed}") from error


_OR_FUNCTION = ", or a function that returns it"


def check_name(kind: str, name: object, more: str = "") -> None:
    """Raises JobError if the name of a rule is invalid. `more`: what else it may be."""
    if not (isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and is_printable(name)):
        text = f"a text of 1 to {LONGEST_NAME} characters without control characters"
        raise JobError(f"{kind}: the name is {brief(name)}; it must be {text}{more}")


def check_count(what: str, count: object, *, least: int = 1) -> None:
    """Raises JobError if a number of jobs, starts or records is invalid."""
    if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= LARGEST:
        raise JobError(f"{what} is {brief(count)}; it must be a whole number, {least} to {LARGEST:,}")


def _shown(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
