"""A cron expression in words: those of the `cronsim` package, and our own for the extensions."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise

from cronsim import CronSim, CronSimError

from clock.timetable.periods import listed
from clock.timetable.triggers.calendar_days import ordinal
from clock.timetable.triggers.cron import fields_of
from clock.timetable.triggers.cron_fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    WEEKDAY,
    Field,
    numbers,
    weekday_term,
)

_FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
_START = datetime(2026, 1, 1)  # any instant: the words do not depend on it


def cron_prose(expression: str) -> str:
    """A cron expression in words.

    >>> cron_prose("0 9 * * mon-fri")
    'At 09:00 on Monday through Friday'
    >>> cron_prose("0 9 -2 * *")
    'At 09:00 on the 2nd to last day of the month'
    """
    given = dict(zip(_FIELDS, fields_of(expression), strict=True))
    texts = {field: _plain(place, text) for place, (field, text) in enumerate(given.items())}
    if None not in texts.values():
        return _sentence(" ".join(map(str, texts.values())))
    sentence = _sentence(" ".join(str(texts[field]) for field in (SECOND, MINUTE, HOUR)) + f" * {texts[MONTH]} *")
    chosen = [(field, given[field]) for field in (DAY, WEEKDAY) if given[field] not in ("*", "?")]
    both = "&" in expression or any(text.startswith(("*", "/")) for _, text in chosen)
    words = [
        listed(map(_weekday if field is WEEKDAY else _day, text.removesuffix("&").split(",")))
        for field, text in chosen
    ]
    return f"{sentence.replace(' every day', '')} on {(' if it is also ' if both else ' or ').join(words)}"


def _sentence(expression: str) -> str:
    words = CronSim(expression, _START).explain()
    return re.sub(r"\b([23][123])th\b", lambda found: ordinal(int(found[1])), words)


def _plain(place: int, text: str) -> str | None:
    """A field's text for cronsim; None if cronsim does not support such days."""
    field = _FIELDS[place]
    text = re.sub(r"^[?](?=$|/)", "*", f"*{text}" if text.startswith("/") else text)
    if field in (DAY, WEEKDAY):
        return text if _is_known(place, text) else _as_list(field, text)
    values = sorted(numbers(field, text))
    is_one_step = "/" in text and len(values) == 1  # */90 is minute 0, not each 90th minute
    return text if _is_known(place, text) and not is_one_step else ",".join(map(str, values))


def _is_known(place: int, text: str) -> bool:
    fields = ["*"] * 6
    fields[place] = text
    try:
        CronSim(" ".join(fields), _START)
    except (CronSimError, AssertionError):
        return False
    return True


def _as_list(field: Field, text: str) -> str | None:
    """The days as numbers, if the field has only numbers."""
    try:
        found = numbers(field, text)
    except ValueError:
        return None
    if field is WEEKDAY:
        return ",".join(map(str, sorted({value % 7 for value in found}, key=lambda day: (day - 1) % 7)))
    return ",".join(map(str, sorted(found)))


def _day(term: str) -> str:
    if nearest := re.fullmatch(r"(\d+)w", term):
        return f"the weekday nearest to day {nearest[1]} of the month"
    if term in ("lw", "wl"):
        return "the last weekday of the month"
    range_, _, step = term.partition("/")
    if range_ in ("", "*", "?"):
        return f"every {ordinal(int(step))} day of the month" if step else "every day"
    first, last = re.findall(r"(-?\w+)(?:-(-?\w+))?", range_)[0]
    if step and first.isdecimal():
        last = last or "l"
    if not last:
        return f"{_place(first)} of the month"
    every = f"every {ordinal(int(step))} of " if step else ""
    return f"{every}the days from {_place(first)} to {_place(last)} of the month"


def _place(text: str) -> str:
    if text in ("l", "last", "-1"):
        return "the last day"
    return f"the {ordinal(-int(text))} to last day" if text.startswith("-") else f"day {text}"


def _weekday(term: str) -> str:
    days, nth = weekday_term(term)
    names = [WEEKDAY.names[day].capitalize() for day in days]
    is_range = len(days) > 2 and all((after - day) % 7 == 1 for day, after in pairwise(days))
    words = f"{names[0]} through {names[-1]}" if is_range else listed(names)
    if nth is None:
        return words
    place = "last" if nth == -1 else ordinal(nth) if nth > 0 else f"{ordinal(-nth)} to last"
    return f"the {place} {words} of the month"
