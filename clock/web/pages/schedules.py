"""The first page: every event with its latest decisions and its next run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice

from clock.inspection.events.event_rows import EventRow
from clock.web.input.inputs import choice, number
from clock.web.page import Page, Show, Visit
from clock.web.troubles import Found

EVENTS_ON_A_PAGE = 25
STRIP = 60  # decisions
MOST_SORTED = 200  # events that are read for an order by time; of more the first ones by name
MOST_PAUSES = 1_000  # events of which one page reads the pauses
MOST_STRIPS = 25  # events of which one page reads all decisions of the strip
PATIENCE_SECONDS = 1.0  # for the first reading of all events: 10,000 take about as long
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = 0


@dataclass(frozen=True, slots=True)
class State:
    """A state that events are filtered by: how many decisions of each are read for it, of how many events."""

    has: Callable[[EventRow], bool]
    records: int
    events: int


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a page, the first of `total` events at place `first`.

    `following` is the place of the next page (None: this is the last page). `is_partial`: events were left out of
    the order. `looked`: up to which place a filter has looked; None: nothing is filtered by state. `is_reading`:
    the other events are being read, and the next visit finds more.
    """

    rows: Sequence[EventRow]
    total: int
    first: int
    following: int | None
    is_partial: bool = False
    looked: int | None = None
    is_reading: bool = False


FAILING = "failing"  # the filter whose events are known from a reading of all events
SEARCHED: Mapping[str, State] = {
    "missed": State(lambda row: any(one["decision"] == "missed" for one in row.records), STRIP, MOST_STRIPS),
    "paused": State(lambda row: row.pause is not None, 0, MOST_PAUSES),
}
STATES = (FAILING, *SEARCHED)
ORDERS = ("name", "next", "last")
BY_TIME: Mapping[str, Callable[[EventRow], object]] = {
    "next": lambda row: row.next_due or NEVER,
    "last": lambda row: -(row.last["due"] if row.last else LONG_AGO),
}


def show(visit: Visit) -> Page:
    """The events, filtered and in the order of the query; without an order, those with trouble come first."""
    query = visit.request
    state, order = choice("state", query.get("state"), STATES), choice("order", query.get("order"), ORDERS)
    names = visit.data.sorted_names()
    troubles = visit.data.troubles(PATIENCE_SECONDS if state == FAILING else 0.0)
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
            "states": STATES,
            "order": order,
            "all": len(names),
            "failing": _in_trouble(names, troubles, FAILING),
            "missed": _in_trouble(names, troubles, "missed"),
            "troubles": troubles,
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


def _found(visit: Visit, names: Sequence[str], state: str, order: str) -> Listed:
    first = number("first", visit.request.get("first"))
    if state == FAILING:
        return _failing(visit, names, first)
    if state:
        return _filtered(visit, names, SEARCHED[state], first)
    following = first + EVENTS_ON_A_PAGE
    ordered = _by_time(visit, names, order) if order in BY_TIME else names
    shown = ordered[first:following] if order else _troubled_first(visit, names, first)
    rows = visit.data.events(shown, visit.now, STRIP)
    return Listed(
        rows, len(ordered), first, following if following < len(ordered) else None, len(ordered) < len(names)
    )


def _by_time(visit: Visit, names: Sequence[str], order: str) -> Sequence[str]:
    """The events in an order for which Redis must be asked; of many, the first ones by name only."""
    rows = visit.data.events(names[:MOST_SORTED], visit.now, int(order == "last"))
    return [row.name for row in sorted(rows, key=BY_TIME[order])]  # type: ignore[arg-type]  # instants, or numbers


def _troubled_first(visit: Visit, names: Sequence[str], first: int) -> list[str]:
    """The events of a page: first those that fail, then those that missed their last run, then the others."""
    found = visit.data.troubles()
    troubles = found.by_name
    troubled = [name for kind in (FAILING, "missed") for name in _in_trouble(names, found, kind)]
    others = (name for name in names if name not in troubles)
    return list(islice(chain(troubled, others), first, first + EVENTS_ON_A_PAGE))


def _in_trouble(names: Sequence[str], troubles: Found, kind: str) -> list[str]:
    return [name for name in names if troubles.by_name.get(name) == kind] if troubles.by_name else []


def _failing(visit: Visit, names: Sequence[str], first: int) -> Listed:
    """The events that fail, by name: all of them as soon as all events have been read.

    Raises the error that ended the reading.
    """
    troubles = visit.data.troubles()
    if troubles.error:
        raise troubles.error
    failing = _in_trouble(names, troubles, FAILING)
    following = first + EVENTS_ON_A_PAGE
    rows = [row for row in visit.data.events(failing[first:following], visit.now, STRIP) if row.is_failing]
    return Listed(
        rows,
        len(failing),
        first,
        following if following < len(failing) else None,
        is_reading=not troubles.is_complete,
    )


def _filtered(visit: Visit, names: Sequence[str], state: State, first: int) -> Listed:
    """The next events in a state, by name: from place `first` on, until a page is full or enough were read."""
    part = names[first : first + state.events]
    matching = [row.name for row in visit.data.events(part, visit.now, state.records) if state.has(row)]
    shown = matching[:EVENTS_ON_A_PAGE]
    looked = first + (part.index(shown[-1]) + 1 if len(matching) > len(shown) else len(part))
    rows = visit.data.events(shown, visit.now, STRIP)
    return Listed(rows, len(names), first, looked if looked < len(names) else None, looked=looked)


PAGES: Mapping[str, Show] = {"/": show}
