"""The schedule. Run it with: python -m clock lib/clock.py"""

from collections.abc import Iterable
from datetime import timedelta

from jobs.make_report_job import MakeReportJob
from shop.models import Report

from clock import configure, sync_events

configure(tz="UTC")


def load_reports() -> Iterable[Report]:
    """The events that live in the database; edits are seen within the minute."""
    return Report.objects.all()


sync_events(load_reports, every=timedelta(minutes=1), do=MakeReportJob)
