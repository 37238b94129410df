"""The forecast: which jobs of events will start late, the busiest minutes, and spreads that help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from clock.rehearsal.forecast import Forecast
from clock.rehearsal.forecast_text import to_json
from clock.web.charts.plot import Stretch
from clock.web.data import FORECAST_SECONDS, Span
from clock.web.inputs import choice, date_or_time, number
from clock.web.page import Page, Visit

DAYS: Mapping[str, int] = {"1": 1, "3": 3, "7": 7}
MOST_SLOTS = 10_000
PATIENCE_SECONDS = 0.05  # a page does not wait longer: it shows that the forecast is being computed
JSON_PATIENCE_SECONDS = 60.0  # a program has no use for a page without figures
MOST_LATE = 50
MOST_NAMES = 10


def show(visit: Visit) -> Page:
    """The forecast of the next days. The query may name the start, the days, and how many jobs run at once.

    Raises BadInput, ConfigurationError.
    """
    timetable = visit.data.source.timetable
    zone = timetable.settings.tz if timetable else visit.zone
    query = visit.request
    days = choice("days", query.get("days"), DAYS) or "1"
    live = sum(worker.concurrency for worker in visit.data.status().workers if not worker.quiet)
    slots = min(number("slots", query.get("slots"), live), MOST_SLOTS)
    given = date_or_time("from", query.get("from"), visit.now, zone)
    start = (given or visit.now.replace(second=0, microsecond=0)).astimezone(zone)
    span = Span(given, DAYS[days], slots)
    patience = JSON_PATIENCE_SECONDS if query.wants_json else PATIENCE_SECONDS
    found = visit.data.forecasts.get(span, patience) if slots and timetable else None
    made, age = found or (None, 0.0)
    return Page(
        template="forecast",
        json=lambda: to_json(made) if made else {"slots": slots, "state": "computing" if slots else "no worker"},
        view={
            "made": made,
            "age": age if age > FORECAST_SECONDS else None,
            "days": days,
            "spans": list(DAYS),
            "slots": slots,
            "start": start,
            "zone": zone,
            "has_file": timetable is not None,
            "given": {"from": query.get("from"), "slots": query.get("slots")},
            **(_view(made, zone) if made else {}),
        },
    )


def _view(made: Forecast, zone: tzinfo) -> Mapping[str, Any]:
    load = made.load
    return {
        "stretch": Stretch(load.start, load.end, zone),
        "late": [(one, datetime.fromtimestamp(one.worst.run.due, UTC)) for one in made.late[:MOST_LATE]],
        "most_waiting": max((one.waiting for one in made.minutes), default=0),
        "late_jobs": sum(one.late for one in made.late),
        "late_left_out": max(0, len(made.late) - MOST_LATE),
        "busiest": [
            (datetime.fromtimestamp(one.at, UTC), one) for one in made.busiest if one.waiting or one.busy > 0.5
        ],
        "suggestions": [
            (one, f".spread(timedelta(minutes={one.spread // timedelta(minutes=1)}))") for one in made.suggestions
        ],
        "assumed": _some(load.assumed),
        "in_clock": _some(load.in_clock),
        "conditional": set(load.conditional),
    }


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" + {len(names) - MOST_NAMES:,}" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


PAGES = {"/forecast": show}
