"""The table of the events in the database."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

COLUMNS: list[tuple[str, Any]] = [
    ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
    ("name", models.CharField(max_length=200, unique=True, help_text="The name in logs and in the history.")),
    ("enabled", models.BooleanField(default=True)),
    (
        "every",
        models.CharField(
            max_length=100, blank=True, help_text="A period: 10 minutes, 1 day, 2 weeks. Either this or cron."
        ),
    ),
    (
        "at",
        models.CharField(
            max_length=100, blank=True, help_text="A time of day for the period: 06:00, Monday 16:20."
        ),
    ),
    ("cron", models.CharField(max_length=100, blank=True, help_text="A cron expression: */5 9-17 * * mon-fri")),
    (
        "tz",
        models.CharField(
            "time zone", max_length=64, blank=True, help_text="Europe/Berlin; empty: the clock file's."
        ),
    ),
    (
        "job",
        models.CharField(max_length=200, help_text="A job class, or the path of a task: shop.tasks.send_receipt"),
    ),
    ("args", models.JSONField("arguments", default=list, blank=True, help_text='A list: [7, "daily"]')),
]


class Migration(migrations.Migration):
    """Makes it."""

    initial = True
    operations: ClassVar = [
        migrations.CreateModel("DatabaseEvent", COLUMNS, {"verbose_name": "event", "ordering": ["name"]})
    ]
