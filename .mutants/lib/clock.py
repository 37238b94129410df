"""The schedule. Run it with: python -m clock lib/clock.py"""

import logging
from datetime import datetime, timedelta

from clock import configure, cron, error_handler, every, handler
from jobs.count_open_assignments_job import CountOpenAssignmentsJob
from jobs.delete_old_reminders_job import DeleteOldRemindersJob
from jobs.send_all_assignment_reminders_job import SendAllAssignmentRemindersJob

configure(tz="America/Indiana/Indianapolis")

# A job class is enqueued: a worker does the work.
every().day.at("06:00").do(SendAllAssignmentRemindersJob).named("assignment.reminders")
every(5).minutes.do(CountOpenAssignmentsJob).named("open.assignments")
cron("30 3 * * sun").do(DeleteOldRemindersJob, 90).named("old.reminders")

# Clockwork's form: a period and a name. What it runs, it runs here in the clock's own process: keep it short.
every(timedelta(hours=1), "still.here", at="**:00")


@handler
def run(name: str, due: datetime) -> None:
    """Run the events that have no action of their own."""
    logging.info("%s at %s", name, due.strftime("%H:%M %Z"))


@error_handler
def report(error: BaseException) -> None:
    """Hear of whatever goes wrong; an error tracker would be told here."""
    logging.warning("To be looked into: %r", error)
