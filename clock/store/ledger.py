"""The ledger: what Redis remembers of each event, and the history of its firings.

An event's entry is its anchor (when it was first seen with its present declaration) and its last decided due
instant. A due instant is decided once: the fire script commits decision, history and jobs together, and only
where the ledger still stands at the instant before it. That is all of "exactly once"; no lock is involved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from operator import is_
from typing import Any, Protocol, TypeVar

import msgspec
from redis import Redis
from redis.exceptions import NoScriptError

from clock.errors import Outranked
from clock.store import history, keys, pauses
from clock.store.connection import ask, translated
from clock.store.holding import Push
from clock.store.pauses import Pause
from clock.store.scripts import script

ORPHANS_KEPT_MS = 7 * 24 * 3600 * 1000  # a bad deploy that is rolled back within a week loses nothing
T = TypeVar("T")
Arguments = list[str | bytes | int | float]
BATCH = 500  # decisions or declarations in one script call: a few ms of Redis's time


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of an event; both in milliseconds since 1970, UTC."""

    anchor_ms: int
    decided_ms: int


class Decision(msgspec.Struct, frozen=True):
    """What became of a due instant: `kind` is fired, caught_up, missed, refused, paused, overlap, error or manual.

    It holds only where `after_ms` is what the ledger has decided last: so what is decided is, for each event, a
    chain without gap. `detail` goes into the history as it is; `pushes` are the jobs that the firing enqueues;
    `watched` the jids by which it is found later whether they have ended.
    """

    event: str
    declaration: str
    after_ms: int
    due_ms: int
    kind: str
    detail: Mapping[str, object] = {}
    pushes: Sequence[Push] = ()
    watched: Sequence[str] = ()


class Verdict(IntEnum):
    """What the ledger made of a decision; but for COMMITTED nothing was written."""

    COMMITTED = 1
    DECIDED_ALREADY = 0
    WRONG_TYPE = -1  # a key that the jobs go to holds another type
    OUTRANKED = -2  # a newer release leads
    STALE = -3  # the ledger says something else of the event than the decision is built on: read it anew
    PAUSED = -4  # the due instant lies in a pause, and the decision is one to push jobs


Verdicts = Callable[[], list[Verdict]]


class Ledger(Protocol):
    """What the ticker needs of a ledger; `RedisLedger` in production, one in memory in tests."""

    def declare(self, declarations: Sequence[tuple[str, str]], now_ms: int) -> list[Entry]:
        """The entries of (event, declaration) pairs; one not seen before begins at `now_ms`."""

    def commit(self, decisions: Sequence[Decision]) -> list[Verdict]:
        """Commit each decision whose due instant is still undecided, with its jobs."""

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        """The same, without waiting: what is returned gives the verdicts, and has to be called."""

    def make_ready(self, decisions: Sequence[Decision]) -> None:
        """Prepare to commit just these soon."""

    def orphan(self, declared: Collection[str], now_ms: int) -> None:
        """Note which events are not declared any more, and forget those that have not been for a week."""

    def remove(self, events: Sequence[str], now_ms: int) -> None:
        """Take out events for good: should they come back, they begin anew."""

    def pauses(self) -> Mapping[str, Pause]:
        """The latest pause of each event that had one; under '' that of the whole clock."""

    def pause(self, event: str, wanted: Pause) -> object:
        """Pause an event."""

    def running(self, event: str, now_ms: int) -> int:
        """How many of the event's firings have a job that has not ended."""

    def promise(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        """Say which due instant is the oldest undecided one (None, 0: nothing will be due), for others to watch.

        Returns what was said before.
        """


class RedisLedger:
    """The ledger in Redis. Given a release, it refuses to work while one of a higher rank leads."""

    def __init__(self, redis: Redis, *, release: str = "", rank: int = 0) -> None:
        self._redis = redis
        self._release: Arguments = [release, rank]
        self._declare = script(redis, "declare")
        self._fire = script(redis, "fire")
        self._orphan = script(redis, "orphan")
        self._still_running = script(redis, "still_running")
        self._ready: tuple[Sequence[Decision], bytes] = (), b""

    def declare(self, declarations: Sequence[tuple[str, str]], now_ms: int) -> list[Entry]:
        """The entries of (event, declaration) pairs; one not seen before begins at `now_ms`, a whole second.

        Raises StoreUnavailable, Outranked.
        """
        entries: list[Entry] = []
        for batch in _batches(declarations):
            args: Arguments = [now_ms, *self._release, *(text for pair in batch for text in pair)]
            with translated():
                reply = self._declare(keys=[*_ENTRY_KEYS, keys.LEASE], args=args)
            if reply is None:
                raise Outranked
            numbers = [int(number) for number in reply]
            entries += [
                Entry(anchor, decided) for anchor, decided in zip(numbers[::2], numbers[1::2], strict=True)
            ]
        return entries

    def commit(self, decisions: Sequence[Decision]) -> list[Verdict]:
        """Commit each decision whose due instant is still undecided, with its jobs; may be called again.

        Raises StoreUnavailable; what was committed before that is refused as decided when it is tried again.
        """
        return [verdict for batch in _batches(decisions) for verdict in self.begin(batch)()]

    def make_ready(self, decisions: Sequence[Decision]) -> None:
        """Pack decisions that will be begun together soon, just these, in this order."""
        self._ready = decisions, _packed(decisions)

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        """Send up to `BATCH` decisions to be committed; what is returned waits for the verdicts.

        It has to be called. Both raise StoreUnavailable.
        """
        ready, packed = self._ready
        if len(decisions) != len(ready) or not all(map(is_, decisions, ready)):
            packed = _packed(decisions)
        args: Arguments = [history.HISTORY_LENGTH, *self._release, packed]
        with translated():
            answer = ask(self._redis, "EVALSHA", self._fire.sha, len(_FIRE_KEYS), *_FIRE_KEYS, *args)

        def verdicts() -> list[Verdict]:
            with translated():
                try:
                    return [Verdict(number) for number in answer()]
                except NoScriptError:  # the server was started anew
                    return [Verdict(number) for number in self._fire(keys=_FIRE_KEYS, args=args)]

        return verdicts

    def rows(self) -> list[tuple[str, str, Entry]]:
        """All that it holds: (event, declaration, entry). Raises StoreUnavailable."""
        names = (keys.LEDGER_DECLARATION, keys.LEDGER_ANCHOR, keys.LEDGER_DECIDED)
        with translated(), self._redis.pipeline() as pipeline:
            for name in names:
                pipeline.hgetall(name)
            declarations, anchors, decided = pipeline.execute()
        return [
            (event.decode(), declaration.decode(), Entry(int(anchors[event]), int(decided[event])))
            for event, declaration in declarations.items()
            if event in anchors and event in decided
        ]

    def orphan(self, declared: Collection[str], now_ms: int) -> None:
        """Note which events are not declared any more, and forget those that have not been for a week.

        Raises StoreUnavailable.
        """
        with translated():
            known: Any = self._redis.hkeys(keys.LEDGER_DECLARATION)
        names = set(declared)
        self._take_out([name for name in map(bytes.decode, known) if name not in names], now_ms, anew=False)
        pauses.forget_old(self._redis, now_ms)

    def remove(self, events: Sequence[str], now_ms: int) -> None:
        """Take out events for good: should they come back, they begin anew. Raises StoreUnavailable."""
        self._take_out(events, now_ms, anew=True)

    def _take_out(self, events: Sequence[str], now_ms: int, *, anew: bool) -> None:
        for batch in _batches(events):
            with translated():
                self._orphan(
                    keys=[*_ENTRY_KEYS, keys.HISTORY, keys.OUTCOMES, keys.WATCHED],
                    args=[now_ms, ORPHANS_KEPT_MS, int(anew), *batch],
                )

    def pauses(self) -> Mapping[str, Pause]:
        """The latest pause of each event; under '' that of the whole clock. Raises StoreUnavailable."""
        return pauses.read(self._redis)

    def pause(self, event: str, wanted: Pause) -> Pause:
        """Pause an event; what is paused already stays so from when it was. Raises StoreUnavailable."""
        return pauses.pause(self._redis, event, wanted)

    def running(self, event: str, now_ms: int) -> int:
        """How many of the event's firings have a job that waits, is delayed, is to be retried, or is held by a
        worker with a heartbeat. Raises StoreUnavailable.
        """
        with translated():
            return len(self._still_running(keys=[keys.WATCHED + event, *_PLACES_OF_JOBS], args=[now_ms]))

    def promise(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        """Say which due instant is the oldest undecided one (None, 0: nothing will be due), for others to watch.

        Returns what was said before. Raises StoreUnavailable.
        """
        with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(keys.NEXT_DUE, "event", "due")
            if event is None:
                pipeline.delete(keys.NEXT_DUE)
            else:
                pipeline.hset(keys.NEXT_DUE, mapping={"event": event, "due": due_ms})
            (said, due), _ = pipeline.execute()
        return (said.decode(errors="replace"), int(due)) if said and due else (None, 0)

    def history(self, event: str, count: int = history.HISTORY_LENGTH) -> Iterator[dict[str, object]]:
        """The latest `count` records of an event's history, newest first. Raises StoreUnavailable."""
        return history.read(self._redis, event, count)


_ENTRY_KEYS = [keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED, keys.LEDGER_ORPHANED]
_FIRE_KEYS = [
    keys.LEDGER_DECIDED,
    keys.LEDGER_DECLARATION,
    keys.QUEUES,
    keys.SCHEDULE,
    keys.QUEUE,
    keys.HISTORY,
    keys.PAUSED,
    keys.WATCHED,
    keys.LEASE,
]
_PLACES_OF_JOBS = [
    keys.QUEUES,
    keys.QUEUE,
    keys.SCHEDULE,
    keys.RETRY,
    keys.WORKERS,
    keys.IN_PROGRESS,
    keys.PROCESSES,
    keys.PARKED,
    keys.PARKED_JOBS,
]


def _packed(decisions: Sequence[Decision]) -> bytes:
    """The decisions as the fire script takes them."""
    pushes = [push for made in decisions for push in made.pushes]
    columns = (
        [made.event for made in decisions],
        [made.declaration for made in decisions],
        [str(made.after_ms) for made in decisions],
        [str(made.due_ms) for made in decisions],
        [_record(made) for made in decisions],
        [len(made.pushes) for made in decisions],
        [push.payload for push in pushes],
        [push.queue for push in pushes],
        {place: push.at for place, push in enumerate(pushes, 1) if push.at is not None},
        {place: made.watched for place, made in enumerate(decisions, 1) if made.watched},
    )
    return msgspec.msgpack.encode(columns)


def _record(decision: Decision) -> str:
    record = {"decision": decision.kind, "due": decision.due_ms, **decision.detail}
    try:
        return msgspec.json.encode(record).decode()  # text: the script's MessagePack knows no bytes
    except UnicodeEncodeError:  # it has text that UTF-8 cannot hold, an error's words for instance
        return json.dumps(record)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
