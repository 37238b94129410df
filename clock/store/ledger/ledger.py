"""The ledger: each event's entry in Redis, and the history of its firings.

An event's entry is its anchor (when it was first seen with its present declaration) and its last decided due
instant. A due instant is decided once: the fire script commits decision, history and jobs together, and only if
the ledger's last decided instant is still the one before it. That is all of "exactly once"; no lock is involved.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError

from clock.clocks import Clock, to_ms
from clock.errors import Outranked
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.unique_locks import LockedPush
from clock.store.ledger import history, next_due, pauses
from clock.store.ledger.decision import (
    Decision,
    FireArguments,
    Verdict,
    Verdicts,
    fire_arguments,
    plain_arguments,
)
from clock.store.ledger.entry import NOTHING, Entry, Origin
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause
from clock.store.ledger.renames import NO_RENAMES, OldNames, Renames
from clock.store.ledger.unfinished_firings import Unfinished
from clock.store.scripts import run, script
from clock.store.server.connection import translated
from clock.store.server.faults import is_refusal
from clock.store.server.sending import ask

ORPHANS_KEPT_MS = 7 * 24 * 3600 * 1000  # a bad deploy that is rolled back within a week loses nothing
ORPHANS_LOOKED_AT = 1_000  # events in one step: all names of 100,000 at once would take 15 MB of the clock
T = TypeVar("T")
Arguments = list[str | bytes | int | float]
BATCH = 200  # decisions or declarations in one script call: 4 to 10 ms of Redis's time

logger = logging.getLogger("clock.clock")


class Ledger(Protocol):
    """The ledger as the ticker uses it: `RedisLedger` in production, `MemoryLedger` in tests."""

    def declare(
        self,
        declarations: Sequence[tuple[str, str]],
        now_ms: int,
        known: Mapping[str, Entry] = NOTHING,
        *,
        was: OldNames = NO_RENAMES,
        names: Collection[str] = (),
    ) -> list[Entry]:
        """The entries of (event, declaration) pairs; a new event starts at `now_ms`, a whole second.

        An entry that the ledger has lost, wholly or in part, is written again from `known`; an event that is not
        `known` starts again. The entry's `origin` reports which. Entries under an event's old names, `was`, move
        to the event. `names` are the names of all declared events.
        """

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        """Commit each decision whose due instant is still undecided, with its jobs.

        If it commits all of them, it may set the marker of the `publication`, too, and fill its `before`.
        """

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        """Send the decisions without waiting. The caller must call the returned function for the verdicts."""

    def orphan(self, declared: Collection[str], now_ms: int) -> None:
        """Note which events are no longer declared, and forget those that left a week ago."""

    def remove(self, events: Sequence[str], now_ms: int) -> None:
        """Remove events. If they come back, they are new events."""

    def pauses(self) -> Mapping[str, Pause]:
        """The latest pause of each event that had one; under '' the pause of the whole clock."""

    def pause(self, event: str, wanted: Pause) -> object:
        """Pause an event."""

    def running(self, event: str, now_ms: int) -> int:
        """How many of the event's firings have a job that has not ended."""

    def mark_next_due(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        """Publish the oldest undecided due instant (None, 0: nothing will be due); the values published before."""


class RedisLedger:
    """The ledger in Redis. Given a release, it refuses to work while one of a higher rank leads.

    The windows of unique jobs count by `clock`, None: by Redis's time. Its methods raise StoreUnavailable.
    """

    def __init__(self, redis: Redis, *, release: str = "", rank: int = 0, clock: Clock | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._release: Arguments = [release, rank]
        self._fire = script("fire")
        self._fire_plain = script("fire_plain")
        self._unfinished = Unfinished(redis)
        self._renames = Renames(redis, self._release)
        self._reported: set[str] = set()  # invalid keys, since the ledger was read

    def declare(
        self,
        declarations: Sequence[tuple[str, str]],
        now_ms: int,
        known: Mapping[str, Entry] = NOTHING,
        *,
        was: OldNames = NO_RENAMES,
        names: Collection[str] = (),
    ) -> list[Entry]:
        """The entries of declared events. Raises StoreUnavailable, StoreError, Outranked."""
        self._reported.clear()
        self._renames.follow(was, names)
        entries: list[Entry] = []
        for batch in _batches(declarations):
            args: Arguments = [now_ms, *self._release]
            for event, declaration in batch:
                entry = known.get(event)
                written = f"{entry.anchor_ms} {entry.decided_ms} {entry.counted}" if entry else ""
                args += (event, declaration, written)
            found = self._declared(args)
            both = zip(batch, found, strict=True)
            if moved := {event: entry.counted for (event, _), entry in both if entry.origin is Origin.MOVED}:
                self._renames.settle(moved, names)
                found = self._declared(args)
            entries += found
        return entries

    def _declared(self, args: Arguments) -> list[Entry]:
        reply = run(self._redis, "declare", _DECLARE_KEYS, args)
        if reply is None:
            raise Outranked
        return [
            _entry(anchor, decided, counted, origin)
            for anchor, decided, counted, origin in zip(*(reply[place::4] for place in range(4)), strict=True)
        ]

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        """Commit decisions. Raises StoreUnavailable; it may be called again then: some may be decided already."""
        if len(decisions) > BATCH:
            publication = None
        return [verdict for batch in _batches(decisions) for verdict in self.begin(batch, publication)()]

    def push_kept_out(self, pushes: Sequence[LockedPush], now_ms: int) -> None:
        """Push the jobs of committed firings that a lock without a job kept out. Logs errors of Redis."""
        unique_locks.push_kept_out(self._redis, pushes, now_ms=now_ms)

    def begin(self, decisions: Sequence[Decision], publication: Publication | None = None) -> Verdicts:
        """Send up to `BATCH` decisions. The caller must call the returned function, which waits for the verdicts.

        Most need only the script `fire_plain`. If it refuses them, the script `fire` gets them all.
        """
        plain = plain_arguments(decisions)
        if plain is None:
            command = self._command_for_any(decisions)
        else:
            next_one = (publication.event, publication.due_ms) if publication else ("", "")
            command = self._command(self._fire_plain, plain, *next_one)
        with translated():
            answer = ask(self._redis, *command)

        def verdicts() -> list[Verdict]:
            found = self._answer(command, answer)
            if plain is not None and found:
                problems, before = found
                if publication is not None and before:
                    publication.before = next_due.marker(*before)
                answers = [Verdict.COMMITTED] * len(decisions)
            else:
                found = found or self._answer(self._command_for_any(decisions))
                numbers, problems, not_pushed = found
                answers = [Verdict(number) for number in numbers]
                _name_holders(decisions, not_pushed)
            for problem in problems:
                self._report(keys.shown(problem))
            return answers

        return verdicts

    def _command_for_any(self, decisions: Sequence[Decision]) -> Sequence[Any]:
        """The command that commits decisions of all kinds."""
        now = to_ms(self._clock.now()) if self._clock else ""
        return self._command(self._fire, fire_arguments(decisions), now)

    def _command(self, wanted: Script, fired: FireArguments, *more: str | int) -> Sequence[Any]:
        sent = len(fired.keys), *fired.keys, history.HISTORY_LENGTH, *self._release, *fired.arguments
        return ("EVALSHA", wanted.sha, *sent, *more)

    def _answer(self, command: Sequence[Any], sent: Callable[[], Any] | None = None) -> Any:
        """The answer to a command, which is sent now or was before. A restarted server gets the scripts again."""
        with translated():
            try:
                return sent() if sent else ask(self._redis, *command)()
            except NoScriptError:
                for wanted in (self._fire, self._fire_plain):
                    self._redis.script_load(wanted.script)
                return ask(self._redis, *command)()

    def _report(self, problem: str) -> None:
        """Name a key with invalid contents, once until the ledger is read again."""
        if problem not in self._reported:
            self._reported.add(problem)
            cure = "allow it, see docs/deploying.md" if is_refusal(problem) else "rename or delete it"
            cure = "name a batch that is open" if problem.startswith("the parent ") else cure
            logger.error("In Redis, %s. Events run anyway; %s.", problem, cure)

    def orphan(self, declared: Collection[str], now_ms: int) -> None:
        """Note which events are no longer declared, and forget those that left a week ago."""
        names = set(declared)
        with translated():
            known = self._redis.hscan_iter(keys.LEDGER_DECLARATION, count=ORPHANS_LOOKED_AT)
            gone = [name for name, _ in known if name.decode(errors="surrogateescape") not in names]
        self._take_out(gone, now_ms, for_good=False)
        pauses.forget_old(self._redis, now_ms)

    def remove(self, events: Sequence[str], now_ms: int) -> None:
        """Remove events. If they come back, they are new events."""
        self._take_out([event.encode() for event in events], now_ms, for_good=True)

    def _take_out(self, events: Sequence[bytes], now_ms: int, *, for_good: bool) -> None:
        for batch in _batches(events):
            own = [prefix.encode() + event for event in batch for prefix in keys.OF_EVENT]
            names: list[str | bytes] = [*keys.LEDGER_ENTRY, keys.LEDGER_ORPHANED, keys.MISSED, *own]
            run(self._redis, "orphan", names, [now_ms, ORPHANS_KEPT_MS, int(for_good), *batch])

    def pauses(self) -> Mapping[str, Pause]:
        """The latest pause of each event; under '' the pause of the whole clock."""
        return pauses.read(self._redis, self._report)

    def pause(self, event: str, wanted: Pause) -> Pause:
        """Pause an event; an event that is paused already keeps its start."""
        return pauses.pause(self._redis, event, wanted)

    def running(self, event: str, now_ms: int) -> int:
        """How many of the event's firings have a job that has not ended."""
        return self._unfinished.count(event, now_ms)

    def mark_next_due(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        """Publish the oldest undecided due instant; the values published before."""
        return next_due.set_marker(self._redis, event, due_ms)

    def history(self, event: str, count: int = history.HISTORY_LENGTH) -> Iterator[dict[str, object]]:
        """The latest `count` records of an event's history, newest first."""
        return history.read(self._redis, event, count)


def _name_holders(decisions: Sequence[Decision], not_pushed: Sequence[Any]) -> None:
    """Name the holder in the lock of each job that was not pushed: by its place, from 1, and the holder's jid."""
    if not_pushed:
        pushes = [push for made in decisions for push in made.pushes]
        for place, holder in zip(not_pushed[::2], not_pushed[1::2], strict=True):
            if lock := pushes[place - 1].lock:  # pragma: no branch  # only a lock keeps a job out
                lock.holder = text(holder)


_DECLARE_KEYS = [*keys.LEDGER_ENTRY, keys.LEDGER_ORPHANED, keys.LEASE, keys.LEDGER_RENAMED]


@lru_cache(maxsize=BATCH)  # new events have one entry in common
def _entry(anchor: bytes, decided: bytes, counted: bytes, origin: int) -> Entry:
    return Entry(int(anchor), int(decided), counted.decode(errors="replace"), Origin(origin))


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
