from collections.abc import Mapping

from clock.web.page import Show
from clock.web.pages import (
    batches,
    blocked,
    busy,
    changes,
    event,
    go,
    heat,
    job,
    job_sets,
    metrics,
    processes,
    queues,
    run_time,
    schedules,
    server,
    shell,
    timeline,
)

#: section of the menu -> its path
MENU: Mapping[str, str] = {
    "schedules": "/",
    "timeline": "/timeline",
    "changes": "/changes",
    "queues": "/queues",
    "busy": "/busy",
    "scheduled": "/scheduled",
    "retries": "/retries",
    "dead": "/dead",
    "metrics": "/metrics",
    "processes": "/processes",
    "redis": "/redis",
    "audit": "/audit",
}

#: path -> the function that gives the page
PAGES: Mapping[str, Show] = {
    "/": schedules.show,
    "/run-time": run_time.show,
    "/timeline": timeline.show,
    "/heat": heat.show,
    "/changes": changes.show,
    "/event": event.show,
    "/why": event.why_page,
    "/queues": queues.show,
    "/queue": queues.show_one,
    "/batches": batches.show,
    "/blocked": blocked.show,
    "/busy": busy.show,
    "/scheduled": job_sets.show_scheduled,
    "/retries": job_sets.show_retries,
    "/dead": job_sets.show_dead,
    "/job": job.show,
    "/metrics": metrics.show,
    "/processes": processes.show,
    "/redis": server.show,
    "/audit": changes.show_audit,
    "/go": go.go_page(MENU),
    "/display": shell.display,
    "/help": shell.keyboard,
}

__all__ = ["MENU", "PAGES"]
