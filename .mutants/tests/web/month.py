"""A month of a real clock, worker and Valkey on fake time: failures, pauses, catch-ups, and a DST transition."""

from __future__ import annotations

from datetime import datetime, timedelta

from clock.inspection.events.repairs import pause_event, resume_event
from clock.testing import World, loads, world
from clock.timetable import Timetable
from tests.web.month_jobs import BackUpJob, ChargeBuyerJob, RemindPupilsJob, SendInvitationJob

#: One event for each kind of decision.
CLOCK_FILE = '''\
from clock import DUE_AT, configure, cron, every
from tests.web.month_jobs import BackUpJob, ChargeBuyerJob, RefreshFeedsJob, RemindPupilsJob

configure(tz="Europe/Berlin")


def export_usage() -> None:
    """Fail since the disk is full."""
    raise OSError(28, "No space left on device", "/var/exports/usage.csv")


every().day.at("06:00", "America/Indiana/Indianapolis").do(RemindPupilsJob, DUE_AT).named("assignment.reminders")
every().day.at("02:30").do(RemindPupilsJob, DUE_AT).named("daily.digest")
every(2).hours.do(RefreshFeedsJob, DUE_AT).named("feeds.refresh")
every(8).hours.do(export_usage).named("reports.usage")
every(6).hours.do(BackUpJob).overlap("skip").named("backups")
every().day.at("04:00").do(RemindPupilsJob, DUE_AT).if_(lambda due: due.weekday() < 5).named("payouts.reconcile")
cron("0 */4 * * *", tz="UTC").do(RemindPupilsJob, DUE_AT).named("sessions.expire")
cron("0 7 * * mon").do(ChargeBuyerJob, "ord_81152", "4242 4242 4242 4242", 4900).named("billing.invoices")
every().month.on(1).at("08:00").do(RemindPupilsJob, DUE_AT).named("reports.monthly")
'''
START = datetime(2026, 3, 1, 12)  # in Berlin
DAYS = 28


def lived_month() -> tuple[World, Timetable]:
    """A world that has lived from 1 March 2026 to noon of the day on which Berlin's clocks were set forward."""
    timetable = loads(CLOCK_FILE)
    made = world(
        START,
        file=timetable,
        workers=2,
        slots=5,
        queues=("default", "billing"),
        durations={
            BackUpJob: timedelta(minutes=45),
            RemindPupilsJob: timedelta(seconds=4),
            ChargeBuyerJob: timedelta(seconds=30),
        },
    )
    _plan(made)
    made.run(days=DAYS)
    for user in range(40):
        made.enqueue(SendInvitationJob, user)
    return made, timetable


def _plan(made: World) -> None:
    made.at("2026-03-24 02:12", made.kill_clock)  # 02:30 is caught up: the clock is back within an hour
    made.at("2026-03-24 02:51", made.start_clock)
    made.at("2026-03-28 23:50", made.kill_clock)  # 02:30 of that night is missed: it is back too late
    made.at("2026-03-29 04:40", made.start_clock)
    made.at("2026-03-29 08:05", _pause, made)
    made.at("2026-03-20 08:05", _pause, made)
    made.at("2026-03-20 11:05", _resume, made)


def _pause(made: World) -> None:
    note = "the sessions table is migrated"
    pause_event(made.redis, "sessions.expire", made.clock.now(), until=None, by="ana", note=note)


def _resume(made: World) -> None:
    resume_event(made.redis, "sessions.expire", made.clock.now())
