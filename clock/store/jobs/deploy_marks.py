"""Deploy marks, in Sidekiq's format (`sidekiq/deploy.rb`): Ruby and Python show each other's marks.

A hash for each day has a field for each minute, so processes that all mark the same deploy set one mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import Enum

from redis import Redis

from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated
from clock.store.server.sending import checked
from clock.store.wrong_type import readings, typed

KEPT_SECONDS = 90 * 86_400  # Sidekiq's
SAME_DEPLOY_SECONDS = 60  # a label is marked once in this time: each process of a deploy may mark it
LONGEST_LABEL = 200  # characters
MINUTES = 4_096  # fields of a day that are read in one command: more than a day has


class Marking(Enum):
    """The result of marking a deploy. `LABEL_HAS_MARK`: the label was marked in the last minute."""

    MARKED = 1
    LABEL_HAS_MARK = 2
    MINUTE_HAS_MARK = 3


def mark(redis: Redis, label: str, at: datetime) -> Marking:
    """Mark the minute of `at` with the label, which is cut to `LONGEST_LABEL`.

    If the minute has another mark, the label can be marked in the next one. Raises StoreUnavailable, StoreError.
    """
    label, minute = label[:LONGEST_LABEL], at.astimezone(UTC).replace(second=0, microsecond=0)
    lock = keys.deploy_lock(label)
    with translated():
        if not redis.set(lock, minute.isoformat(), nx=True, ex=SAME_DEPLOY_SECONDS):
            return Marking.LABEL_HAS_MARK
    is_marked = False
    try:
        is_marked = _marked(redis, label, minute)
    finally:
        if not is_marked:
            with translated():
                redis.delete(lock)
    return Marking.MARKED if is_marked else Marking.MINUTE_HAS_MARK


def _marked(redis: Redis, label: str, minute: datetime) -> bool:
    key = keys.deploy_marks(minute.date())
    with typed(redis, key, "hash"), redis.pipeline() as pipeline:
        pipeline.hsetnx(key, f"{minute:%Y-%m-%dT%H:%M:%SZ}", label)
        pipeline.expire(key, KEPT_SECONDS)
        return bool(checked(pipeline.execute(raise_on_error=False))[0])


def read(redis: Redis, days: Sequence[date]) -> list[tuple[datetime, str]]:
    """The marks of these days (UTC), the oldest first. Invalid ones are skipped.

    None are returned to a user without rights for them: older guides did not list these. Raises StoreUnavailable.
    """
    try:
        replies = readings(redis, lambda pipe: [pipe.hscan(keys.deploy_marks(day), count=MINUTES) for day in days])
    except StoreError as error:
        if error.cause != "no_permission":
            raise
        return []
    fields = (field for reply in replies if reply for field in reply[1].items())
    found = ((_instant(text(stamp)), text(label)[:LONGEST_LABEL]) for stamp, label in fields)
    return sorted((at, label) for at, label in found if at)


def _instant(stamp: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
