from collections.abc import Mapping

from clock.web.page import Show
from clock.web.pages import (
    audit,
    busy,
    event,
    job,
    job_sets,
    processes,
    queues,
    schedules,
    server,
    shell,
    timeline,
)

#: path -> the function that gives the page
PAGES: Mapping[str, Show] = {
    "/": schedules.show,
    "/timeline": timeline.show,
    "/event": event.show,
    "/why": event.why_page,
    "/queues": queues.show,
    "/queue": queues.show_one,
    "/busy": busy.show,
    "/scheduled": job_sets.show_scheduled,
    "/retries": job_sets.show_retries,
    "/dead": job_sets.show_dead,
    "/job": job.show,
    "/processes": processes.show,
    "/redis": server.show,
    "/audit": audit.show,
    "/display": shell.display,
    "/help": shell.keyboard,
}

#: section of the menu -> its path
MENU: Mapping[str, str] = {
    "schedules": "/",
    "timeline": "/timeline",
    "queues": "/queues",
    "busy": "/busy",
    "scheduled": "/scheduled",
    "retries": "/retries",
    "dead": "/dead",
    "processes": "/processes",
    "redis": "/redis",
    "audit": "/audit",
}

__all__ = ["MENU", "PAGES"]
