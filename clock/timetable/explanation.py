"""An event explained in a sentence, for people who do not read clock files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from clock.timetable.event import Event
from clock.timetable.naming import name_of
from clock.timetable.periods import NOT_AT_FIRST, short_form
from clock.timetable.triggers.adjustments import Adjustments
from clock.timetable.triggers.cron_words import cron_prose
from clock.timetable.triggers.until import until_words

CRON = "cron "  # the start of a schedule in words, if it is a cron expression


def explain(event: Event, now: datetime | None = None, *, action: str = "", anchor: datetime | None = None) -> str:
    """The event in a sentence; with `now`, the sentence ends with the next due instant in the event's zone.

    `action` is its action in words, if not in those of the declaration. `anchor` is when the event was first seen.
    Without it, a due instant that depends on it is left out.
    """
    clauses = [f"{_when(event)}: {action or event.action}", *_how(event)]
    if now is not None:
        clauses += _next(event, now, [anchor] if anchor else [now - earlier for earlier in _EARLIER])
    text = ", ".join(clauses)
    return f"{text}. {event.description}" if event.description else text


def schedule_words(event: Event) -> str:
    """The event's schedule in words, also that of a cron expression."""
    if not event.schedule.startswith(CRON):
        return event.schedule
    prose = cron_prose(event.schedule.removeprefix(CRON))
    return prose[:1].lower() + prose[1:]


def _when(event: Event) -> str:
    words, not_at_first, _ = event.schedule.partition(NOT_AT_FIRST)
    text = cron_prose(words.removeprefix(CRON)) if words.startswith(CRON) else words[:1].upper() + words[1:]
    return f"{text} in {event.zone}{not_at_first}" if _has_zone(event.trigger) else text + not_at_first


def _has_zone(trigger: object) -> bool:
    """Whether the trigger, or a trigger inside it, depends on a zone."""
    inside = [getattr(trigger, "trigger", None), *getattr(trigger, "triggers", ())]
    inside = [one for one in inside if one is not None]
    return any(map(_has_zone, inside)) if inside else hasattr(trigger, "zone")


def _how(event: Event) -> Iterator[str]:
    within = event.catch_up_within
    yield _LATE[event.catch_up].format(short_form(within)) if within else "no catch-up"
    if event.until is not None:
        yield f"until {until_words(event.until)}"
    if event.condition is not None:
        yield f"only if {name_of(event.condition)}"
    yield from _adjusted(event.adjustments)
    if event.overlap != "allow":
        yield _OVERLAP[event.overlap]
    if event.thread and not event.enqueues:
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


#: Anchors this far apart give different results for every rule that depends on its anchor.
_EARLIER = [timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=31)]


def _next(event: Event, now: datetime, anchors: Iterable[datetime]) -> list[str]:
    dues = {event.next_after(now, anchor=anchor) for anchor in anchors}
    return [f"next run: {_shown(event, now, due)}" for due in dues] if len(dues) == 1 else []


def _shown(event: Event, now: datetime, due: datetime | None) -> str:
    if due is None:
        return "never"
    local, today = due.astimezone(event.zone), now.astimezone(event.zone)
    form = (
        "%a %d %b"
        + ("" if local.year == today.year else " %Y")
        + (" %H:%M:%S %Z" if local.second else " %H:%M %Z")
    )
    return local.strftime(form)
