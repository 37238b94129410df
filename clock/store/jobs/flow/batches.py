"""Batches: sets of jobs with jobs to push when these have ended.

A child is a member of a sorted set, "bid/state/jid". The script that pushes a job adds it, and the script that
ends the job moves it to another state. The last one of a sealed batch pushes the callbacks. All scores are 0, so
Redis counts the children of a batch in a state at once. No counter can go wrong, and a script that runs twice
changes nothing.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from redis import Redis

from clock.clocks import SystemClock, to_ms
from clock.errors import StoreError
from clock.problems import Problems
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.wrong_type import reading, readings, wrong_keys_among

PAGE = 1_000  # children read at once
STATES = {"p": "pending", "s": "done", "f": "ended"}

Event = Literal["complete", "success", "death"]


Ms = Annotated[float, msgspec.Meta(ge=0, lt=253402300800000)]  # since 1970, before the year 10,000


class Batch(msgspec.Struct):
    """A batch as it is stored. `callbacks` and `fired` are by event."""

    state: str = "open"
    created: Ms = 0
    callbacks: dict[str, str] = {}  # event -> payload
    fired: dict[str, Ms] = {}  # event -> when
    parent: str | None = None
    opener: str | None = None  # jid of the job that opened it
    description: str = ""
    total: int | None = None  # children, once it is done


class Counts(NamedTuple):
    """How many children are pending, are done, and have ended otherwise."""

    pending: int
    done: int
    failed: int


class Child(NamedTuple):
    """A child: a job, or a batch whose bid follows "@". `how` and `class_name` are set if it has not succeeded."""

    jid: str
    state: str
    how: str = ""
    class_name: str = ""


class Correction(NamedTuple):
    """A child whose job another program removed ("lost"), or brought back ("living")."""

    bid: str
    jid: str
    class_name: str
    status: Literal["lost", "living"]


def encoded(batch: Batch) -> str:
    """A batch as scripts read it."""
    return msgspec.json.encode(batch).decode()


def open_batch(redis: Redis, bid: str, batch: Batch, *, now: datetime) -> str:
    """Open a batch if it is unknown. Returns "new", its state, or "no parent"."""
    args = [to_ms(now), bid, encoded(batch), batch.parent or ""]
    return text(run(redis, "open_batch", keys.BATCH_KEYS, args))


def seal(redis: Redis, bid: str, *, now: datetime) -> str:
    """Seal a batch; the state that it had, '' if it is unknown."""
    return text(run(redis, "seal_batch", keys.BATCH_KEYS, [to_ms(now), bid]))


def correct(redis: Redis, corrections: Iterable[Correction], *, now: datetime) -> int:
    """Correct children; how many were changed."""
    rows, changed = list(corrections), 0
    for start in range(0, len(rows), PAGE):
        words = chain.from_iterable(rows[start : start + PAGE])
        changed += int(run(redis, "correct_children", keys.BATCH_KEYS, [to_ms(now), *words]))
    return changed


def read(redis: Redis, bid: str) -> Batch | None:
    """A batch; None: it is unknown, or another program wrote it."""
    return _decoded(reading(redis, lambda pipe: pipe.hget(keys.BATCHES, bid)))


def read_all(redis: Redis) -> dict[str, Batch]:
    """All batches by bid, the oldest first."""
    found: Mapping[bytes, bytes] = reading(redis, lambda pipe: pipe.hgetall(keys.BATCHES)) or {}
    batches = {text(bid): batch for bid, value in found.items() if (batch := _decoded(value))}
    return dict(sorted(batches.items(), key=lambda item: item[1].created))


def _decoded(value: Any) -> Batch | None:
    try:
        return msgspec.json.decode(value, type=Batch) if isinstance(value, bytes) else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def count(redis: Redis, bids: Sequence[str]) -> list[Counts]:
    """The counts of batches."""
    spans = [_span(f"{bid}/{state}") for bid in bids for state in STATES]
    replies = readings(redis, lambda pipe: [pipe.zlexcount(keys.BATCH_CHILDREN, *span) for span in spans])
    found = [int(number or 0) for number in replies]
    return [Counts(*found[at : at + 3]) for at in range(0, len(found), 3)]


def unfinished(redis: Redis) -> tuple[int, int]:
    """How many batches are not done, and how many children these wait for."""
    bids = [bid for bid, batch in read_all(redis).items() if batch.state != "done"]
    return len(bids), sum(one.pending for one in count(redis, bids))


def children(redis: Redis, bid: str, state: str) -> Iterator[Child]:
    """The children of a batch in a state, "p", "s" or "f"; read page by page."""
    low: str | bytes
    low, high = _span(f"{bid}/{state}")
    while page := _page(redis, low, high):
        for member in page:
            jid = text(member).removeprefix(f"{bid}/{state}/")
            yield _ended(redis, bid, jid) if state == "f" else Child(jid, state)
        low = b"(" + page[-1]


def pending(redis: Redis, after: str = "") -> Iterator[tuple[str, str, str]]:
    """Member, bid and jid of each pending job, no batches, after the member `after`."""
    low = b"(" + after.encode() if after else b"-"
    while page := _page(redis, low, "+"):
        for member in page:
            bid, state, jid = _parts(member)
            if state not in (b"p", b""):  # skip the others: a batch may have a million
                low = b"[" + bid + (b"/p/" if state < b"p" else b"0")
                break
            low = b"(" + member
            if jid and not jid.startswith(b"@"):
                yield member.decode(), bid.decode(), jid.decode()


def _parts(member: bytes) -> tuple[bytes, bytes, bytes]:
    """Bid, state and jid of a member of the children; state and jid are empty if another program wrote it."""
    bid, state, jid = (*member.split(b"/", 2), b"", b"")[:3]
    is_ours = state and jid and member == text(member).encode()  # else it is not valid UTF-8
    return (bid, state, jid) if is_ours else (bid, b"", b"")


def claim_check(redis: Redis, identity: str, *, seconds: float) -> bool:
    """Whether this worker looks for lost children; it then does for so many seconds."""
    with translated():
        if redis.set(keys.BATCH_CHECK, identity, nx=True, px=int(1000 * seconds)):
            return True
        holder: Any = redis.get(keys.BATCH_CHECK)
        if holder is None or text(holder) != identity:
            return False
        return bool(redis.set(keys.BATCH_CHECK, identity, px=int(1000 * seconds)))


def note_lost(redis: Redis, count: int) -> None:
    """Count children that were lost."""
    with translated():
        redis.incrby(keys.BATCH_LOST, count)


def state_of(redis: Redis, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The state of each (bid, jid): "p", "s", "f", or '' for an unknown child."""
    members = [f"{bid}/{state}/{jid}" for bid, jid in pairs for state in STATES]
    found = readings(redis, lambda pipe: [pipe.zscore(keys.BATCH_CHILDREN, member) for member in members])
    rows = [found[at : at + 3] for at in range(0, len(found), 3)]
    return [
        next((state for state, score in zip(STATES, row, strict=True) if score is not None), "") for row in rows
    ]


def _ended(redis: Redis, bid: str, jid: str) -> Child:
    with translated():
        note: Any = redis.hget(keys.BATCH_ENDED, f"{bid}/{jid}")
    how, _, class_name = text(note or b"ended").partition(" ")
    return Child(jid, "f", how, class_name)


def _page(redis: Redis, low: str | bytes, high: str) -> list[bytes]:
    return reading(redis, lambda pipe: pipe.zrangebylex(keys.BATCH_CHILDREN, low, high, start=0, num=PAGE)) or []


def _span(prefix: str) -> tuple[str, str]:
    """The members that start with a prefix and "/"; "0" is the character after it."""
    return f"[{prefix}/", f"({prefix}0"


class BatchErrors:
    """Reports the errors of scripts that moved a job and could not note it in its batch. For any thread.

    `problems`, those of the process, get each error with the key that causes it.
    """

    def __init__(self, redis: Redis, problems: Problems | None = None) -> None:
        self._redis = redis
        self._problems = problems or Problems(clock=SystemClock())

    def report(self, error: bytes) -> None:
        """Report the error of a script; empty: none."""
        if error:
            self._problems.entry(
                "The end of a job was not noted in its batch, or the job that follows it was not pushed: %s."
                " Once this is repaired, a worker corrects the batch within some minutes.",
                self._cause(error),
            )

    def _cause(self, error: bytes) -> str:
        try:
            wrong = wrong_keys_among(self._redis, set(keys.BATCH_KEYS) - {keys.NEARER})
        except StoreError:
            wrong = []
        named = "; ".join(f"{key}; rename or delete it" for key in wrong)
        return named or text(error)
