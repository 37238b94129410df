"""The history: a record of each decision about a due instant, and of what became of the jobs of a firing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated

HISTORY_LENGTH = 1_000  # records kept for each event: three years of a daily one, most of a day of a minutely one
OUTCOMES_LENGTH = 2_000  # outcomes kept for each event: a job may be tried several times

Record = dict[str, Any]


def read(redis: Redis, event: str, count: int = HISTORY_LENGTH) -> Iterator[Record]:
    """The latest `count` records of an event, newest first. Raises StoreUnavailable.

    A record has `decision` and `due` (ms), as the case may be `late_ms`, `reason`, `host`, `release`, `jobs`,
    `jids`, `count` and `first` (ms) of a run, and `outcomes`: what each jid's job has come to so far.
    """
    outcomes: dict[str, Record] = {}
    for outcome in _entries(redis, keys.OUTCOMES + event, OUTCOMES_LENGTH):
        outcomes.setdefault(outcome.pop("jid"), outcome)
    for record in _entries(redis, keys.HISTORY + event, count):
        ended = {jid: outcomes[jid] for jid in record.get("jids", ()) if jid in outcomes}
        yield {**record, "outcomes": ended} if ended else record


def add_outcome(redis: Redis, event: str, jid: str, outcome: Record, *, ended: bool) -> None:
    """Record what a run of a firing's job came to; `ended`: it will not run again. Raises StoreUnavailable."""
    entry = json.dumps({"jid": jid, **outcome}, ensure_ascii=False)
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.xadd(keys.OUTCOMES + event, {"entry": entry}, maxlen=OUTCOMES_LENGTH, approximate=True)
        if ended:
            pipeline.hdel(keys.WATCHED + event, jid)
        pipeline.execute()


def _entries(redis: Redis, stream: str, count: int) -> Iterator[Record]:
    with translated():
        rows: Any = redis.xrevrange(stream, count=count)
    for _, fields in rows:
        yield json.loads(fields[b"entry"])
