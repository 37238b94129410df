"""The ledger: what Redis remembers of each event, and the history of its firings.

An event's entry is its anchor (when it was first seen with its present declaration) and its last decided due
instant. A due instant is decided once: the fire script commits decision, history and jobs together, and only
where the instant is later than the last decided one. That is all of "exactly once"; no lock is involved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, TypeVar

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.holding import Push
from clock.store.scripts import script

HISTORY_LENGTH = 1_000  # entries kept for each event: three years of a daily one, most of a day of a minutely one
T = TypeVar("T")
_BATCH = 500  # decisions or declarations in one script call: a few ms of Redis's time


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of an event; both in milliseconds since 1970, UTC."""

    anchor_ms: int
    decided_ms: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a due instant: `kind` is fired, caught_up, missed, refused or error.

    `detail` goes into the history as it is; `pushes` are the jobs that the firing enqueues.
    """

    event: str
    declaration: str
    due_ms: int
    kind: str
    detail: Mapping[str, object] = field(default_factory=dict)
    pushes: Sequence[Push] = ()


class Verdict(IntEnum):
    """What the ledger made of a decision."""

    COMMITTED = 1
    DECIDED_ALREADY = 0
    WRONG_TYPE = -1


class Ledger(Protocol):
    """What the ticker needs of a ledger; `RedisLedger` in production, one in memory in tests."""

    def declare(self, declarations: Sequence[tuple[str, str]], now_ms: int) -> list[Entry]:
        """The entries of (event, declaration) pairs; one not seen before begins at `now_ms`."""

    def commit(self, decisions: Sequence[Decision]) -> list[Verdict]:
        """Commit each decision whose due instant is still undecided, with its jobs."""


class RedisLedger:
    """The ledger in Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._declare = script(redis, "declare")
        self._fire = script(redis, "fire")

    def declare(self, declarations: Sequence[tuple[str, str]], now_ms: int) -> list[Entry]:
        """The entries of (event, declaration) pairs; one not seen before begins at `now_ms`, a whole second.

        Raises StoreUnavailable.
        """
        entries: list[Entry] = []
        for batch in _batches(declarations):
            args: list[str | int | float] = [now_ms, *(text for pair in batch for text in pair)]
            with translated():
                reply = self._declare(
                    keys=[keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED], args=args
                )
            numbers = [int(number) for number in reply]
            entries += [
                Entry(anchor, decided) for anchor, decided in zip(numbers[::2], numbers[1::2], strict=True)
            ]
        return entries

    def commit(self, decisions: Sequence[Decision]) -> list[Verdict]:
        """Commit each decision whose due instant is still undecided, with its jobs; may be called again.

        Raises StoreUnavailable; what was committed before that is refused as decided when it is tried again.
        """
        verdicts: list[Verdict] = []
        for batch in _batches(decisions):
            args: list[str | int | float] = [HISTORY_LENGTH]
            for decision in batch:
                args += _arguments(decision)
            with translated():
                verdicts += [Verdict(code) for code in self._fire(keys=_FIRE_KEYS, args=args)]
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

    def history(self, event: str, count: int = HISTORY_LENGTH) -> Iterator[dict[str, object]]:
        """The latest `count` entries of an event's history, newest first."""
        with translated():
            rows: Any = self._redis.xrevrange(keys.HISTORY + event, count=count)
        for _, fields in rows:
            yield json.loads(fields[b"entry"])


_FIRE_KEYS = [
    keys.LEDGER_DECIDED,
    keys.LEDGER_DECLARATION,
    keys.QUEUES,
    keys.SCHEDULE,
    keys.QUEUE,
    keys.HISTORY,
]


def _arguments(decision: Decision) -> list[str | int | float]:
    entry = {"decision": decision.kind, "due": decision.due_ms, **decision.detail}
    args: list[str | int | float] = [
        decision.event,
        decision.declaration,
        decision.due_ms,
        json.dumps(entry, ensure_ascii=False),
        len(decision.pushes),
    ]
    for push in decision.pushes:
        args += [push.queue, "" if push.at is None else push.at, push.payload]
    return args


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
