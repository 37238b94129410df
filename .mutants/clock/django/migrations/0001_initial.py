"""The table of the events in the database."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar = [
        migrations.CreateModel(
            name="DatabaseEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="The name in logs and in the history.", max_length=200, unique=True
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "every",
                    models.CharField(
                        blank=True,
                        help_text="A period: 10 minutes, 1 day, 2 weeks. Either this or cron.",
                        max_length=100,
                    ),
                ),
                (
                    "at",
                    models.CharField(
                        blank=True,
                        help_text="A time of day for the period: 06:00, Monday 16:20.",
                        max_length=100,
                    ),
                ),
                (
                    "cron",
                    models.CharField(
                        blank=True, help_text="A cron expression: */5 9-17 * * mon-fri", max_length=100
                    ),
                ),
                (
                    "tz",
                    models.CharField(
                        blank=True,
                        help_text="Europe/Berlin; empty: the clock file's.",
                        max_length=64,
                        verbose_name="time zone",
                    ),
                ),
                (
                    "job",
                    models.CharField(
                        help_text="A job class, or the path of a task: shop.tasks.send_receipt", max_length=200
                    ),
                ),
                (
                    "args",
                    models.JSONField(
                        blank=True, default=list, help_text='A list: [7, "daily"]', verbose_name="arguments"
                    ),
                ),
            ],
            options={"verbose_name": "event", "ordering": ["name"]},
        ),
    ]
