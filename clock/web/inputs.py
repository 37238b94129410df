"""Checks what a query or a form holds. Bad input is refused with its field, its text and what would be right.

Nothing is guessed: a filter that was left out because of a typing error could delete every job.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, tzinfo

from clock.errors import InvalidCursor
from clock.timetable.periods import typed_date, typed_instant
from clock.web.http import MOST_BODY_BYTES, MOST_FIELDS, Request
from clock.web.texts import TEXTS

LONGEST_FIELD = 10_000  # characters; longer than any name of an event or a queue that a form sends
LONGEST_SHOWN = 80  # characters of the text that a message repeats
LONGEST_DETAIL = 1_000  # characters of an error's text
MOST_NUMBER = 999_999_999
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(2199, 12, 31)  # every zone has them in the calendar
FORM_TYPE = "application/x-www-form-urlencoded"

ENTRY_ID = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


class BadInput(Exception):
    """A request holds something that cannot be used; the text names it and what would be right."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def check_request(request: Request) -> None:
    """Refuse what no form of the dashboard sends. Raises BadInput."""
    if len(request.body) > MOST_BODY_BYTES:
        raise BadInput(TEXTS("bad.body", most=MOST_BODY_BYTES), 413)
    kind = request.headers.get("content-type", "")
    if request.body and kind.partition(";")[0].strip().lower() != FORM_TYPE:
        raise BadInput(TEXTS("bad.kind", text=_shown(kind), right=FORM_TYPE), 415)
    if not request.is_readable:
        raise BadInput(TEXTS("bad.fields", most=MOST_FIELDS))
    for fields in (request.query, request.form):
        for name, values in fields.items():
            longest = max(map(len, (name, *values)))
            if longest > LONGEST_FIELD:
                raise BadInput(TEXTS("bad.long", name=_shown(name), n=longest, most=LONGEST_FIELD))


def number(name: str, text: str, default: int = 0) -> int:
    """A whole number from 0 to a billion; the default if the text is empty. Raises BadInput."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_NUMBER))):
        raise BadInput(TEXTS("bad.number", name=name, text=_shown(text), most=MOST_NUMBER))
    return int(text)


def choice(name: str, text: str, known: Collection[str]) -> str:
    """One of the known words, or an empty text. Raises BadInput."""
    if text and text not in known:
        words = ", ".join(word for word in known if word)
        raise BadInput(TEXTS("bad.choice", name=name, text=_shown(text), known=words))
    return text


def instant(name: str, text: str, now: datetime, zone: tzinfo = UTC, *, ahead: bool = False) -> datetime | None:
    """A time in UTC, as `typed_instant` reads it in `zone`. None: the text is empty. Raises BadInput."""
    return _instant(name, text, "bad.time", lambda: typed_instant(text, now.astimezone(zone), ahead=ahead))


def date_or_time(name: str, text: str, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """`instant` without lengths: "died before 2h" may mean 2 hours ago, and 2 hours from now would be all jobs."""
    return _instant(name, text, "bad.date", lambda: typed_date(text, now.astimezone(zone)))


def _instant(name: str, text: str, refusal: str, read: Callable[[], datetime]) -> datetime | None:
    if not text.strip():
        return None
    try:
        at = read().astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or not FIRST_DAY <= at.date() <= LAST_DAY:
        raise BadInput(TEXTS(refusal, name=name, text=_shown(text), first=FIRST_DAY, last=LAST_DAY))
    return at


def day(name: str, text: str, default: date) -> date:
    """A day; the default if the text is empty. Raises BadInput."""
    if not text:
        return default
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not FIRST_DAY <= found <= LAST_DAY:
        raise BadInput(TEXTS("bad.day", name=name, text=_shown(text), first=FIRST_DAY, last=LAST_DAY))
    return found


def entry_id(text: str) -> str:
    """The id of an entry from which the next page of a list goes on, or an empty text. Raises InvalidCursor."""
    if text and not ENTRY_ID.fullmatch(text):
        raise InvalidCursor(text)
    return text


def limited(name: str, text: str, most: int) -> str:
    """A text of at most `most` characters. Raises BadInput."""
    if len(text) > most:
        raise BadInput(TEXTS("bad.long", name=name, n=len(text), most=most))
    return text


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
