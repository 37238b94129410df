"""Each job starts with the project's language and time zone, and its changes to them end with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone, translation

from clock.job.context import RunningJob
from clock.job.payload import Payload


@contextmanager
def fresh_locale(job: RunningJob, payload: Payload, queue: str) -> Iterator[None]:
    """Server middleware: a job starts with LANGUAGE_CODE and TIME_ZONE; its own changes end with it.

    Threads of a worker run one job after another: without this, the next job would have the language of this one.
    """
    with timezone.override(None), translation.override(settings.LANGUAGE_CODE):
        yield
