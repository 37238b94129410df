"""One event: its rule, its history with reasons, its next runs; and why it ran, or did not, at some time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from clock.clocks import from_ms, to_ms
from clock.inspection.events.event_rows import EventRow, event_history
from clock.inspection.events.why import periods_of, recorded, why
from clock.printable import duration
from clock.web.charts.marks import kind_of
from clock.web.inputs import limited
from clock.web.page import NotFound, Page, Visit
from clock.web.rendering import local

HISTORY = 100  # records on the page
STRIP = 60
UPCOMING = 20
MOST_DOTS = 120
LATE_KINDS = ("fired", "caught_up", "missed", "error")  # whose lateness is drawn
LONGEST_TIME = 100  # characters


def show(visit: Visit) -> Page:
    """The page of an event."""
    row = _row(visit, STRIP)
    history = event_history(visit.data.redis, row.name, HISTORY)
    upcoming = list(islice(_upcoming(row, visit.now), UPCOMING))
    hazards = visit.data.hazards(row.event, visit.now) if row.event else []
    return Page(
        template="event",
        title=row.name,
        section="schedules",
        json=lambda: {
            **row.as_json(see_arguments=visit.access.see_arguments),
            "history": history,
            "upcoming": [due.isoformat() for due in upcoming],
            "hazards": [one.text for one in hazards],
        },
        view={
            "row": row,
            "records": history,
            "upcoming": upcoming,
            "marks": _marks(visit, row),
            "most": STRIP,
            "counts": Counter(map(kind_of, row.records[-STRIP:])),
            "runs": _runs(history[::-1]),
            "late": _late(visit, row, history[::-1]),
            "hazards": hazards,
            "answer": None,
            "at": "",
        },
    )


def why_page(visit: Visit) -> Page:
    """An event at one time: what happened and why, or what will happen. Raises UnreadableTime, BadInput."""
    row = _row(visit, 1)
    at = limited("at", visit.request.get("at").strip(), LONGEST_TIME)
    answer = _answer(visit, row, at) if at else None
    return Page(
        template="why",
        title=visit.texts("why.title", name=row.name),
        section="schedules",
        json=lambda: {"event": row.name, "at": at, "why": answer},
        view={"row": row, "at": at, "answer": answer, "prevents": _preventing(visit, row, at) if at else []},
    )


def _row(visit: Visit, count: int) -> EventRow:
    name = visit.request.get("name")
    [row] = visit.data.events([name], visit.now, count)
    if row.event is None and not row.records and not row.schedule:
        raise NotFound(visit.texts("event.missing", name=name))
    return row


def _answer(visit: Visit, row: EventRow, at: str) -> list[str]:
    stretches = periods_of(at, row.zone, visit.now)
    if row.event is None:
        return [line for when in stretches for line in recorded(visit.data.redis, row.name, when)]
    return [line for when in stretches for line in why(visit.data.redis, row.event, when, visit.now)]


def _preventing(visit: Visit, row: EventRow, at: str) -> list[str]:
    """The reasons that could still prevent a future run; empty for a past time."""
    event, due = row.event, row.next_due
    ends = [when.end for when in periods_of(at, row.zone, visit.now)]
    if event is None or due is None or max(ends) <= max(visit.now, due):
        return []
    t, condition = visit.texts, event.condition
    causes = {
        t("why.prevent_clock"): not visit.data.status().clocks,
        t("why.prevent_condition", name=getattr(condition, "__qualname__", condition)): condition is not None,
        t("why.prevent_overlap"): event.overlap != "allow",
        t("why.prevent_excepted"): event.options.adjustments.excepted is not None,
        t("why.prevent_pause"): row.pause is None,
    }
    return [text for text, is_possible in causes.items() if is_possible]


def _upcoming(row: EventRow, now: datetime) -> Iterator[datetime]:
    """The next due instants, from the oldest that is not decided on."""
    event, due = row.event, row.next_due
    if event is None or due is None:
        return
    anchor = row.anchor or now.replace(microsecond=0)
    yield due
    if not event.options.asks_again:  # when that is due after the next depends on its condition
        end = to_ms(due) // 1000 + 100 * 366 * 86_400
        for seconds in event.due_between(to_ms(due) // 1000, end, anchor=anchor, previous=due):
            yield from_ms(seconds * 1000)


def _marks(visit: Visit, row: EventRow) -> list[tuple[Mapping[str, Any], str, str]]:
    """The strip's marks: record, link to the reason, what the pointer shows."""
    found = []
    for record in row.records[-STRIP:]:
        due = from_ms(record["due"])
        at = f"{due.astimezone(row.zone):%Y-%m-%d %H:%M:%S}"
        words = visit.texts(f"decision.{kind_of(record)}")
        late = f", {duration(record['late_ms'] / 1000)} late" if record.get("late_ms") else ""
        title = f"{local(due, row.zone, visit.now, exact=True)}: {words}{late}"
        found.append((record, visit.request.link("/why", name=row.name, at=at), title))
    return found


def _late(visit: Visit, row: EventRow, records: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """The lateness of the event's decisions in ms, oldest first: (ms, kind, text)."""
    found = []
    for record in records[-MOST_DOTS:]:
        late, kind = record.get("late_ms"), kind_of(record)
        if late is not None and kind in LATE_KINDS:
            at = local(from_ms(record["due"]), row.zone, visit.now, exact=True)
            words = visit.texts(f"decision.{kind}")
            text = visit.texts("lateness.dot", at=at, words=words, length=duration(late / 1000))
            found.append((max(0, late), kind, text))
    return found


def _runs(records: Sequence[Mapping[str, Any]]) -> list[tuple[float, bool]]:
    """The run times of the event's jobs in seconds, oldest first, and whether each has failed."""
    outcomes = [
        (outcome["took_ms"] / 1000, outcome["outcome"] != "done")
        for record in records
        for outcome in record.get("outcomes", {}).values()
    ]
    return outcomes[-MOST_DOTS:]


PAGES = {"/event": show, "/why": why_page}
