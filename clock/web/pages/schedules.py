"""The first page: every event with its latest decisions and its next run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from clock.clocks import from_ms, to_ms
from clock.inspection.events.event_rows import MISSED_KEPT, EventRow, Summary, summary
from clock.web.cache import FRESH_SECONDS, Found
from clock.web.inputs import choice
from clock.web.page import Page, Visit, part_of

STRIP = 60  # decisions
#: Events that are read for an order by time, of those that may have run since the last reading.
MOST_READ_AGAIN = 200
PATIENCE_SECONDS = 1.0  # for the first reading of all events: 10,000 take a second or two
NEVER_MS = 2**63

FAILING, MISSED, PAUSED = STATES = ("failing", "missed", "paused")
BY_NAME, BY_NEXT, BY_LAST = ORDERS = ("name", "next", "last")
#: A page is read after the list of all events: what has changed since is left out.
STILL: Mapping[str, Callable[[EventRow], bool]] = {
    FAILING: lambda row: row.trouble == FAILING,
    PAUSED: lambda row: row.pause is not None,
}


@dataclass(frozen=True, slots=True)
class Query:
    """The events that the query asks for, by name; their state (empty: any) and order (empty: the page's own).

    `names` still has events of other states, unless it asks for paused ones.
    """

    names: Sequence[str]
    state: str
    order: str

    @property
    def needs_overview(self) -> bool:
        """Whether the answer depends on a reading of all events."""
        return self.state == MISSED or self.has_age_of_overview(len(self.names))

    def has_age_of_overview(self, count: int) -> bool:
        """Whether a list of `count` events is as old as that reading. The clock notes missed runs itself."""
        is_by_time = self.order in (BY_NEXT, BY_LAST)
        return self.state == FAILING or (is_by_time and count > MOST_READ_AGAIN)


def show(visit: Visit) -> Page:
    """The events, filtered and in the order of the query; without an order, those with trouble come first.

    Raises the error that ended the reading of all events, if the answer depends on it.
    """
    names = visit.data.sorted_names()
    asked = _asked(visit, names)
    overview = visit.data.overview(PATIENCE_SECONDS if asked.needs_overview else 0.0)
    if asked.needs_overview and overview.error:
        raise overview.error
    found = _ordered(visit, asked, overview)
    named, places = part_of(visit, found)
    rows = list(filter(STILL.get(asked.state), visit.data.events(named, visit.now, STRIP)))
    is_reading = asked.needs_overview and not overview.is_complete
    is_old = asked.has_age_of_overview(len(found))
    missed = visit.data.missed() if asked.state == MISSED else None
    return Page(
        template="schedules",
        json=lambda: [_as_json(visit, row, missed) for row in rows],
        json_headers={"x-clock-total": str(len(found)), "x-clock-reading": str(is_reading).lower()},
        view={
            "rows": rows,
            **places,
            "is_reading": is_reading,
            "age": overview.age_seconds if is_old and overview.age_seconds > FRESH_SECONDS else None,
            "most_read_again": MOST_READ_AGAIN,
            "missed_days": MISSED_KEPT.days,
            "missed_at": missed or {},
            "q": visit.request.get("q"),
            "state": asked.state,
            "states": STATES,
            "order": asked.order,
            "orders": ORDERS,
            "all": len(names),
            **{trouble: _in_trouble(names, overview, trouble) for trouble in (FAILING, MISSED)},
            "overview": overview,
            "most": STRIP,
        },
    )


def _as_json(visit: Visit, row: EventRow, missed: Mapping[str, int] | None) -> Mapping[str, object]:
    """A row for programs; if missed runs were asked for, with the due instant of the event's latest one."""
    found = row.as_json(see_arguments=visit.access.see_arguments)
    if missed is not None:
        found["missed_at"] = from_ms(missed[row.name]).isoformat() if row.name in missed else None
    return found


def _asked(visit: Visit, names: Sequence[str]) -> Query:
    query, text = visit.request, visit.request.get("q").strip().lower()
    if text:
        searched = visit.data.searched()
        names = [name for name in names if text in (searched.get(name) or name.lower())]
    state, order = choice("state", query.get("state"), STATES), choice("order", query.get("order"), ORDERS)
    if state == PAUSED:
        paused = visit.data.paused()
        names = [name for name in names if name in paused]
    return Query(names, state, order)


def _ordered(visit: Visit, asked: Query, overview: Found) -> Sequence[str]:
    """All events that were asked for, in their order. By default the event that missed a run last comes first."""
    names = asked.names
    if asked.state == FAILING:
        names = _in_trouble(names, overview, FAILING)
    if asked.state == MISSED:
        missed = {name: overview.by_name[name].last_ms or 0 for name in _in_trouble(names, overview, MISSED)}
        missed |= visit.data.missed()
        names = [name for name in names if name in missed]
        if not asked.order:
            return sorted(names, key=lambda name: -missed[name])
    if asked.order in (BY_NEXT, BY_LAST):
        known = {**overview.by_name, **_read_again(visit, names, overview)}
        return sorted(names, key=partial(_place, asked.order, known))
    if asked.order or asked.state:
        return names
    troubles = overview.troubles
    troubled = [name for kind in (FAILING, MISSED) for name in _in_trouble(names, overview, kind)]
    return [*troubled, *(name for name in names if name not in troubles)] if troubled else names


def _read_again(visit: Visit, names: Sequence[str], overview: Found) -> Mapping[str, Summary]:
    """The summaries, read now, of the events that were due since all events were read, or of all if they are few.

    If more than `MOST_READ_AGAIN` were due, the others keep their places of the last reading.
    """
    if len(names) > MOST_READ_AGAIN:
        now_ms, known = to_ms(visit.now), overview.by_name
        names = [name for name in names if name in known and (known[name].next_ms or NEVER_MS) <= now_ms]
    rows = visit.data.events(names[:MOST_READ_AGAIN], visit.now, 1)
    return {row.name: summary(row) for row in rows}


def _place(order: str, known: Mapping[str, Summary], name: str) -> int:
    """The place of an event in an order by time; those without such a time come last."""
    one = known.get(name)
    if order == BY_NEXT:
        return one.next_ms if one and one.next_ms is not None else NEVER_MS
    return -(one.last_ms or 0) if one else 0


def _in_trouble(names: Sequence[str], overview: Found, kind: str) -> list[str]:
    troubles = overview.troubles
    return [name for name in names if troubles.get(name) == kind] if troubles else []


PAGES = {"/": show}
