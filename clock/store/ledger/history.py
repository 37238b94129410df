"""The history: a record of each decision about a due instant, and of each outcome of a firing's jobs.

Each function that takes a connection raises StoreUnavailable; `read` also raises WrongType.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.invalid_values import json_object
from clock.store.ledger.entry import LATEST_MS
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.wrong_type import typed

HISTORY_LENGTH = 1_000  # records kept for each event: three years of a daily one, most of a day of a minutely one
OUTCOMES_LENGTH = 2_000  # outcomes kept for each event: a job may be tried several times
MOST_RENAMES = 3  # of an event while its job runs: more than one is a race of two releases
LATEST = 50  # decisions whose commit is looked up
BACKFILLED_MS = 366 * 86_400_000  # a year: an older backfill is hardly repeated by mistake

Record = dict[str, Any]
Stream = Sequence[tuple[bytes, Mapping[bytes, bytes]]]

_decode = msgspec.json.Decoder().decode

#: The fields that every record of a decision and every outcome of a job has, and the types of their other fields.
RECORD: Mapping[str, type] = {"decision": str, "due": int}
OUTCOME: Mapping[str, type] = {"jid": str, "outcome": str, "at": int, "took_ms": int}
OPTIONAL: Mapping[str, type] = {
    "reason": str,
    "late_ms": int,
    "count": int,
    "first": int,
    "retry_at": int,
    "jobs": int,
    "jids": list,
    "kept_out": dict,
}


def read(redis: Redis, event: str, count: int = HISTORY_LENGTH) -> Iterator[Record]:
    """The latest `count` records of an event, newest first. Invalid records are skipped.

    A record has `decision` and `due` (ms), as the case may be `late_ms`, `reason`, `host`, `release`, `jobs`,
    `jids`, `kept_out` (jid of a job that was not pushed -> jid of the job that held its lock), `count` and `first`
    (ms) of a run, and `outcomes`: the outcomes of each jid's job so far.
    """
    outcomes = valid(_latest(redis, keys.OUTCOMES + event, OUTCOMES_LENGTH), OUTCOME)
    yield from with_outcomes(valid(_latest(redis, keys.HISTORY + event, count)), outcomes)


def with_outcomes(records: Iterable[Record], outcomes: Iterable[Record]) -> Iterator[Record]:
    """The records, each with the outcomes of its jobs. Outcomes are newest first: the newest of a jid counts."""
    by_jid: dict[str, Record] = {}
    for outcome in outcomes:
        by_jid.setdefault(outcome.pop("jid"), outcome)
    for record in records:
        ended = {jid: by_jid[jid] for jid in record.get("jids", ()) if jid in by_jid}
        yield {**record, "outcomes": ended} if ended else record


def is_failure(outcome: Mapping[str, Any]) -> bool:
    """Whether a job failed, by its latest outcome: it waits for a retry, is dead, or was dropped for its error."""
    return outcome["outcome"] in ("retry", "dead") or outcome.get("failed") is True


def add_outcome(
    redis: Redis, event: str, jid: str, outcome: Record, *, ended: bool, retry_at: float = 0.0
) -> None:
    """Record what a run of a firing's job came to; `ended`: it will not run again, else it does at `retry_at`.

    Nothing is recorded of an event that was forgotten, and so has no history.
    """
    entry = json.dumps({"jid": jid, **outcome}, ensure_ascii=False)
    when = "" if ended else repr(retry_at)
    for _ in range(MOST_RENAMES):
        names = [keys.OUTCOMES + event, keys.WATCHED + event, keys.HISTORY + event, keys.LEDGER_RENAMED]
        now = run(redis, "note_outcome", names, [jid, entry, OUTCOMES_LENGTH, when, event])
        if not now:
            return
        event = now.decode(errors="replace")


def committed_at(redis: Redis, event: str) -> dict[int, int]:
    """When the latest decisions were committed, by Redis's clock: due instant -> ms since 1970, both."""
    with translated():
        rows: Any = redis.xrevrange(keys.HISTORY + event, count=LATEST)
    found: dict[int, int] = {}
    for number, fields in rows:
        record = decoded(fields.get(b"entry"))
        if record is not None:
            found[record["due"]] = int(number.partition(b"-")[0])
    return found


def backfilled(redis: Redis, event: str) -> set[int]:
    """The due instants (ms) of an event that were backfilled in the last year. A repeated backfill skips them."""
    with translated():
        members: Any = redis.zrange(keys.BACKFILLED, 0, -1)
    split = (member.partition(b" ") for member in members)
    return {int(due) for due, _, name in split if name == event.encode() and due.isdigit()}


def forget_old_backfills(redis: Redis, now: datetime) -> None:
    """Forget backfills that are older than a year."""
    with translated():
        redis.zremrangebyscore(keys.BACKFILLED, "-inf", to_ms(now) - BACKFILLED_MS)


def _latest(redis: Redis, stream: str, count: int) -> Stream:
    with typed(redis, stream, "stream"):
        rows: Any = redis.xrevrange(stream, count=count)
    return list(rows)


def valid(stream: Stream, kinds: Mapping[str, type] = RECORD) -> Iterator[Record]:
    """The entries of a part of a stream that have fields of these types; others are skipped."""
    found = (decoded(fields.get(b"entry"), kinds) for _, fields in stream)
    return (record for record in found if record is not None)


def decoded(text: bytes | None, kinds: Mapping[str, type] = RECORD) -> Record | None:
    """An entry of a stream; None: it is not the JSON of an object that has fields of these types."""
    found = _object(text or b"")
    if found is None:
        return None
    for name, value in found.items():
        kind = OPTIONAL.get(name) or kinds.get(name)
        if kind and not (type(value) is kind is str or _is_a(kind, value)):
            return None
    found.pop("outcomes", None)  # `with_outcomes` adds them; another program wrote these
    return found if kinds.keys() <= found.keys() else None


def _object(text: bytes) -> Record | None:
    """The object of a JSON text; None: it is not one. msgspec is several times faster, and stricter."""
    try:
        found = _decode(text)
    except (ValueError, RecursionError):
        return json_object(text)
    return found if isinstance(found, dict) else None


def _is_a(kind: type, value: object) -> bool:
    if kind is int:
        return type(value) is int and abs(value) <= LATEST_MS
    if kind is list:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, kind)
