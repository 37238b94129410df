"""Forecasts when jobs start: the runs of a timetable wait in one queue for the slots of the workers.

Jobs start in the order in which they are due, each in the slot that is free first. Queues with priorities, retries
and jobs that are not pushed by events are not part of the forecast.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice, pairwise

from clock.errors import ConfigurationError
from clock.inspection.jobs.metrics import Span, figures
from clock.inspection.processes import workers
from clock.rehearsal.event_job import job_class_of
from clock.store import Redis
from clock.timetable import Event, Timetable
from clock.timetable.triggers.adjustments import Spread

MOST_RUNS = 500_000  # some seconds of work
MEASURED = Span(432, 10)  # 3 days: workers keep figures for so long

LATE_SECONDS = 1.0  # a job that starts later than this is late
BUSIEST = 10  # minutes that are shown
SPREADS = (60, 120, 300, 600, 900, 1800, 3600)  # seconds that are tried
LOOK_AHEAD = 86_400  # seconds after the period, in which the next runs of an event count: more than any spread
MOST_TRIED = 12  # events whose spread is tried, those that wait longest first
LEAST_GAIN = 0.1  # a suggestion must save this part of the time that all jobs wait


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its due instant in seconds since 1970, its event, and the seconds that its job takes."""

    due: float
    event: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """The runs of a period in the order of their due instants.

    `assumed` are job classes without measured runs. `in_clock` are events whose function runs in the clock, so
    they keep no worker slot busy.
    """

    start: datetime
    end: datetime
    runs: Sequence[Run]
    events: Mapping[str, Event]
    assumed: Sequence[str] = field(default_factory=list)
    in_clock: Sequence[str] = field(default_factory=list)

    @property
    def conditional(self) -> list[str]:
        """The events with runs and a condition, which counts as true."""
        return [name for name in {run.event: None for run in self.runs} if self.events[name].condition is not None]


@dataclass(frozen=True, slots=True)
class Start:
    """A run, and when its job starts, in seconds since 1970."""

    run: Run
    at: float

    @property
    def late(self) -> float:
        """How many seconds after its due instant the job starts."""
        return self.at - self.run.due


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event with late jobs: how many are late, of how many, and the worst one."""

    event: str
    late: int
    runs: int
    worst: Start


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute, in seconds since 1970: jobs due in it, jobs that wait at its end, the busy part of the slots."""

    at: int
    due: int
    waiting: int
    busy: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A spread that shortens the waiting: the event, the seconds, and the seconds that all jobs wait with it."""

    event: str
    spread: timedelta
    waits: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a load with `slots`. `waits` is the sum of the seconds that jobs wait."""

    load: Load
    slots: int
    starts: Sequence[Start]
    late: Sequence[LateEvent]
    minutes: Sequence[Minute]
    suggestions: Sequence[Suggestion] = field(default_factory=list)

    @property
    def waits(self) -> float:
        """The seconds that all jobs wait together."""
        return sum(start.late for start in self.starts)

    @property
    def busy(self) -> float:
        """The part of the slots that is busy over the whole period."""
        whole = (self.load.end - self.load.start).total_seconds() * self.slots
        return sum(run.seconds for run in self.load.runs) / whole

    @property
    def busiest(self) -> list[Minute]:
        """The busiest minutes, in the order of time."""
        found = sorted(self.minutes, key=lambda minute: (-minute.waiting, -minute.busy, minute.at))[:BUSIEST]
        return sorted(found, key=lambda minute: minute.at)


def load_of(
    timetable: Timetable, start: datetime, end: datetime, *, seconds: Mapping[str, float], default: float
) -> Load:
    """The load of a timetable from `start` to `end`.

    `seconds` has the mean run time of each job class, `default` is that of the others. Conditions count as true.
    Raises ConfigurationError for more than `MOST_RUNS`.
    """
    jobs = {event.name: job for event in timetable.events if (job := job_class_of(event)) is not None}
    took = {name: seconds.get(job.wire_name, default) for name, job in jobs.items()}
    found = list(islice(timetable.due_between(start, end), MOST_RUNS + 1))
    if len(found) > MOST_RUNS:
        raise ConfigurationError(
            f"the timetable has more than {MOST_RUNS:,} runs from {start.isoformat()} to {end.isoformat()}: "
            "choose a shorter period with --to"
        )
    runs = [Run(due, event.name, took[event.name]) for due, event in found if event.name in took]
    assumed = sorted({job.wire_name for job in jobs.values() if job.wire_name not in seconds})
    in_clock = [event.name for event in timetable.events if event.name not in jobs]
    return Load(start, end, runs, timetable.by_name, assumed, in_clock)


def measured_seconds(redis: Redis, now: datetime) -> dict[str, float]:
    """The mean seconds of each job class in the last 3 days, of runs that succeeded. Raises StoreUnavailable."""
    found = figures(redis, MEASURED, now).classes
    return {one.job_class: one.mean_seconds for one in found if one.processed > one.failed}


def live_slots(redis: Redis, now: datetime) -> int:
    """How many jobs the running workers can run at once. Raises StoreUnavailable."""
    return sum(worker.concurrency for worker in workers(redis, now.timestamp()) if not worker.quiet)


def forecast(load: Load, slots: int) -> Forecast:
    """When each job of the load starts, which are late, the busiest minutes, and spreads that help."""
    starts = list(starts_of(load.runs, slots))
    made = Forecast(load, slots, starts, _late(starts), _minutes(starts, slots))
    return replace(made, suggestions=_suggestions(made)) if made.late else made


def starts_of(runs: Sequence[Run], slots: int) -> Iterator[Start]:
    """When each run starts. The runs are in the order of their due instants."""
    free = [float("-inf")] * slots
    for run in runs:
        at = max(run.due, free[0])
        heapq.heapreplace(free, at + run.seconds)
        yield Start(run, at)


def _late(starts: Sequence[Start]) -> list[LateEvent]:
    of_event: dict[str, list[Start]] = defaultdict(list)
    for start in starts:
        of_event[start.run.event].append(start)
    found = []
    for event, all_ in of_event.items():
        late = [start for start in all_ if start.late > LATE_SECONDS]
        if late:
            found.append(LateEvent(event, len(late), len(all_), max(late, key=lambda start: start.late)))
    return sorted(found, key=lambda one: -one.worst.late)


def _minutes(starts: Sequence[Start], slots: int) -> list[Minute]:
    due: Counter[int] = Counter()
    waiting: Counter[int] = Counter()
    busy: dict[int, float] = defaultdict(float)
    for start in starts:
        due[_minute(start.run.due)] += 1
        for minute in range(_minute(start.run.due), _minute(start.at), 60):
            waiting[minute] += 1
        for minute in range(_minute(start.at), _minute(start.at + start.run.seconds) + 1, 60):
            ends = min(minute + 60, start.at + start.run.seconds)
            busy[minute] += max(0.0, ends - max(minute, start.at))
    return [Minute(at, due[at], waiting[at], busy[at] / (60 * slots)) for at in sorted({*due, *busy, *waiting})]


def _minute(seconds: float) -> int:
    return int(seconds // 60) * 60


def _suggestions(made: Forecast) -> list[Suggestion]:
    """Spreads that shorten the waiting, found one after the other: each is tried together with those before it."""
    runs, waits = list(made.load.runs), made.waits
    found = []
    for event in _by_waiting(made.starts)[:MOST_TRIED]:
        if made.load.events[event].options.adjustments.spread is not None:
            continue
        gap = _shortest_gap(made.load, event)
        tried = [(_spread(made.load, runs, event, seconds), seconds) for seconds in SPREADS if seconds <= gap]
        if not tried:
            continue
        total, seconds, moved = min((_waits(some, made.slots), seconds, some) for some, seconds in tried)
        if total < waits and waits - total >= LEAST_GAIN * waits:
            found.append(Suggestion(event, timedelta(seconds=seconds), total))
            runs, waits = moved, total
    return found


def _by_waiting(starts: Sequence[Start]) -> list[str]:
    """The events of the runs that wait or make others wait, those with most work at crowded instants first."""
    crowded = Counter(start.run.due for start in starts)
    work: Counter[str] = Counter()
    for start in starts:
        if crowded[start.run.due] > 1 or start.late > LATE_SECONDS:
            work[start.run.event] += int(1000 * start.run.seconds) + 1
    return [event for event, _ in work.most_common()]


def _shortest_gap(load: Load, name: str) -> float:
    """The seconds between the two nearest runs of an event. A longer spread would overlap its next run."""
    end = int(load.end.timestamp())
    following = load.events[name].due_between(end - 1, end + LOOK_AHEAD, anchor=load.start)
    dues = sorted({*(run.due for run in load.runs if run.event == name), *islice(following, 2)})
    return min((later - earlier for earlier, later in pairwise(dues)), default=float("inf"))


def _spread(load: Load, runs: Sequence[Run], name: str, seconds: int) -> list[Run]:
    mine = next(run for run in runs if run.event == name)
    event = load.events[name]
    start, end = int(load.start.timestamp()), int(load.end.timestamp())
    moved = Spread(event.trigger, name, seconds).due_between(start, end, start, None)
    others = [run for run in runs if run.event != name]
    return sorted([*others, *(replace(mine, due=due) for due in moved)], key=lambda run: run.due)


def _waits(runs: Sequence[Run], slots: int) -> float:
    return sum(start.late for start in starts_of(runs, slots))
