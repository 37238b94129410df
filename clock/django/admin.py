"""The admin page of the events in the database."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.utils import timezone

from clock.clocks import SystemClock, from_ms
from clock.django.event_rows import enqueue
from clock.django.models import DatabaseEvent
from clock.errors import ClockError, StoreError
from clock.inspection.events.event_rows import event_rows_of
from clock.store.server.connection import default


@admin.register(DatabaseEvent)
class DatabaseEventAdmin(admin.ModelAdmin):
    """Lists events with their last run, and runs them by hand."""

    list_display = ("name", "schedule", "job", "enabled", "last_run")
    list_filter = ("enabled", "job")
    search_fields = ("name", "job")
    actions = ("run_now",)
    fieldsets: ClassVar = [
        (None, {"fields": ["name", "enabled", "job", "args"]}),
        ("Schedule", {"fields": ["every", "at", "cron", "tz"]}),
    ]

    @admin.display(description="schedule")
    def schedule(self, row: DatabaseEvent) -> str:
        """When it is due, in short."""
        period = f"every {row.every} at {row.at}" if row.at else f"every {row.every}"
        when = f"cron {row.cron}" if row.cron else period
        return f"{when} ({row.tz})" if row.tz else when

    @admin.display(description="last run")
    def last_run(self, row: DatabaseEvent) -> str:
        """The newest record of its history, and whether its latest job with an outcome failed."""
        try:
            [found] = event_rows_of(default(), [row.name], {}, SystemClock().now(), 1)
        except StoreError:
            return "unknown: Redis cannot be reached"
        if found.last is None:
            return "-"
        due = timezone.localtime(from_ms(found.last["due"]))
        failed = ", job failed" if found.has_failed_job else ""
        return f"{due:%Y-%m-%d %H:%M:%S}: {found.last['decision']}{failed}"

    @admin.action(description="Run the selected events now")
    def run_now(self, request: Any, rows: Any) -> None:
        """Push the jobs of the selected events."""
        for row in rows:
            try:
                self.message_user(request, f"{row.name}: pushed the job {enqueue(row)}")
            except ClockError as error:
                self.message_user(request, f"{row.name}: {error}", messages.ERROR)
