"""Events that live in the database, for people to edit in the admin."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from clock.django.event_rows import is_taken, problem_of


class DatabaseEvent(models.Model):
    """An event of the clock: when, and which job with which arguments. Edits are seen by the clock that runs."""

    name = models.CharField(max_length=200, unique=True, help_text="The name in logs and in the history.")
    enabled = models.BooleanField(default=True)
    every = models.CharField(
        max_length=100, blank=True, help_text="A period: 10 minutes, 1 day, 2 weeks. Either this or cron."
    )
    at = models.CharField(
        max_length=100, blank=True, help_text="A time of day for the period: 06:00, Monday 16:20."
    )
    cron = models.CharField(max_length=100, blank=True, help_text="A cron expression: */5 9-17 * * mon-fri")
    tz = models.CharField(
        "time zone", max_length=64, blank=True, help_text="Europe/Berlin; empty: the clock file's."
    )
    job = models.CharField(max_length=200, help_text="A job class, or the path of a task: shop.tasks.send_receipt")
    args = models.JSONField("arguments", default=list, blank=True, help_text='A list: [7, "daily"]')

    class Meta:
        """How the admin names it."""

        ordering: ClassVar = ["name"]
        verbose_name = "event"

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """Check schedule, job, arguments and name as the clock will. Raises ValidationError."""
        if self.args is None:  # the field is empty
            self.args = []
        problem = problem_of(self)
        if problem:
            raise ValidationError(problem)
        is_new_name = not type(self).objects.filter(name=self.name).exists()
        if self.enabled and is_new_name and is_taken(self.name):
            raise ValidationError(
                {"name": "The clock already has an event with this name. If you just deleted it, wait a minute."}
            )
