"""The actions of the command line, in Python: queues, sets of jobs, workers, counters, events.

from clock import api

for job in api.RetrySet().search(class_="SendMailJob"):
    print(job.jid, job.error)
"""

from clock.api.conditions import Conditions, where
from clock.api.deploys import amark_deploy, mark_deploy
from clock.api.events import Events, EventState
from clock.api.flow import Batches, BatchRef, Limits
from clock.api.job_ref import JobRef, Located, acancel, cancel
from clock.api.job_sets import DeadSet, JobSet, RetrySet, ScheduledSet
from clock.api.objects import connect, via
from clock.api.processes import Clocks, Workers
from clock.api.queues import Queue
from clock.api.schedules import Schedule, ScheduleChange, Schedules
from clock.api.stats import Counts, Day, Stats
from clock.errors import InvalidCursor, SearchIncomplete
from clock.inspection.jobs.batches import BatchView
from clock.inspection.jobs.busy import BusyJob
from clock.inspection.jobs.job_sets import QueueView
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.jobs.limits import LimitView
from clock.inspection.jobs.pages import Page, Progress
from clock.inspection.processes import ClockView, WorkerView
from clock.ticker.backfill_plan import BackfillPlan, PlannedRun
from clock.ticker.requested_runs import BackfilledRun

__all__ = [
    "BackfillPlan",
    "BackfilledRun",
    "BatchRef",
    "BatchView",
    "Batches",
    "BusyJob",
    "ClockView",
    "Clocks",
    "Conditions",
    "Counts",
    "Day",
    "DeadSet",
    "EventState",
    "Events",
    "FoundJob",
    "InvalidCursor",
    "JobFilter",
    "JobRef",
    "JobSet",
    "LimitView",
    "Limits",
    "Located",
    "Page",
    "PlannedRun",
    "Progress",
    "Queue",
    "QueueView",
    "RetrySet",
    "Schedule",
    "ScheduleChange",
    "ScheduledSet",
    "Schedules",
    "SearchIncomplete",
    "Stats",
    "WorkerView",
    "Workers",
    "acancel",
    "amark_deploy",
    "cancel",
    "connect",
    "mark_deploy",
    "via",
    "where",
]
