"""When a delayed job is due."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from clock.errors import ArgumentsError
from clock.job.payload import seconds
from clock.printable import brief

Time = float | timedelta | datetime  # an interval from now, or an instant
LATEST = 253_402_300_799  # the last second of the year 9999, in seconds since 1970
INTERVAL_LIMIT = 1_000_000_000  # a smaller number is an interval, a larger one an instant, as in Sidekiq


def in_seconds(duration: object) -> float | None:
    """A duration, seconds or a timedelta, in seconds; None for any other value."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, (int, float)) and not isinstance(duration, bool):
        return duration
    return None


def due_at(when: Time, now: float) -> float:
    """When a job is due, in float seconds since 1970, which `now` is, too.

    `when` is an interval from now (seconds, or a timedelta), or an instant (an aware datetime, or seconds since
    1970). Raises ValueError.
    """
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError(f"{brief(when)} has no time zone; pass an aware datetime")
        return seconds(when)
    given = in_seconds(when)
    if given is None or not abs(given) <= sys.float_info.max:
        raise ValueError(f"{brief(when)} is not a time; pass seconds, a timedelta or an aware datetime")
    is_interval = isinstance(when, timedelta) or given < INTERVAL_LIMIT
    due = now + given if is_interval else given
    if due > LATEST:
        hint = "; pass seconds, not milliseconds" if given / 1000 <= LATEST else ""
        raise ValueError(f"{brief(given)} is after the year 9999{hint}")
    return max(float(due), 0.0)  # before 1970 is due at once, as any time in the past


def due_as_put(at: object, now: float) -> float:
    """When a job is due by a payload's `at`, which middleware may have set; None: `now`. Raises ValueError."""
    if at is None:
        return now
    return at if isinstance(at, float) and at <= LATEST else due_at(cast("Time", at), now)


def due_of_each(
    count: int, at: Time | Sequence[Time] | None, spread_interval: float | timedelta | None, now: float
) -> list[float] | None:
    """When each of `count` jobs is due: `at` one time or one for each, spread evenly over the interval; None: now.

    Raises ArgumentsError; ValueError for an invalid time, or an interval that is not above 0.
    """
    if isinstance(at, Sequence):
        if len(at) != count:
            raise ArgumentsError(
                f"perform_bulk got {len(at)} times in at= for {count} jobs; pass one time, or one for each job"
            )
        due = [due_at(when, now) for when in at]
    elif at is None and spread_interval is None:
        return None
    else:
        due = [due_at(0 if at is None else at, now)] * count
    if spread_interval is None:
        return due
    interval = in_seconds(spread_interval)
    if interval is None or not 0 < interval < INTERVAL_LIMIT:
        raise ValueError(f"spread_interval is {brief(spread_interval)}; pass seconds above 0, or a timedelta")
    step = interval / max(count, 1)
    return [begin + place * step for place, begin in enumerate(due)]
