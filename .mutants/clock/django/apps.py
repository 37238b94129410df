"""The application as Django sees it."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from clock.django.around_jobs import fresh_locale
from clock.django.check import check_clock_file, check_settings
from clock.django.project_settings import apply
from clock.job import server_middleware


class ClockConfig(AppConfig):
    """Sets clock up for this process: settings, what is around each job, checks."""

    name = "clock.django"
    label = "clock"
    verbose_name = "Clock"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Called by Django once all applications are loaded."""
        apply()
        server_middleware.add(fresh_locale)
        checks.register(check_settings, "clock")
        checks.register(check_clock_file, "clock")
