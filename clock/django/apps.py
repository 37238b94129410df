"""The application as Django sees it."""

from __future__ import annotations

import sys
from pathlib import Path

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands, load_command_class

from clock.django.around_jobs import fresh_locale
from clock.django.check import check_clock_file, check_settings
from clock.django.project_settings import apply
from clock.job import server_middleware

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
            if not _is_manage():
                raise
            if not _checks_system(sys.argv[1:2]):
                sys.exit(f"clock: {error}")
        server_middleware.add(fresh_locale)
        checks.register(check_settings, "clock")
        checks.register(check_clock_file, "clock")


def _is_manage() -> bool:
    """Whether this process runs a management command."""
    return Path(sys.argv[0]).name in MANAGE


def _checks_system(words: list[str]) -> bool:
    """Whether the command of these words runs the system checks, or none is named and it only prints help."""
    name = words[0] if words else ""
    found = get_commands().get(name)
    if found is None or name in CHECKING:
        return True
    command = load_command_class(found, name) if isinstance(found, str) else found
    return bool(command.requires_system_checks)
