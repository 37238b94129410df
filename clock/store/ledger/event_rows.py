"""Reads some events for a page. The cost does not depend on the number of all events.

Each function raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.ledger import history, pauses
from clock.store.ledger.entry import LATEST_MS, LedgerRow
from clock.store.ledger.history import OUTCOME, Record, Stream, valid
from clock.store.ledger.pauses import ALL, Pause
from clock.store.wrong_type import reading, readings

_HASHES = (*keys.LEDGER_ENTRY, keys.PAUSED)
CHUNK = 500  # events in one round trip: a few ms of Redis's time
EARLY_MS = 60_000  # a decision may be committed before its due instant by as much as two machines' clocks differ
USUAL = 20  # outcomes; their mean is how long an event's jobs usually take


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in Redis: its ledger entry (None: missing or broken), its pauses, its latest decisions.

    `records` are newest first. `outcome` is the latest outcome of a job of it; None: unknown.
    """

    row: LedgerRow | None
    pauses: Mapping[str, Pause]
    records: Sequence[Record]
    outcome: Record | None = None


def read(redis: Redis, names: Sequence[str], count: int) -> list[StoredEvent]:
    """The events of these names, each with its latest `count` decisions; 0: without decisions and outcomes."""
    found: list[StoredEvent] = []
    for start in range(0, len(names), CHUNK):
        found += _read(redis, names[start : start + CHUNK], count)
    return found


def read_pauses(redis: Redis, names: Sequence[str]) -> dict[str, Pause]:
    """The pauses of these events, and of the whole clock under `ALL`; events without one are left out."""
    parts = [[*names[start : start + CHUNK], ALL] for start in range(0, len(names), CHUNK)]
    replies = readings(redis, lambda pipe: [pipe.hmget(keys.PAUSED, part) for part in parts]) if parts else []
    fields = (
        pair for part, reply in zip(parts, replies, strict=True) for pair in zip(part, reply or (), strict=False)
    )
    return {name: pause for name, raw in fields if (pause := pauses.decoded(raw))}


def read_missed(redis: Redis, oldest_ms: int) -> dict[str, int]:
    """The events that missed a run since `oldest_ms`, the latest first: event -> its latest one (due, ms)."""
    found: dict[str, int] = {}
    span: dict[str, Any] = {"max": "+inf", "min": oldest_ms, "start": 0, "num": CHUNK, "withscores": True}
    while True:
        part = reading(redis, lambda pipe: pipe.zrevrangebyscore(keys.MISSED, **span)) or ()
        found |= {text(name): int(due) for name, due in part if 0 <= due <= LATEST_MS}
        if len(part) < CHUNK:
            return found
        span["start"] += CHUNK


def read_span(redis: Redis, names: Sequence[str], begin_ms: int, count: int) -> list[tuple[list[Record], int]]:
    """For each event up to `count` decisions from an instant on, oldest first, and how long its jobs usually take.

    The decisions have the outcomes of their jobs. The time is the mean of the latest outcomes, in ms; 0: unknown.
    """
    begin = max(0, begin_ms - EARLY_MS)
    replies = readings(
        redis,
        lambda pipe: [
            (
                pipe.xrange(keys.HISTORY + name, min=begin, count=count),
                pipe.xrange(keys.OUTCOMES + name, min=begin, count=count),
                pipe.xrevrange(keys.OUTCOMES + name, count=USUAL),
            )
            for name in names
        ],
    )
    return [_span(*replies[place : place + 3]) for place in range(0, len(replies), 3)]


def _span(decisions: Stream | None, outcomes: Stream | None, latest: Stream | None) -> tuple[list[Record], int]:
    took = [outcome["took_ms"] for outcome in valid(latest or (), OUTCOME)]
    ended = reversed(list(valid(outcomes or (), OUTCOME)))
    records = list(history.with_outcomes(valid(decisions or ()), ended))
    return records, sum(took) // len(took) if took else 0


def known_names(redis: Redis) -> list[str]:
    """The names of all events of the ledger, in order."""
    return sorted(map(text, reading(redis, lambda pipe: pipe.hkeys(keys.LEDGER_DECLARATION)) or ()))


def _read(redis: Redis, names: Sequence[str], count: int) -> list[StoredEvent]:
    wanted = [*names, ALL]
    shown = names if count else ()
    replies = readings(
        redis,
        lambda pipe: [
            *(pipe.hmget(key, wanted) for key in _HASHES),
            *(pipe.xrevrange(keys.HISTORY + name, count=count) for name in shown),
            *(pipe.xrevrange(keys.OUTCOMES + name, count=1) for name in shown),
        ],
    )
    streams = replies[len(_HASHES) :] or [None] * 2 * len(names)
    latest = [next(valid(stream or (), OUTCOME), None) for stream in streams[len(names) :]]
    *fields, paused = (reply or [None] * len(wanted) for reply in replies[: len(_HASHES)])
    held = {name: pause for name, raw in zip(wanted, paused, strict=True) if (pause := pauses.decoded(raw))}
    whole = {ALL: held[ALL]} if ALL in held else {}
    return [
        StoredEvent(
            LedgerRow.of(*values),
            whole | ({name: held[name]} if name in held else {}),
            list(valid(stream or ())),
            outcome,
        )
        for name, *values, stream, outcome in zip(
            names, *(one[:-1] for one in fields), streams[: len(names)], latest, strict=True
        )
    ]
