"""Renames of events: one script moves everything that Redis holds under the old name to the new name.

A clock of an older release may lead once more, after a roll-back or a crash of the newer one. It declares the old
name; the ledger has noted the new name, and moves the event back.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from redis import Redis

from clock.errors import Outranked
from clock.store import keys
from clock.store.scripts import run
from clock.store.server.connection import translated

#: Event -> the names that it had before, the oldest first.
OldNames = Mapping[str, Sequence[str]]
NO_RENAMES: OldNames = MappingProxyType({})

_HASHES = (*keys.LEDGER_ENTRY, keys.PAUSED, keys.LEDGER_ORPHANED, keys.LEDGER_RENAMED)
_MOVED, _HAS_ITS_OWN, _OUTRANKED = 1, -1, -2  # what the script answers

logger = logging.getLogger("clock.clock")


class Renames:
    """Moves events between names, for a clock of this `release`: its name (empty: none) and rank."""

    def __init__(self, redis: Redis, release: Sequence[str | bytes | int | float]) -> None:
        self._redis = redis
        self._release = release
        self._refused: set[str] = set()  # events that were reported

    def follow(self, was: OldNames, declared: Collection[str]) -> None:
        """Move entries that are under the old names, or under the name to which another release has moved them.

        `declared` are the names of all events that this clock declares.
        Raises StoreUnavailable, StoreError, Outranked.
        """
        names = [old for olds in was.values() for old in olds]
        if not names:
            return
        with translated(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(keys.LEDGER_DECLARATION, names)
            pipeline.hmget(keys.LEDGER_RENAMED, names)
            there, moved = (dict(zip(names, reply, strict=True)) for reply in pipeline.execute())
        now = {old: keys.shown(name) for old, name in moved.items() if name}
        for event, olds in was.items():
            found = [old if there[old] else now.get(old, event) for old in reversed(olds)]
            old = next((name for name in found if name not in {event, *declared}), None)
            if old is not None:
                self._report(old, event, self._move(old, event))

    def settle(self, moved: Mapping[str, str], declared: Collection[str]) -> None:
        """Move events back to the names under which they are declared here; `moved` has their present names.

        An event that is also `declared` under its new name stays there: the old name belongs to another event.
        Raises StoreUnavailable, StoreError, Outranked.
        """
        for event, now in moved.items():
            if now in declared:
                with translated():
                    self._redis.hdel(keys.LEDGER_RENAMED, event)
            else:
                self._report(now, event, self._move(now, event))

    def _move(self, old: str, new: str) -> int:
        own = [prefix + name for prefix in keys.OF_EVENT for name in (old, new)]
        names = [*_HASHES, keys.LEASE, *own, keys.MISSED]
        answer = int(run(self._redis, "rename", names, [old, new, *self._release]))
        if answer == _OUTRANKED:
            raise Outranked
        return answer

    def _report(self, old: str, new: str, answer: int) -> None:
        if answer == _MOVED:
            logger.info("Renamed %r to %r: anchor, history and pauses are kept", old, new)
        elif answer == _HAS_ITS_OWN and new not in self._refused:
            self._refused.add(new)
            words = "Did not rename %r to %r: Redis has both events. %r goes on with its own state; remove was=%r"
            logger.error(words, old, new, new, old)
