"""An event explained in a sentence, for people who do not read clock files.

The words of cron expressions are those of the `cronsim` package, and our own for the extensions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from cronsim import CronSim, CronSimError

from clock.timetable.event import Event
from clock.timetable.naming import name_of
from clock.timetable.periods import NOT_AT_FIRST, listed, short_form
from clock.timetable.triggers.adjustments import Adjustments, until_words
from clock.timetable.triggers.calendar_days import ordinal
from clock.timetable.triggers.cron import fields_of
from clock.timetable.triggers.cron_fields import DAY, FIELDS, WEEKDAY, Field, numbers, weekday_term

CRON = "cron "  # the start of a schedule in words, if it is a cron expression
#: Anchors this far apart give different results for every rule that depends on its anchor.
_EARLIER = [timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=31)]
_START = datetime(2026, 1, 1)  # any instant: the words do not depend on it


def explain(event: Event, now: datetime | None = None, *, action: str = "", anchor: datetime | None = None) -> str:
    """The event in a sentence; with `now`, the sentence ends with the next due instant in the event's zone.

    `action` is its action in words, if not in those of the declaration. `anchor` is when the event was first seen.
    Without it, a due instant that depends on it is left out.
    """
    words, not_at_first, _ = schedule_words(event).partition(NOT_AT_FIRST)
    zone = f" in {event.zone}" if _has_zone(event.trigger) else ""
    clauses = [f"{words[:1].upper()}{words[1:]}{zone}{not_at_first}: {action or event.action}", *_how(event)]
    if now is not None:
        anchors = [anchor] if anchor else [now - earlier for earlier in _EARLIER]
        dues = {event.next_after(now, anchor=one) for one in anchors}
        clauses += [f"next run: {_shown(event, now, due)}" for due in dues if len(dues) == 1]
    text = ", ".join(clauses)
    return f"{text}. {event.description}" if event.description else text


def schedule_words(event: Event) -> str:
    """The event's schedule in words, also that of a cron expression."""
    if not event.schedule.startswith(CRON):
        return event.schedule
    prose = cron_prose(event.schedule.removeprefix(CRON))
    return prose[:1].lower() + prose[1:]


def _has_zone(trigger: object) -> bool:
    """Whether the trigger, or a trigger inside it, depends on a zone."""
    inside = [getattr(trigger, "trigger", None), *getattr(trigger, "triggers", ())]
    inside = [one for one in inside if one is not None]
    return any(map(_has_zone, inside)) if inside else hasattr(trigger, "zone")


def _how(event: Event) -> Iterator[str]:
    within = event.catch_up_within
    yield _LATE[event.catch_up if within else "skip"].format(short_form(within))
    if event.until is not None:
        yield f"until {until_words(event.until)}"
    if event.condition is not None:
        yield f"only if {name_of(event.condition)}"
    yield from _adjusted(event.options.adjustments)
    if event.overlap != "allow":
        yield _OVERLAP[event.overlap]
    if event.options.thread and not event.enqueues:
        yield "in its own thread"


_OVERLAP = {
    "skip": "skipped while the previous run is still active",
    "queue_one": "at most one waiting while the previous run is still active",
}
_LATE = {
    "latest": "catches up for {}",
    "all": "catches up all missed runs for {}",
    "skip": "no catch-up",
}


def _adjusted(chosen: Adjustments) -> Iterator[str]:
    if chosen.excepted is not None:
        days = name_of(chosen.excepted)
        yield (
            f"never on {days}" if chosen.otherwise == "skip" else f"moved to the {chosen.otherwise} day on {days}"
        )
    if chosen.spread:
        yield f"up to {short_form(chosen.spread)} later, always by the same amount"
    if chosen.jitter:
        yield f"up to {short_form(chosen.jitter)} later, random each time"
    if chosen.dst.gap:
        yield _GAP[chosen.dst.gap]
    if chosen.dst.fold:
        yield _FOLD[chosen.dst.fold]


_GAP = {
    "shift": "a time skipped by a clock change runs right after the gap",
    "skip": "a time skipped by a clock change is left out",
}
_FOLD = {
    "first": "a time that occurs twice runs the first time",
    "second": "a time that occurs twice runs the second time",
    "both": "a time that occurs twice runs both times",
}


def _shown(event: Event, now: datetime, due: datetime | None) -> str:
    if due is None:
        return "never"
    local, today = due.astimezone(event.zone), now.astimezone(event.zone)
    year = "" if local.year == today.year else " %Y"
    seconds = ":%S" if local.second else ""
    return local.strftime(f"%a %d %b{year} %H:%M{seconds} %Z")


def cron_prose(expression: str) -> str:
    """A cron expression in words: 'At 09:00 on the 2nd to last day of the month'."""
    given = fields_of(expression)
    texts = [_plain(place, text) for place, text in enumerate(given)]
    if None not in texts:
        return _sentence(" ".join(map(str, texts)))
    second, minute, hour, _, month, _ = texts
    sentence = _sentence(f"{second} {minute} {hour} * {month} *")
    chosen = [(field, text) for field, text in ((DAY, given[3]), (WEEKDAY, given[5])) if text not in ("*", "?")]
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
    field = FIELDS[place]
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
