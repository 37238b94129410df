"""The first page: every event, what became of its latest due instants, and when it runs next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from clock.inspection.event_rows import EventRow
from clock.web.inputs import choice, number
from clock.web.page import Page, Visit

EVENTS_ON_A_PAGE = 40
STRIP = 60  # decisions
MOST_SORTED = 300  # events of which all are read for a filter or an order by time; of more, see `Index`
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = 0

STATES: Mapping[str, Callable[[EventRow], bool]] = {
    "failing": lambda row: row.is_failing,
    "missed": lambda row: any(record["decision"] == "missed" for record in row.records),
    "paused": lambda row: row.pause is not None,
}
ORDERS: Mapping[str, Callable[[EventRow], object]] = {
    "next": lambda row: row.next_due or NEVER,
    "last": lambda row: -(row.last["due"] if row.last else LONG_AGO),
}


def show(visit: Visit) -> Page:
    """The events, by name, filtered and in the order that the query asks for."""
    query = visit.request
    text = query.get("q").strip().lower()
    state, order = choice("state", query.get("state"), STATES), choice("order", query.get("order"), ORDERS)
    names = visit.data.event_names()
    is_live = bool(state or order)
    matching = sorted((name for name in names if _has(visit, name, text)), key=str.lower)
    rows, total, is_partial = (
        _chosen(visit, matching, state, order) if is_live else (_page_of(visit, matching), len(matching), False)
    )
    first = number("first", query.get("first"))
    return Page(
        template="schedules",
        title=visit.texts("schedules.title"),
        section="schedules",
        json=[row.as_json() for row in rows],
        view={
            "rows": rows,
            "q": query.get("q"),
            "state": state,
            "states": list(STATES),
            "order": order,
            "total": total,
            "all": len(names),
            "first": first,
            "following": first + EVENTS_ON_A_PAGE if first + EVENTS_ON_A_PAGE < total else None,
            "before": max(0, first - EVENTS_ON_A_PAGE) if first else None,
            "is_partial": is_partial,
            "most_sorted": MOST_SORTED,
            "most": STRIP,
            "clocks": visit.data.status().clocks,
        },
    )


def _has(visit: Visit, name: str, text: str) -> bool:
    if not text:
        return True
    event = visit.data.declared.get(name)
    found = f"{name} {event.schedule} {event.zone}" if event else name
    return text in found.lower()


def _page_of(visit: Visit, names: Sequence[str]) -> list[EventRow]:
    first = number("first", visit.request.get("first"))
    return visit.data.events(names[first : first + EVENTS_ON_A_PAGE], visit.now, STRIP)


def _chosen(visit: Visit, names: Sequence[str], state: str, order: str) -> tuple[list[EventRow], int, bool]:
    """The page of events in a state or order that Redis must be asked about; of many, the first ones only."""
    found = visit.data.events(names[:MOST_SORTED], visit.now, STRIP if state == "missed" else 1)
    rows = [row for row in found if not state or STATES[state](row)]
    if order:
        rows.sort(key=lambda row: ORDERS[order](row))  # type: ignore[arg-type, return-value]  # instants, or numbers
    first = number("first", visit.request.get("first"))
    shown = [row.name for row in rows[first : first + EVENTS_ON_A_PAGE]]
    return visit.data.events(shown, visit.now, STRIP), len(rows), len(names) > MOST_SORTED
