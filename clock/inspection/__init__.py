from clock.inspection.doctor.doctor import Circumstances, examine
from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.events.event_rows import EventRow
from clock.inspection.jobs.job_sets import (
    DEAD,
    RETRY,
    SCHEDULE,
    QueueJobs,
    QueueView,
    SetName,
    WaitingSet,
    queues,
    trim_dead,
)
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.processes import ClockView, WorkerView, clocks, workers
from clock.inspection.status import Status, status
from clock.store.ledger.decision import DecisionKind

__all__ = [
    # jobs that wait
    "DEAD",
    "RETRY",
    "SCHEDULE",
    # the whole
    "Circumstances",
    # processes and events
    "ClockView",
    "DecisionKind",
    "EventRow",
    "Finding",
    "FoundJob",
    "Grade",
    "JobFilter",
    "QueueJobs",
    "QueueView",
    "SetName",
    "Status",
    "WaitingSet",
    "WorkerView",
    "clocks",
    "examine",
    "queues",
    "status",
    "trim_dead",
    "workers",
]
