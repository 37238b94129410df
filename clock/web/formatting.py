"""Values made fit for a page: instants, numbers, and text from Redis, which may be anything."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from markupsafe import Markup, escape

from clock.printable import UNPRINTABLE, duration, printable

LONGEST_TEXT = 300  # characters of a value in a list
LONGEST_BLOCK = 20_000  # characters of a payload or a traceback on the page of its job


def finalized(value: object) -> object:
    """A value on its way into HTML: control characters are shown as escapes; None is empty."""
    return value if isinstance(value, Markup) else printable(value)


def raw(value: object) -> Markup:
    """A text as the value of a form's field, sent back unchanged: control characters become references."""
    text = str(escape("" if value is None else str(value)))
    return Markup(UNPRINTABLE.sub(_reference, text))  # noqa: S704  # it is escaped


def _reference(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"&#{code};" if code and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def cut(value: object, most: int = LONGEST_TEXT) -> str:
    """The start of a text, and the number of characters that are left out."""
    text = "" if value is None else str(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def lines(value: object, most: int = LONGEST_BLOCK) -> Markup:
    """A text of several lines: their ends stay, all other control characters are shown as escapes."""
    return Markup("\n").join(printable(line.expandtabs()) for line in cut(value, most).splitlines())


def from_now(instant: datetime, now: datetime) -> str:
    """How far an instant is from now, to the minute: so a page that is read again soon has not changed.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 3, 29, tzinfo=UTC)
    >>> [from_now(now + timedelta(seconds=seconds), now) for seconds in (5, -5, 3_700, -90_000)]
    ['in under 1 min', 'under 1 min ago', 'in 1 h 1 min', '1 d 1 h ago']
    """
    seconds = (instant - now).total_seconds()
    text = duration(abs(seconds) // 60 * 60) if abs(seconds) >= 60 else "under 1 min"
    return f"in {text}" if seconds > 0 else f"{text} ago"


def local(instant: datetime, zone: tzinfo, now: datetime, *, exact: bool = False) -> str:
    """An instant on the clock of a zone. The day is left out today, the year this year; `exact`: with seconds.

    >>> from datetime import UTC
    >>> now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    >>> local(datetime(2026, 3, 29, 6, tzinfo=UTC), UTC, now), local(datetime(2027, 1, 1, tzinfo=UTC), UTC, now)
    ('06:00 UTC', 'Fri 1 Jan 2027, 00:00 UTC')
    """
    there, today = instant.astimezone(zone), now.astimezone(zone)
    time = f"{there:%H:%M:%S}" if exact or there.second else f"{there:%H:%M}"
    if there.date() == today.date():
        return f"{time} {there.tzname()}"
    year = f" {there.year}" if there.year != today.year else ""
    return f"{there:%a} {there.day} {there:%b}{year}, {time} {there.tzname()}"


def elsewhere(instant: datetime, zone: tzinfo, viewer: tzinfo) -> str:
    """An instant on the viewer's clock, with the weekday if it differs; empty if both clocks agree.

    >>> from datetime import UTC, timedelta, timezone
    >>> tokyo = timezone(timedelta(hours=9), "JST")
    >>> elsewhere(datetime(2026, 3, 29, 20, tzinfo=UTC), UTC, tokyo)
    'Mon 05:00 JST'
    """
    there, here = instant.astimezone(zone), instant.astimezone(viewer)
    if there.utcoffset() == here.utcoffset():
        return ""
    day = f"{here:%a} " if here.date() != there.date() else ""
    time = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    return f"{day}{time} {here.tzname()}"
