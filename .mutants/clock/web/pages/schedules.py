"""The first page: every event with its latest decisions and its next run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clock.inspection.events.event_rows import EventRow
from clock.web.input.inputs import choice, number
from clock.web.page import Page, Visit

EVENTS_ON_A_PAGE = 25
STRIP = 60  # decisions
MOST_SORTED = 200  # events that are read for an order by time; of more the first ones by name
MOST_READ = 300  # events of which one page reads the latest decision
MOST_STRIPS = 25  # events of which one page reads all decisions of the strip
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = 0


@dataclass(frozen=True, slots=True)
class State:
    """A state that events are filtered by: how many decisions of each are read for it, of how many events."""

    has: Callable[[EventRow], bool]
    records: int = 1
    events: int = MOST_READ


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a page, the first of `total` events at place `first`.

    `following` is the place of the next page (None: this is the last page). `is_partial`: events were left out of
    the order. `looked`: up to which place a filter has looked; None: nothing is filtered by state.
    """

    rows: Sequence[EventRow]
    total: int
    first: int
    following: int | None
    is_partial: bool = False
    looked: int | None = None


STATES: Mapping[str, State] = {
    "failing": State(lambda row: row.is_failing),
    "missed": State(lambda row: any(one["decision"] == "missed" for one in row.records), STRIP, MOST_STRIPS),
    "paused": State(lambda row: row.pause is not None),
}
ORDERS: Mapping[str, Callable[[EventRow], object]] = {
    "next": lambda row: row.next_due or NEVER,
    "last": lambda row: -(row.last["due"] if row.last else LONG_AGO),
}


def show(visit: Visit) -> Page:
    """The events, by name, filtered and in the order that the query asks for."""
    query = visit.request
    state, order = choice("state", query.get("state"), STATES), choice("order", query.get("order"), ORDERS)
    names = visit.data.sorted_names()
    found = _found(visit, _matching(visit, names), state, order)
    return Page(
        template="schedules",
        title=visit.texts("schedules.title"),
        section="schedules",
        json=lambda: [row.as_json() for row in found.rows],
        view={
            "found": found,
            "rows": found.rows,
            "q": query.get("q"),
            "state": state,
            "states": list(STATES),
            "order": order,
            "all": len(names),
            "before": max(0, found.first - EVENTS_ON_A_PAGE) if found.first else None,
            "most_sorted": MOST_SORTED,
            "most": STRIP,
        },
    )


def _matching(visit: Visit, names: Sequence[str]) -> Sequence[str]:
    """The names that the search field asks for."""
    text = visit.request.get("q").strip().lower()
    if not text:
        return names
    searched = visit.data.searched
    return [name for name in names if text in (searched.get(name) or name.lower())]


def _found(visit: Visit, names: Sequence[str], state: str, order: str) -> Found:
    first = number("first", visit.request.get("first"))
    if state:
        return _filtered(visit, names, STATES[state], first)
    ordered = _ordered(visit, names, ORDERS[order]) if order else names
    rows = visit.data.events(ordered[first : first + EVENTS_ON_A_PAGE], visit.now, STRIP)
    following = first + EVENTS_ON_A_PAGE
    return Found(
        rows, len(ordered), first, following if following < len(ordered) else None, len(ordered) < len(names)
    )


def _ordered(visit: Visit, names: Sequence[str], key: Callable[[EventRow], object]) -> list[str]:
    """The events in an order for which Redis must be asked; of many, the first ones by name only."""
    rows = visit.data.events(names[:MOST_SORTED], visit.now, 1)
    return [row.name for row in sorted(rows, key=key)]  # type: ignore[arg-type]  # instants, or numbers


def _filtered(visit: Visit, names: Sequence[str], state: State, first: int) -> Found:
    """The next events in a state, by name: from place `first` on, until a page is full or enough were read."""
    part = names[first : first + state.events]
    matching = [row.name for row in visit.data.events(part, visit.now, state.records) if state.has(row)]
    shown = matching[:EVENTS_ON_A_PAGE]
    looked = first + (part.index(shown[-1]) + 1 if len(matching) > len(shown) else len(part))
    rows = visit.data.events(shown, visit.now, STRIP)
    return Found(rows, len(names), first, looked if looked < len(names) else None, looked=looked)
