"""A forecast as text, as JSON, and as an SVG drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from datetime import UTC, datetime, tzinfo
from html import escape

from clock.printable import counted, local_time, shortened_list
from clock.rehearsal.forecast import Forecast, Minute

SHOWN = 20  # events, names
ASSUMES = "Assumes: one queue, no limits on jobs, mean run times, no retries, and each condition is true."
_WIDTH, _HEIGHT, _LEFT, _TOP = 1000, 200, 44, 34
_MOST_BARS = 500  # neighbouring minutes share a bar


def to_text(made: Forecast, zone: tzinfo) -> str:
    """The forecast in lines; times are in `zone`."""
    return "\n".join(
        [*_summary(made), *_late(made, zone), *_busiest(made, zone), *_suggestions(made), "", ASSUMES]
    )


def _summary(made: Forecast) -> Iterator[str]:
    load = made.load
    start, end = (local_time(at, at.tzinfo) for at in (load.start, load.end))
    yield (f"{len(load.runs):,} jobs from {start} to {end} on {counted(made.slots, 'slot')}: {made.busy:.0%} busy")
    if load.assumed:
        yield f"Not measured yet, so the default is used: {shortened_list(load.assumed, SHOWN)}"
    if load.in_clock:
        yield f"Not counted, as they run in the clock: {shortened_list(load.in_clock, SHOWN)}"
    if made.busy > 1:
        yield "The work is more than the slots can do: jobs start later and later."


def _late(made: Forecast, zone: tzinfo) -> Iterator[str]:
    if not made.late:
        yield "All jobs start within a second of their due instants."
        return
    yield ""
    yield "Late jobs:"
    conditional = set(made.load.conditional)
    for one in made.late[:SHOWN]:
        due = local_time(datetime.fromtimestamp(one.worst.run.due, zone), zone)
        name = _named(one.event, conditional)
        yield f"  {name}: {one.late:,} of {one.runs:,} late; worst {_length(one.worst.late)}, due {due}"
    if len(made.late) > SHOWN:
        yield f"  and {len(made.late) - SHOWN} more events"


def _busiest(made: Forecast, zone: tzinfo) -> Iterator[str]:
    busiest = [minute for minute in made.busiest if minute.waiting or minute.busy > 0.5]
    if busiest:
        yield ""
        yield "Busiest minutes:"
    for minute in busiest:
        at = f"{datetime.fromtimestamp(minute.at, zone):%a %Y-%m-%d %H:%M %Z}"
        yield f"  {at}: {minute.due} jobs due, {minute.waiting} wait, slots {minute.busy:.0%} busy"


def _suggestions(made: Forecast) -> Iterator[str]:
    if not made.suggestions:
        return
    yield ""
    yield f"To flatten them (now all jobs together wait {_length(made.waits)}):"
    conditional = set(made.load.conditional)
    for one in made.suggestions:
        minutes = int(one.spread.total_seconds() // 60)
        name = _named(one.event, conditional)
        yield f"  {name}: .spread(timedelta(minutes={minutes}))  then they wait {_length(one.waits)}"


def _named(event: str, conditional: Set[str]) -> str:
    return f"{event} (has a condition)" if event in conditional else event


def to_json(made: Forecast, left_out: Sequence[str] = ()) -> dict[str, object]:
    """The forecast for programs. Instants are ISO 8601 in UTC, durations are seconds."""
    load = made.load
    return {
        "from": load.start.isoformat(),
        "to": load.end.isoformat(),
        "slots": made.slots,
        "jobs": len(load.runs),
        "busy": round(made.busy, 4),
        "waits_seconds": round(made.waits, 3),
        "assumed": list(load.assumed),
        "in_clock": list(load.in_clock),
        "conditional": load.conditional,
        "late": [
            {
                "event": one.event,
                "late": one.late,
                "runs": one.runs,
                "worst_seconds": round(one.worst.late, 3),
                "worst_due": _utc(one.worst.run.due),
            }
            for one in made.late
        ],
        "busiest": [
            {"at": _utc(one.at), "due": one.due, "waiting": one.waiting, "busy": round(one.busy, 4)}
            for one in made.busiest
        ],
        "suggestions": [
            {
                "event": one.event,
                "spread_seconds": one.spread.total_seconds(),
                "waits_seconds": round(one.waits, 3),
            }
            for one in made.suggestions
        ],
        "left_out": left_out,
    }


def to_svg(made: Forecast, zone: tzinfo) -> str:
    """A drawing: for each minute the busy part of the slots, and in red the jobs that wait."""
    load = made.load
    begin, end = load.start.timestamp(), load.end.timestamp()
    most = max((minute.waiting for minute in made.minutes), default=0) or 1
    title = (
        f"{len(load.runs):,} jobs, {made.slots} slots, {made.busy:.0%} busy, {zone}; red: up to {most} jobs wait"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" height="{_TOP + _HEIGHT + 30}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="white"/><text x="{_LEFT}" y="14">{escape(title)}</text>',
        *(_hour(hour / 6, begin, end, zone) for hour in range(7)),
        *(_bar(bar, begin, end, most) for bar in _bars(made.minutes, begin, end)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bars(minutes: Sequence[Minute], begin: float, end: float) -> Iterator[Minute]:
    """The minutes, with neighbours joined: the worst of each group counts."""
    width = max(60, int((end - begin) / _MOST_BARS / 60) * 60)
    groups: dict[int, list[Minute]] = {}
    for minute in minutes:
        groups.setdefault(int(minute.at // width) * width, []).append(minute)
    for at, group in groups.items():
        yield Minute(
            at, sum(one.due for one in group), max(one.waiting for one in group), max(one.busy for one in group)
        )


def _bar(minute: Minute, begin: float, end: float, most: int) -> str:
    x = _LEFT + _WIDTH * max(0.0, minute.at - begin) / (end - begin)
    parts = [(_HEIGHT * min(1.0, minute.busy), "#9db8c9"), (_HEIGHT * minute.waiting / most, "#c63a1e")]
    width = max(1.0, _WIDTH / _MOST_BARS)
    return "".join(
        f'<rect x="{x:.1f}" y="{_TOP + _HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"/>'
        for height, colour in parts
        if height
    )


def _hour(part: float, begin: float, end: float, zone: tzinfo) -> str:
    x = _LEFT + _WIDTH * part
    at = datetime.fromtimestamp(begin + (end - begin) * part, zone)
    return (
        f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}" stroke="#ddd"/>'
        f'<text x="{x:.0f}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle" fill="#555">{at:%a %H:%M}</text>'
    )


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
