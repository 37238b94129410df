"""Why an event ran at a time, or why it did not: by its history, the ledger and its declaration.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

from clock.clocks import from_ms, to_ms
from clock.errors import UnreadableTime
from clock.printable import counted, duration, local_time
from clock.store import Redis, listing
from clock.store.ledger import history, next_due, pauses
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.entry import Entry
from clock.timetable import Event
from clock.timetable.periods import dated

SECOND = timedelta(seconds=1)
#: A clock that runs and reaches Redis decides each due instant in time.
MISSED_BECAUSE = "no clock ran or reached Redis in time"
EARLIEST = from_ms(0)  # schedules are not computed for the time before 1970
SAMPLED = timedelta(days=400)  # a yearly event has a due instant in it
MOST_RECORDS = 40  # the most records of a period in one answer; more would not help


@dataclass(frozen=True, slots=True)
class AskedPeriod:
    """A period of time: the instants start <= t < end. `note` is about a zone change in it."""

    start: datetime
    end: datetime
    note: str | None = None


def periods_of(text: str, zone: tzinfo, now: datetime) -> list[AskedPeriod]:
    """The periods that a text means: a second, a minute or a day, in the zone unless the text has an offset.

    The text may start with the name of a day, seen from `now`: "yesterday 06:00", "monday".
    A wall-clock time that occurs twice has two periods. A time that does not occur has the instant of the zone
    change. Raises UnreadableTime.
    """
    try:
        text = dated(text, now.astimezone(zone))
        return _periods(text, datetime.fromisoformat(text), zone)
    except ValueError:
        raise UnreadableTime(text) from None
    except OverflowError:
        raise UnreadableTime(text, f"is outside the years {MINYEAR + 1} to {MAXYEAR - 1}") from None


def _periods(text: str, found: datetime, zone: tzinfo) -> list[AskedPeriod]:
    if not MINYEAR < found.year < MAXYEAR:  # instants of the first and the last year may leave the calendar
        raise OverflowError
    length = (timedelta(days=1), timedelta(minutes=1), SECOND)[min(text.count(":"), 2)]
    if found.tzinfo is not None:
        return [AskedPeriod(found.astimezone(UTC), found.astimezone(UTC) + length)]
    folds = sorted({found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)})
    real = [start for start in folds if start.astimezone(zone).replace(tzinfo=None) == found]
    if not real:
        return [AskedPeriod(folds[0], folds[-1] + length, f"{text}: does not exist; the clocks were set forward")]
    note = f"{text}: occurs twice; the clocks were set back" if len(real) > 1 else None
    return [AskedPeriod(start, start + length, note) for start in real]


def why(redis: Redis, event: Event, when: AskedPeriod, now: datetime) -> list[str]:
    """The outcome of the event's due instants in a period, as lines."""
    lines = [when.note] if when.note else []
    records = [record for record in history.read(redis, event.name) if _is_about(record, when)]
    lines += _shortened([record_lines(record, event.zone) for record in reversed(records)], event.name)
    row = listing.ledger_row(redis, event.name)
    if row is None or row.declaration != event.declaration:
        return [*lines, f"no clock has run {event.name!r} with its current schedule yet: {event.declaration}"]
    dues = _without_record(_dues(event, row.entry, when), records)
    lines += _undecided_lines(redis, event, dues, row.entry.decided, now)
    return lines if records or dues else [*lines, *_not_due(event, row.entry.anchor, when)]


def recorded(redis: Redis, event: str, when: AskedPeriod) -> list[str]:
    """The history of a period, in UTC, for an event that is no longer declared."""
    records = [record for record in history.read(redis, event) if _is_about(record, when)]
    lines = [line for record in reversed(records) for line in record_lines(record, UTC)]
    return lines or [f"{local_time(when.start, UTC)}: no records of {event!r}"]


def latest_of_all(redis: Redis, count: int, declared: Iterable[str] = ()) -> list[tuple[str, history.Record]]:
    """The latest `count` records of all events, oldest first: of those that clocks know, and those `declared`."""
    names = list(dict.fromkeys([*listing.ledger(redis), *declared]))
    latest = zip(names, listing.latest_decisions(redis, names), strict=True)
    newest = sorted(((name, record) for name, record in latest if record), key=_due_of, reverse=True)[:count]
    records = [(name, record) for name, _ in newest for record in history.read(redis, name, count)]
    return sorted(records, key=_due_of)[-count:]


def _due_of(named: tuple[str, Mapping[str, Any]]) -> int:
    return int(named[1]["due"])


def record_lines(record: Mapping[str, Any], zone: tzinfo) -> list[str]:
    """A record of the history in words: a line, and one line for each job with a known outcome."""
    due = local_time(from_ms(record["due"]), zone)
    if record.get("count", 1) > 1:
        due = f"{local_time(from_ms(record['first']), zone)} to {due} ({record['count']} runs)"
    parts = [_words(record["decision"])]
    parts += [MISSED_BECAUSE] if record["decision"] == DecisionKind.MISSED else []
    parts += [record["reason"]] if record.get("reason") else []
    parts += _lateness(record)
    parts += _jobs(record)
    parts.append(f"on {record.get('host')} (release {record.get('release')})")
    outcomes: Mapping[str, Mapping[str, Any]] = record.get("outcomes", {})
    return [
        f"{due}: {'; '.join(parts)}",
        *(f"  job {jid}: {_outcome(outcome, zone)}" for jid, outcome in outcomes.items()),
    ]


def _lateness(record: Mapping[str, Any]) -> Iterator[str]:
    """How late the clock decided; for missed runs, from the last one to the first."""
    late, is_run = record.get("late_ms", 0), record.get("count", 1) > 1
    if late and is_run and record["decision"] == DecisionKind.MISSED:
        yield f"{duration(late / 1000)} to {duration((late + record['due'] - record['first']) / 1000)} late"
    elif late and not is_run and record["decision"] != DecisionKind.MANUAL:  # of a run, only the last one's
        yield f"{duration(late / 1000)} late"


def _jobs(record: Mapping[str, Any]) -> Iterator[str]:
    """The jobs that were pushed, and those that a lock kept out. A job with an outcome was pushed later."""
    outcomes: Mapping[str, object] = record.get("outcomes", {})
    kept_out = {jid: holder for jid, holder in record.get("kept_out", {}).items() if jid not in outcomes}
    jids = [jid for jid in record.get("jids", ()) if jid not in kept_out]
    if jids:
        pushed = max(record.get("jobs", 0) - len(kept_out), len(jids))  # a record has 100 jids at most
        yield f"{counted(pushed, 'job')}: {', '.join(jids)}"
    for jid, holder in kept_out.items():
        yield f"{jid} was not pushed then, as {holder} held its lock"


def _words(decision: str) -> str:
    """A record's decision in words; unchanged if a newer version has written it."""
    try:
        return DecisionKind(decision).words
    except ValueError:
        return decision


def _outcome(outcome: Mapping[str, Any], zone: tzinfo) -> str:
    retry_at = outcome.get("retry_at")
    retry = f"retry due at {local_time(from_ms(retry_at), zone)}" if retry_at else "will be retried"
    failures = {"retry": ("failed", f", {retry}"), "dead": ("failed", ", for good")}
    word, then = failures.get(outcome["outcome"], (outcome["outcome"], ""))
    error = f": {outcome['error']}" if outcome.get("error") else ""
    return f"{word} at {local_time(from_ms(outcome['at']), zone)} (ran {outcome['took_ms']} ms){then}{error}"


def _shortened(blocks: Sequence[Sequence[str]], event: str) -> list[str]:
    """The lines of the first and the last blocks, and the number of blocks in between."""
    left_out, half = len(blocks) - MOST_RECORDS, MOST_RECORDS // 2
    if left_out > 0:
        note = f"... {left_out} more; `clock history {event} -n 1000` shows them"
        blocks = [*blocks[:half], [note], *blocks[-half:]]
    return [line for block in blocks for line in block]


def _undecided_lines(
    redis: Redis, event: Event, dues: Sequence[datetime], decided: datetime, now: datetime
) -> Iterator[str]:
    """A line for each run of due instants with the same explanation."""
    paused = pauses.read(redis) if dues else {}
    leadership = next_due.look(redis).leadership if dues else ""

    def state(due: datetime) -> str:
        if due <= decided:
            return "was due, but the history no longer has its record"
        if due <= now:
            return f"was due, but has not run yet: {leadership}"
        pause = pauses.covering(paused, event.name, due)
        return f"will be due, but is {pause}" if pause else "will be due"

    for text, run in groupby(dues, state):
        first, *others = run
        span = f" to {local_time(others[-1], event.zone)} ({len(others) + 1} runs)" if others else ""
        yield f"{local_time(first, event.zone)}{span}: {text}"


def _not_due(event: Event, anchor: datetime, when: AskedPeriod) -> Iterator[str]:
    start = local_time(when.start, event.zone)
    if when.start < anchor and _was_due_before(anchor, event, when):
        deployed = f"this schedule was first deployed at {local_time(anchor, event.zone)}"
        yield f"{start}: did not run: {deployed}: {event.declaration}"
        return
    following = event.next_after(max(when.end - SECOND, anchor - SECOND), anchor=anchor)
    upcoming = f"; the next run after that is at {local_time(following, event.zone)}" if following else ""
    yield f"{start}: not scheduled then: {event.declaration}{upcoming}"


def _was_due_before(anchor: datetime, event: Event, when: AskedPeriod) -> bool:
    """Whether the schedule has a due instant in the period before its anchor; True if it counts from it."""
    if when.start < EARLIEST or event.depends_on_anchor(anchor, anchor + SAMPLED):
        return True
    start, end = (to_ms(at) // 1000 - 1 for at in (when.start, min(when.end, anchor)))
    return any(True for _ in event.due_between(start, end, anchor=when.start - SECOND))


def _dues(event: Event, entry: Entry, when: AskedPeriod) -> list[datetime]:
    """The due instants of a period; only the next one for an event that asks its condition again."""
    if event.options.asks_again:
        counted = event.counted_from(entry.counted, anchor=entry.anchor, previous=entry.previous)
        due = event.next_after(entry.decided, anchor=entry.anchor, counted=counted)
        return [due] if due is not None and when.start <= due < when.end else []
    after, end = max(when.start, entry.anchor) - SECOND, when.end - SECOND
    found = event.due_between(to_ms(after) // 1000, to_ms(end) // 1000, anchor=entry.anchor)
    return [due for due in (from_ms(seconds * 1000) for seconds in found) if due >= when.start]


def _is_about(record: Mapping[str, Any], when: AskedPeriod) -> bool:
    return from_ms(record.get("first", record["due"])) < when.end and when.start <= from_ms(record["due"])


def _without_record(dues: Sequence[datetime], records: Sequence[Mapping[str, Any]]) -> list[datetime]:
    known = {record["due"] for record in records}
    runs = [(record["first"], record["due"]) for record in records if "first" in record]
    return [
        due
        for due in dues
        if to_ms(due) not in known and not any(first <= to_ms(due) <= last for first, last in runs)
    ]
