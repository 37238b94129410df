"""The pages of the documentation site, in the order of its sidebar, with a line about each.

A guide that is not listed here appears under "More guides".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """A group of pages. `about` is a sentence; `pages` maps the name of a page to its line."""

    title: str
    about: str
    pages: dict[str, str]


SECTIONS = (
    Section(
        "Tutorial",
        "Start here: from an empty folder to a schedule that you have tested.",
        {"tutorial": "A clock file, a job, a worker, a test and the dashboard, in ten minutes"},
    ),
    Section(
        "How-to: schedules",
        "Declare events and run the clock.",
        {
            "clock-file": "Every way to declare an event, in Python and in YAML",
            "clock-process": "Several clocks, deploys, catching up, pausing, `why` and `history`",
            "steering": "Backfill, schedules at run time, a forecast of late jobs, rehearsed crashes and deploys",
            "testing": "Rehearsals and timelines: a year of a schedule in about a second",
        },
    ),
    Section(
        "How-to: jobs",
        "Write, push, limit and test jobs.",
        {
            "jobs": "Writing and pushing jobs, options, middleware, pushes after a commit",
            "unique": "Only one job with a given key waits or runs",
            "limits": "How many jobs run at a time, or start in a given time",
            "batches": "Groups of jobs with a callback, and chains of jobs",
            "iteration": "Long jobs that continue after their last item if a stop or a crash ends them",
            "results": "The return value of a job, and how to cancel a job",
            "encryption": "Arguments that only your programs can read",
            "testing-jobs": "Fake and inline jobs, crash trials",
        },
    ),
    Section(
        "How-to: production",
        "Deploy, watch and scale.",
        {
            "deploying": "Procfiles, Heroku, Render, Fly, Docker, Kubernetes, systemd",
            "worker": "Running and stopping workers, retries, dead jobs, running next to Sidekiq",
            "monitoring": "Status, health checks, Prometheus, StatsD, logs",
            "observability": "Sentry, OpenTelemetry, and outside monitors of events",
            "dashboard": "Serving the dashboard, mounting it behind your own login, permissions",
            "scaling": "Several applications on one server, clusters, durable writes, the limits of one server",
            "troubleshooting": "Every fault that a process reports: its cause and its cure",
        },
    ),
    Section(
        "How-to: frameworks",
        "Use clock in a web application.",
        {
            "django": "`manage.py clock` and `worker`, settings, the Tasks framework, events in the database",
            "web-frameworks": "Flask, FastAPI and Starlette: settings, context, lifespan",
        },
    ),
    Section(
        "How-to: move from",
        "Another library, construct by construct.",
        {
            "from-clockwork": "Ruby's Clockwork",
            "from-schedule": "The schedule package",
            "from-celery-beat": "Celery beat",
            "from-celery": "Celery",
            "from-rq": "RQ",
            "from-apscheduler": "APScheduler",
            "from-huey": "Huey",
            "from-dramatiq": "Dramatiq",
        },
    ),
    Section(
        "Reference",
        "Look up a name, an option, a key.",
        {
            "command-line": "The commands, their exit codes and JSON output",
            "reference/commands": "Each command with all its options",
            "settings": "Each setting: option, variable, default",
            "reference/python": "Each public class and function",
            "api": "The data in Redis from Python: queues, retries, dead jobs, workers, events",
            "reference/redis-keys": "Each key in Redis: type and meaning",
            "reference/metrics": "Each Prometheus metric",
            "glossary": "Event, run, first seen, job, retry, dead and other words",
        },
    ),
    Section(
        "Explanation",
        "How it works, and why.",
        {
            "time": "Which instants are due, and what happens at DST transitions",
            "guarantees": "What clock guarantees, how it keeps each guarantee, and what it does not guarantee",
            "security": "Who can do what; what clock verifies and hides",
            "internals": "The code in one page",
            "decisions": "One page for each hard choice",
            "versions": "Version numbers, supported versions, deprecations",
            "changelog": "What each release changed",
        },
    ),
)

#: Pages that have no line in a section: the start page, and parts of other pages.
_INSIDE = ("index", "decisions/", "design/", "site/")


def sections(found: Iterable[str]) -> list[Section]:
    """The sections with the pages in `found`; guides that no section lists come last."""
    listed = {page for section in SECTIONS for page in section.pages}
    rest = {page: "" for page in sorted(found) if page not in listed and not page.startswith(_INSIDE)}
    return [*SECTIONS, *([Section("More guides", "Guides that are new.", rest)] if rest else [])]
