"""The application as Django sees it: settings, checks, middleware.

The system checks read `settings.CLOCK` with every command, the clock file with `manage.py check`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands, load_command_class
from django.utils import timezone, translation

from clock.clocks import SystemClock
from clock.config import Config, load_config
from clock.django.project import apply, import_jobs_of_applications
from clock.errors import ClockError
from clock.job import server_middleware
from clock.job.context import RunningJob
from clock.job.payload import Payload
from clock.job.registry import lookup
from clock.lint.finding import Finding, Look
from clock.lint.rules import findings
from clock.store.ledger.held_pushes import dropping
from clock.store.server.application import check_url
from clock.timetable import load

CHECKING = ("check", "runserver", "test")  # they run the checks themselves
MESSAGES = {"error": checks.Error, "warning": checks.Warning}
MANAGE = ("manage.py", "django-admin", "django-admin.exe", "__main__.py")  # `python -m django` is the last


class ClockConfig(AppConfig):
    """Sets clock up for this process: settings, what is around each job, checks."""

    name = "clock.django"
    label = "clock"
    verbose_name = "Clock"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Called by Django once all applications are loaded. Raises ImproperlyConfigured for invalid settings.

        In a command of `manage.py` the error is one line: the command's system checks report it, as most commands
        have them; any other command exits 1.
        """
        try:
            apply()
        except ImproperlyConfigured as error:
            if Path(sys.argv[0]).name not in MANAGE:
                raise
            if not _checks_system(sys.argv[1:2]):
                sys.exit(f"clock: {error}")
        server_middleware.add(fresh_locale)
        checks.register(check_settings, "clock")
        checks.register(check_clock_file, "clock")


@contextmanager
def fresh_locale(job: RunningJob, payload: Payload, queue: str) -> Iterator[None]:
    """Server middleware: a job starts with LANGUAGE_CODE and TIME_ZONE; its own changes end with it.

    Threads of a worker run one job after another: without this, the next job would have the language of this one.
    """
    with timezone.override(None), translation.override(settings.LANGUAGE_CODE):
        yield


def _checks_system(words: list[str]) -> bool:
    """Whether the command of these words runs the system checks, or none is named and it only prints help."""
    name = words[0] if words else ""
    found = get_commands().get(name)
    if found is None or name in CHECKING:
        return True
    command = load_command_class(found, name) if isinstance(found, str) else found
    return bool(command.requires_system_checks)


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
