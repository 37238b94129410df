# The functions that a clock file calls
from clock.timetable.action import DUE_AT, Enqueue, monitored
from clock.timetable.clock_file.at_run_time import action
from clock.timetable.clock_file.declarations import (
    cancel_job,
    clear,
    configure,
    error_handler,
    every,
    get_jobs,
    handler,
    on,
    repeat,
    sync_events,
)

# The timetable that it becomes
from clock.timetable.clock_file.loading.loader import load
from clock.timetable.clock_file.rows.database_rows import find_event, read_rows, with_rows
from clock.timetable.clock_file.schedule_package import CancelJob, cancels
from clock.timetable.clock_file.written_forms import cron, rrule, sun
from clock.timetable.clock_file.zone_names import zone_name
from clock.timetable.event import Event
from clock.timetable.monitor import Monitor
from clock.timetable.monitored_schedule import MonitoredSchedule, schedule_for_monitor
from clock.timetable.timetable import Callbacks, Settings, SyncedEvents, Timetable

__all__ = [
    "DUE_AT",
    "Callbacks",
    "CancelJob",
    "Enqueue",
    "Event",
    "Monitor",
    "MonitoredSchedule",
    "Settings",
    "SyncedEvents",
    "Timetable",
    "action",
    "cancel_job",
    "cancels",
    "clear",
    "configure",
    "cron",
    "error_handler",
    "every",
    "find_event",
    "get_jobs",
    "handler",
    "load",
    "monitored",
    "on",
    "read_rows",
    "repeat",
    "rrule",
    "schedule_for_monitor",
    "sun",
    "sync_events",
    "with_rows",
    "zone_name",
]
