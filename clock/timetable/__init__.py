# What a clock file calls
from clock.timetable.action import DUE_AT
from clock.timetable.declarations import configure, cron, error_handler, every, handler, on, repeat

# What it becomes
from clock.timetable.event import Event
from clock.timetable.loader import load
from clock.timetable.timetable import Callbacks, Settings, Timetable

__all__ = [
    "DUE_AT",
    "Callbacks",
    "Event",
    "Settings",
    "Timetable",
    "configure",
    "cron",
    "error_handler",
    "every",
    "handler",
    "load",
    "on",
    "repeat",
]
