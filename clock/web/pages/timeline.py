"""A day by event: what was decided, and what will be due; and whether the workers have room for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Any

from clock.clocks import to_ms
from clock.inspection.events.event_rows import EventRow, day_of_events
from clock.web.charts.strips import kind_of
from clock.web.input import inputs
from clock.web.page import Page, Show, Visit

EVENTS_ON_A_PAGE = 25
RECORDS = 400  # of an event that are read for a day
MOST_MARKS = 400  # in a lane: more are too close to be distinguished
SLOT_MINUTES = 15  # of the load
LEAST_SECONDS = 1.0  # of a job that has never been measured

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A due instant: `start` and `seconds` since the start of the day, and its decision (`planned`: future)."""

    start: float
    seconds: float
    kind: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Lane:
    """The marks of one event. `is_cut`: there are more than are drawn."""

    name: str
    marks: Sequence[Mark]
    is_cut: bool


@dataclass(frozen=True)
class Day:
    """A day in a zone: it may have 23 or 25 hours."""

    begin: datetime
    end: datetime
    zone: tzinfo

    @cached_property
    def begin_ms(self) -> int:
        """Its start in ms since 1970."""
        return to_ms(self.begin)

    @cached_property
    def end_ms(self) -> int:
        """Its end in ms since 1970."""
        return to_ms(self.end)

    @cached_property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds()

    @cached_property
    def change(self) -> float | None:
        """The time at which the zone's offset changes, in seconds since the start of the day, or None."""
        first = self.begin.astimezone(self.zone).utcoffset()
        for minutes in range(0, int(self.seconds // 60), 30):
            if (self.begin + timedelta(minutes=minutes)).astimezone(self.zone).utcoffset() != first:
                return minutes * 60.0
        return None

    def hours(self, step: int = 3) -> list[tuple[str, float]]:
        """The hours that are written at the axis, and their places in seconds."""
        found = []
        for hour in range(0, 24, step):
            local = datetime.combine(self.begin.astimezone(self.zone).date(), time(hour), self.zone)
            found.append((f"{hour:02}", (local.astimezone(UTC) - self.begin).total_seconds()))
        return found


def show(visit: Visit) -> Page:
    """The timeline of the day that the query asks for, or of today."""
    zone = visit.data.source.timetable.settings.tz if visit.data.source.timetable else visit.zone
    today = visit.now.astimezone(zone).date()
    chosen = inputs.day("day", visit.request.get("day"), today)
    day = day_of(chosen, zone)
    names, first = visit.data.event_names(), inputs.number("first", visit.request.get("first"))
    rows = visit.data.events(names[first : first + EVENTS_ON_A_PAGE], visit.now, 1)
    spans = day_of_events(visit.data.redis, [row.name for row in rows], day.begin, RECORDS)
    lanes = [_lane(row, day, visit.now, *span) for row, span in zip(rows, spans, strict=True)]
    slots = sum(worker.concurrency for worker in visit.data.status().workers)
    load = load_of(lanes, day)
    return Page(
        template="timeline",
        title=visit.texts("timeline.title"),
        section="timeline",
        json=lambda: {
            "day": chosen.isoformat(),
            "zone": str(zone),
            "slots": slots,
            "load": [round(need, 2) for need in load],
            "events": {lane.name: [_mark_json(mark, day) for mark in lane.marks] for lane in lanes},
        },
        view={
            "day": day,
            "chosen": chosen,
            "today": today,
            "before": chosen - timedelta(days=1),
            "after": chosen + timedelta(days=1),
            "lanes": lanes,
            "load": load,
            "slots": slots,
            "too_much": too_much(load, slots, day) if slots else [],
            "at": (visit.now - day.begin).total_seconds(),
            "zone": zone,
            "first": first,
            "all": len(names),
            "following": first + EVENTS_ON_A_PAGE if first + EVENTS_ON_A_PAGE < len(names) else None,
        },
    )


def day_of(chosen: date, zone: tzinfo) -> Day:
    """A date as it passes in a zone."""
    begin = datetime.combine(chosen, time(), zone).astimezone(UTC)
    end = datetime.combine(chosen + timedelta(days=1), time(), zone).astimezone(UTC)
    return Day(begin, end, zone)


def _lane(row: EventRow, day: Day, now: datetime, records: Sequence[Record], usual: float) -> Lane:
    """The marks of an event; `usual` is how many seconds its jobs usually take."""
    decided = [_decided(record, day, usual) for record in records if _is_on(record, day)]
    planned = list(_planned(row, day, now, usual))
    marks = sorted([*decided, *planned], key=lambda mark: mark.start)
    return Lane(row.name, marks, len(planned) >= MOST_MARKS or len(decided) >= RECORDS)


def _is_on(record: Record, day: Day) -> bool:
    due: int = record["due"]
    return day.begin_ms <= due < day.end_ms


def _decided(record: Record, day: Day, usual: float) -> Mark:
    outcomes = record.get("outcomes", {}).values()
    took = max((outcome["took_ms"] / 1000 for outcome in outcomes), default=usual)
    has_run = kind_of(record) in ("fired", "caught_up", "manual", "backfilled")
    start = (record["due"] - day.begin_ms) / 1000
    jobs = record.get("jobs", 0)
    return Mark(start, took if has_run else 0.0, kind_of(record), jobs if has_run else 0)


def _planned(row: EventRow, day: Day, now: datetime, usual: float) -> Iterator[Mark]:
    event = row.event
    if event is None or row.next_due is None:
        return
    after = max(to_ms(day.begin) // 1000 - 1, to_ms(row.next_due) // 1000 - 1, to_ms(now) // 1000)
    anchor = row.anchor or now.replace(microsecond=0)
    kind = "paused" if row.pause and row.pause.until is None else "planned"
    dues = event.due_between(after, to_ms(day.end) // 1000 - 1, anchor=anchor)
    for _, due in zip(range(MOST_MARKS), dues, strict=False):
        start = due - day.begin.timestamp()
        yield Mark(start, usual, kind, 1 if kind == "planned" and event.enqueues else 0)


def load_of(lanes: Sequence[Lane], day: Day) -> list[float]:
    """How many threads are needed in each quarter of an hour, on average."""
    length = SLOT_MINUTES * 60
    load = [0.0] * (int(day.seconds) // length)
    for lane in lanes:
        for mark in lane.marks:
            _add(load, mark, length)
    return load


def _add(load: list[float], mark: Mark, length: int) -> None:
    start, end = mark.start, mark.start + max(LEAST_SECONDS, mark.seconds) if mark.jobs else mark.start
    place = int(start // length)
    while start < end and 0 <= place < len(load):
        stop = min(end, (place + 1) * length)
        load[place] += mark.jobs * (stop - start) / length
        start, place = stop, place + 1


def too_much(load: Sequence[float], slots: int, day: Day) -> list[tuple[datetime, float]]:
    """When more threads are needed than there are, and how many."""
    length = timedelta(minutes=SLOT_MINUTES)
    return [(day.begin + length * place, need) for place, need in enumerate(load) if need > slots]


def _mark_json(mark: Mark, day: Day) -> dict[str, object]:
    at = day.begin + timedelta(seconds=mark.start)
    return {"at": at.isoformat(), "seconds": mark.seconds, "decision": mark.kind, "jobs": mark.jobs}


PAGES: Mapping[str, Show] = {"/timeline": show}
