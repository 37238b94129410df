"""A day by event: what was decided, and what will be due; and whether the workers have room for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from itertools import islice
from typing import Any

from clock.clocks import from_ms, to_ms
from clock.inspection.events.event_rows import EventRow, day_of_events
from clock.web import inputs
from clock.web.charts.marks import KINDS, kind_of
from clock.web.page import Page, Visit, part_of

RECORDS = 400  # of an event that are read for a day
MOST_MARKS = 400  # in a lane: more are too close to be distinguished
SLOT_MINUTES = 15  # of the load
SAMPLE = 20  # due instants of a slot that are counted; their distance is that of the others
LEAST_SECONDS = 1.0  # of a job that has never been measured

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Day:
    """A day in a zone: it may have 23 or 25 hours."""

    begin: datetime
    end: datetime
    zone: tzinfo

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

    def hours(self) -> list[tuple[str, float]]:
        """The hours that are written at the axis, and their places in seconds."""
        day = self.begin.astimezone(self.zone).date()
        each = [(hour, datetime.combine(day, time(hour), self.zone).astimezone(UTC)) for hour in range(0, 24, 3)]
        return [(f"{hour:02}", (at - self.begin).total_seconds()) for hour, at in each]


def day_of(chosen: date, zone: tzinfo) -> Day:
    """A date as it passes in a zone."""
    begin = datetime.combine(chosen, time(), zone).astimezone(UTC)
    end = datetime.combine(chosen + timedelta(days=1), time(), zone).astimezone(UTC)
    return Day(begin, end, zone)


@dataclass(frozen=True, slots=True)
class Mark:
    """A due instant: `start` and `seconds` since the start of the day, and its decision (`planned`: future)."""

    start: float
    seconds: float
    kind: str
    jobs: float


@dataclass(frozen=True, slots=True)
class Lane:
    """The marks of an event. `is_cut`: not all are drawn; `beyond` is the load of the others, a mark a slot."""

    name: str
    marks: Sequence[Mark]
    is_cut: bool
    beyond: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class DayPage:
    """The day that a query asks for, in the zone of the clock file, and the events of the page."""

    zone: tzinfo
    today: date
    day: date
    rows: Sequence[EventRow]
    places: Mapping[str, int | None]  # of the page in the list of all events


def asked_for(visit: Visit) -> DayPage:
    """The day of the query, or today, and the events of the page, each with its latest decision."""
    timetable = visit.data.source.timetable
    zone = timetable.settings.tz if timetable else visit.zone
    today = visit.now.astimezone(zone).date()
    chosen = inputs.day("day", visit.request.get("day"), today)
    names, places = part_of(visit, visit.data.event_names())
    return DayPage(zone, today, chosen, visit.data.events(names, visit.now, 1), places)


def planned(row: EventRow, begin: datetime, end: datetime, now: datetime) -> Iterator[int]:
    """The due instants of an event from `begin` to before `end` that are to come, in seconds since 1970."""
    if row.event is None or row.next_due is None:
        return
    after = max(to_ms(begin) // 1000 - 1, to_ms(row.next_due) // 1000 - 1, to_ms(now) // 1000)
    anchor = row.anchor or now.replace(microsecond=0)
    yield from row.event.due_between(after, to_ms(end) // 1000 - 1, anchor=anchor)


def show(visit: Visit) -> Page:
    """The timeline of the day that the query asks for, or of today."""
    asked = asked_for(visit)
    day, rows = day_of(asked.day, asked.zone), asked.rows
    spans = day_of_events(visit.data.redis, [row.name for row in rows], day.begin, RECORDS)
    lanes = [_lane(row, day, visit.now, *span) for row, span in zip(rows, spans, strict=True)]
    slots = sum(worker.concurrency for worker in visit.data.status().workers)
    load = load_of(lanes, day)
    drawn = {mark.kind for lane in lanes for mark in lane.marks}
    return Page(
        template="timeline",
        json=lambda: {
            "day": asked.day.isoformat(),
            "zone": str(asked.zone),
            "slots": slots,
            "load": [round(need, 2) for need in load],
            "events": {lane.name: [_mark_json(mark, day) for mark in lane.marks] for lane in lanes},
        },
        view={
            "asked": asked,
            "day": day,
            "before": asked.day - timedelta(days=1),
            "after": asked.day + timedelta(days=1),
            "lanes": lanes,
            "kinds": [one for one in (*KINDS, "planned") if one in drawn],
            "load": load,
            "slots": slots,
            "too_much": too_much(load, slots, day) if slots else [],
            "at": (visit.now - day.begin).total_seconds(),
        },
    )


def _lane(row: EventRow, day: Day, now: datetime, records: Sequence[Record], usual: float) -> Lane:
    """The marks of an event; `usual` is how many seconds its jobs usually take."""
    decided = [_decided(record, day, usual) for record in records if day.begin <= from_ms(record["due"]) < day.end]
    planned = list(_planned(row, day, now, usual))
    marks = sorted([*decided, *planned], key=lambda mark: mark.start)
    spans = list(_not_drawn(decided, planned, day, now, len(records)))
    return Lane(row.name, marks, bool(spans), list(_load_of_spans(row, day, spans, usual)))


def _not_drawn(
    decided: Sequence[Mark], planned: Sequence[Mark], day: Day, now: datetime, read: int
) -> Iterator[tuple[float, float]]:
    """The parts of the day with runs that are not drawn: from and to, in seconds since the start of the day."""
    if read >= RECORDS and decided:
        present = min((now - day.begin).total_seconds(), day.seconds)
        yield decided[-1].start, min(present, planned[0].start - 1 if planned else present)
    if len(planned) >= MOST_MARKS:
        yield planned[-1].start, day.seconds - 1


def _load_of_spans(row: EventRow, day: Day, spans: Sequence[tuple[float, float]], usual: float) -> Iterator[Mark]:
    """The load of the jobs that are due after the start of a span until its end."""
    if row.event is None or not row.event.enqueues or (row.pause and row.pause.until is None):
        return
    length, anchor, origin = SLOT_MINUTES * 60, row.anchor or day.begin, int(day.begin.timestamp())
    for begin, end in spans:
        for place in range(int(begin) // length, int(end) // length + 1):
            after, last = max(int(begin), place * length - 1), min(int(end), (place + 1) * length - 1)
            dues = list(islice(row.event.due_between(origin + after, origin + last, anchor=anchor), SAMPLE))
            count = float(len(dues))
            if len(dues) == SAMPLE:
                count = (last - after) * (SAMPLE - 1) / max(1, dues[-1] - dues[0])
            yield Mark(place * length, length, "planned", count * max(LEAST_SECONDS, usual) / length)


def _decided(record: Record, day: Day, usual: float) -> Mark:
    outcomes = record.get("outcomes", {}).values()
    took = max((outcome["took_ms"] / 1000 for outcome in outcomes), default=usual)
    has_run = kind_of(record) in ("fired", "caught_up", "manual", "backfilled")
    start = (from_ms(record["due"]) - day.begin).total_seconds()
    jobs = record.get("jobs", 0)
    return Mark(start, took if has_run else 0.0, kind_of(record), jobs if has_run else 0)


def _planned(row: EventRow, day: Day, now: datetime, usual: float) -> Iterator[Mark]:
    kind = "paused" if row.pause and row.pause.until is None else "planned"
    jobs = int(kind == "planned" and row.event is not None and row.event.enqueues)
    for due in islice(planned(row, day.begin, day.end, now), MOST_MARKS):
        yield Mark(due - day.begin.timestamp(), usual, kind, jobs)


def load_of(lanes: Sequence[Lane], day: Day) -> list[float]:
    """How many threads are needed in each quarter of an hour, on average."""
    length = SLOT_MINUTES * 60
    load = [0.0] * (int(day.seconds) // length)
    for lane in lanes:
        for mark in (*lane.marks, *lane.beyond):
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


PAGES = {"/timeline": show}
