"""The application as Django sees it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands, load_command_class
from django.utils import timezone, translation

from clock.django.check import check_clock_file, check_settings
from clock.django.project_settings import apply
from clock.job import server_middleware
from clock.job.context import RunningJob
from clock.job.payload import Payload

CHECKING = ("check", "runserver", "test")  # they run the checks themselves
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
