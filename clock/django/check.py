"""System checks: `settings.CLOCK` with every command, the clock file with `manage.py check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from clock.clocks import SystemClock
from clock.config import Config, load_config
from clock.django.discovery import import_jobs_of_applications
from clock.django.project_settings import apply
from clock.errors import ClockError
from clock.job.registry import lookup
from clock.lint.finding import Finding, Look
from clock.lint.rules import findings
from clock.store.ledger.held_pushes import dropping
from clock.store.server.application import check_url
from clock.timetable import load

MESSAGES = {"error": checks.Error, "warning": checks.Warning}


def check_settings(app_configs: object = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The errors in `settings.CLOCK`."""
    try:
        apply()
        config = load_config({})
        if config.redis:
            check_url(config.redis, config.redis_source)
    except (ImproperlyConfigured, ClockError) as error:
        return [checks.Error(str(error), id="clock.E001")]
    return []


def check_clock_file(app_configs: object = None, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """The findings of `clock check` in the clock file. Only `manage.py check` runs it: it may take seconds."""
    if sys.argv[1:2] != ["check"] or check_settings():
        return []
    try:
        return [_message(finding) for finding in _findings()]
    except ClockError as error:
        return [checks.Error(str(error), id="clock.E002")]


def _findings() -> Sequence[Finding]:
    config = load_config({})
    is_default = config.clock_file == Config().clock_file
    if is_default and not config.clock_file.exists() and not config.schedule:
        return []
    with dropping():  # the check changes nothing
        import_jobs_of_applications()
        timetable = load(config.clock_file, declared=config.schedule, find_job=lookup)
    return findings(Look(timetable, SystemClock().now().replace(microsecond=0), config.queue_names))


def _message(finding: Finding) -> checks.CheckMessage:
    name = f"event {finding.event!r}: " if finding.event else ""
    kind = MESSAGES.get(finding.level, checks.Info)
    return kind(f"{finding.source}: {name}{finding.text}", id=f"clock.{finding.rule}")
