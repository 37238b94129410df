"""Two heat maps: the runs of a week by hour, past and future, and the jobs of a year by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice

from clock.clocks import to_ms
from clock.inspection.events.event_rows import EventRow, day_of_events
from clock.inspection.jobs.metrics import jobs_by_day
from clock.web.page import Page, Visit
from clock.web.pages.timeline import asked_for, day_of, planned

MOST_DUES = 2_100  # due instants of an event in a week that are counted: one each five minutes
DAYS, HOURS, WEEKS = 7, 24, 53
HOUR_MS = 3_600_000

Grid = list[list[tuple[int, str]]]


def show(visit: Visit) -> Page:
    """The week that contains the day of the query, or today; and the year up to today."""
    asked = asked_for(visit)
    monday = asked.day - timedelta(days=asked.day.weekday())
    days = [day_of(monday + timedelta(days=place), asked.zone) for place in range(DAYS)]
    counts = Counter(_hours(visit, asked.rows, days[0].begin, days[-1].end))
    week = [[counts[to_ms(day.begin) // HOUR_MS + hour] for hour in range(HOURS)] for day in days]
    year = jobs_by_day(visit.data.redis, visit.now.date(), DAYS * WEEKS)
    return Page(
        template="heat",
        section="timeline",
        json=lambda: {
            "week": {(monday + timedelta(days=place)).isoformat(): row for place, row in enumerate(week)},
            "year": {day.isoformat(): {"processed": ran, "failed": failed} for day, ran, failed in year},
        },
        view={
            "week": _week(visit, monday, week),
            "year": _year(visit, year),
            "monday": monday,
            "before": monday - timedelta(days=DAYS),
            "after": monday + timedelta(days=DAYS),
            "asked": asked,
            "due": counts.total(),
            "ran": sum(ran for _, ran, _ in year),
        },
        refreshes=False,
    )


def _hours(visit: Visit, rows: Sequence[EventRow], begin: datetime, end: datetime) -> Iterator[int]:
    """The hour, counted from 1970, of each run that was decided or is due from `begin` to `end`."""
    spans = day_of_events(visit.data.redis, [row.name for row in rows], begin, MOST_DUES // DAYS)
    first_ms, end_ms = to_ms(begin), to_ms(end)
    for row, (records, _) in zip(rows, spans, strict=True):
        yield from (one["due"] // HOUR_MS for one in records if first_ms <= one["due"] < end_ms)
        yield from (due // 3600 for due in islice(planned(row, begin, end, visit.now), MOST_DUES))


def _week(visit: Visit, monday: date, week: Sequence[Sequence[int]]) -> Grid:
    rows: Grid = []
    for place, counts in enumerate(week):
        day = f"{monday + timedelta(days=place):%a %d %b}"
        texts = (
            visit.texts("heat.hour", day=day, hour=f"{hour:02}:00", n=count) for hour, count in enumerate(counts)
        )
        rows.append(list(zip(counts, texts, strict=True)))
    return rows


def _year(visit: Visit, year: Sequence[tuple[date, int, int]]) -> Grid:
    """Columns are weeks, rows are weekdays, as in a calendar; days outside of the year are left out."""
    t, first = visit.texts, year[0][0]
    offset = first.weekday()
    rows: Grid = [[(-1, "")] * (WEEKS + 1) for _ in range(DAYS)]
    for place, (day, ran, failed) in enumerate(year, offset):
        text = t("heat.day", day=f"{day:%a %d %b %Y}", n=ran, failed=failed)
        rows[place % DAYS][place // DAYS] = (ran, text)
    return rows


PAGES = {"/heat": show}
