"""What schedulers do in the nights on which clocks change: ours beside the field's, each by its own code.

    python benchmarks/dst_nights.py

It prints the table of docs/time.md. Each program is run as it would run undisturbed, from the noon before.
Clockwork is taken by its rule, read off the running program; the others are imported, and left out where they are
not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

import schedule
from cronsim import CronSim

from clock.timetable.triggers.clockwork import parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds
from tests.timetable.clockworks_rule import clockwork_fires

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Night:
    """A rule - daily at a time of day, or at each half hour, `at` None - and the stretch that is looked at."""

    title: str
    zone: ZoneInfo
    start: datetime
    shown_from: datetime
    shown_to: datetime
    at: str | None

    @property
    def cron(self) -> str:
        """The rule as a cron expression."""
        return f"{int(self.at[3:])} {int(self.at[:2])} * * *" if self.at else "0,30 * * * *"


def night(title: str, zone: str, day: str, at: str | None, days: int = 2, until_hour: int = 0) -> Night:
    """The stretch from the midnight that begins `day`, some days long."""
    midnight = datetime.fromisoformat(day)
    tz = ZoneInfo(zone)

    def instant(wall: datetime) -> datetime:
        return wall.replace(tzinfo=tz).astimezone(UTC)

    end = midnight + timedelta(days=days, hours=until_hour)
    return Night(title, tz, instant(midnight - timedelta(hours=12)), instant(midnight), instant(end), at)


NEW_YORK, SAO_PAULO = "America/New_York", "America/Sao_Paulo"
NIGHTS = [
    night("daily 02:30, skipped on 8 March 2026", NEW_YORK, "2026-03-08", "02:30"),
    night("daily 01:30, twice on 1 November 2026", NEW_YORK, "2026-11-01", "01:30"),
    night("each half hour, 1 November 2026, 01:00 to 02:00", NEW_YORK, "2026-11-01", None, days=0, until_hour=3),
    night("daily 00:00, skipped on 4 November 2018", SAO_PAULO, "2018-11-04", "00:00"),
]

Fires = Callable[[Night], Iterator[datetime]]


def clock(of: Night) -> Iterator[datetime]:
    """Ours; the fluent form and Clockwork's do the same."""
    low, high = to_seconds(of.start), to_seconds(of.shown_to)
    return map(to_datetime, Cron(of.cron, of.zone).due_between(low, high, low, None))


def cronsim(of: Night) -> Iterator[datetime]:
    """The cronsim package: Debian cron's rule."""
    return CronSim(of.cron, of.start.astimezone(of.zone))


def croniter(of: Night) -> Iterator[datetime]:
    """The croniter package."""
    made: Any = import_module("croniter").croniter(of.cron, of.start.astimezone(of.zone))
    found: Iterator[datetime] = made.all_next(datetime)
    return found


def apscheduler(of: Night) -> Iterator[datetime]:
    """APScheduler 3's cron trigger, asked again at each fire."""
    cron: Any = import_module("apscheduler.triggers.cron")
    trigger = cron.CronTrigger.from_crontab(of.cron, timezone=of.zone)
    previous, now = None, of.start.astimezone(of.zone)
    while True:
        previous = trigger.get_next_fire_time(previous, now)
        yield previous
        now = previous


def celery(of: Night) -> Iterator[datetime]:
    """Celery's crontab, asked each minute whether it is due, as beat asks it."""
    made: Any = import_module("celery")
    schedules: Any = import_module("celery.schedules")
    app = made.Celery("nights", set_as_current=False)
    app.conf.timezone = of.zone.key
    minute, hour, *_ = of.cron.split()
    now = last = of.start.astimezone(of.zone)
    crontab = schedules.crontab(minute=minute, hour=hour, app=app, nowfun=lambda: now)
    while True:
        due, _ = crontab.is_due(last)
        if due:
            yield now
            last = now
        now = (now.astimezone(UTC) + MINUTE).astimezone(of.zone)


def schedules(of: Night) -> Iterator[datetime]:
    """The schedule package, run at each of its own instants under fake time."""
    time_machine: Any = import_module("time_machine")
    import_module("pytz")  # which the package takes its zones from
    scheduler = schedule.Scheduler()
    with time_machine.travel(of.start, tick=False) as traveller:
        for at in [of.at] if of.at else [":00", ":30"]:
            every = scheduler.every()
            (every.day if of.at else every.hour).at(at, of.zone.key).do(print, end="")
        for _ in range(200):
            due = min(job.next_run for job in scheduler.jobs if job.next_run).replace(tzinfo=UTC)
            yield due
            traveller.move_to(max(due, datetime.now(UTC)))
            scheduler.run_pending()


def clockwork(of: Night) -> Iterator[datetime]:
    """Clockwork 4.0 with a clock that is never late."""
    if of.at:
        return clockwork_fires(timedelta(days=1), parse_at(of.at), of.zone, of.start, of.shown_to, MINUTE)
    both = [
        clockwork_fires(timedelta(hours=1), parse_at(at), of.zone, of.start, of.shown_to, MINUTE)
        for at in ("**:00", "**:30")
    ]
    return iter(sorted(fire for one in both for fire in one))


def shown(of: Night, fires: Fires) -> str:
    """What a program did, as the wall-clock times of its fires; the day, where it is not the night's own."""
    try:
        found = list(takewhile(lambda at: at < of.shown_to, (at.astimezone(UTC) for at in fires(of))))
    except ImportError as error:
        return f"({error.name} is not installed)"
    local = [at.astimezone(of.zone) for at in found if at >= of.shown_from]
    if of.at is None:
        local = [at for at in local if at.hour == 1]
    return ", ".join(_words(at, of) for at in local[:4]) + (", ..." if len(local) > 4 else "")


def _words(at: datetime, of: Night) -> str:
    if at.date() != of.shown_from.astimezone(of.zone).date():
        return f"next day {at:%H:%M}"
    twice = at.replace(fold=0).utcoffset() != at.replace(fold=1).utcoffset()
    return f"{at:%H:%M}{f' {at.tzname()}' if twice else ''}"


PROGRAMS: list[tuple[str, Fires]] = [
    ("clock", clock),
    ("cronsim (Debian cron)", cronsim),
    ("croniter", croniter),
    ("APScheduler 3", apscheduler),
    ("Celery beat", celery),
    ("schedule", schedules),
    ("Clockwork", clockwork),
]


def main() -> None:
    """Print the table in Markdown."""
    print(f"| | {' | '.join(one.title for one in NIGHTS)} |")
    print(f"| --- |{' --- |' * len(NIGHTS)}")
    for name, fires in PROGRAMS:
        print(f"| {name} | {' | '.join(shown(one, fires) or 'nothing' for one in NIGHTS)} |")


if __name__ == "__main__":
    main()
