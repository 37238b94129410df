"""Writes that Redis has lost: a clock notices them by its memory of its commits, and by its next due marker.

An entry of the ledger that was lost (FLUSHALL, eviction, DEL) is written again from memory, so no due instant is
lost or fires twice. An entry older than this clock's last commit stays: Redis has lost its jobs, too, so these
instants are decided again.

The marker is the due instant that the clock decides next, published so any process can see if it is late. If the
clock reads another marker back, Redis may have lost decisions that no later one follows: a replica that lagged has
taken over, or a backup was restored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from clock.clocks import Clock
from clock.store.ledger.decision import Decision
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.next_due import Marker, Publication

ASK_SECONDS = 5.0  # how often the clock checks that Redis still has the marker

logger = logging.getLogger("clock.clock")


class OwnCommits:
    """The entries of events as this clock has read and committed them. May be called from several threads."""

    def __init__(self) -> None:
        self._declared: dict[str, tuple[str, Entry]] = {}
        self._committed: dict[str, Decision] = {}  # the latest decision of each event with its present declaration
        self.is_old = False  # another clock may have led since
        self.restored: list[str] = []  # events whose entries were written again, not yet logged

    def note(self, pairs: Iterable[tuple[str, str]], entries: Iterable[Entry]) -> None:
        """Remember the entries of (event, declaration) pairs."""
        rows: dict[tuple[str, Entry], tuple[str, Entry]] = {}  # the rows that many events have in common, once
        for (event, declaration), entry in zip(pairs, entries, strict=True):
            row = declaration, entry
            self._declared[event] = rows.setdefault(row, row)
            self._committed.pop(event, None)
        self.is_old = False

    def commit(self, decision: Decision) -> None:
        """Remember a decision that the ledger has taken."""
        self._committed[decision.event] = decision

    def forget(self, events: Iterable[str]) -> None:
        """Forget deleted events. If they return, they start again."""
        for event in events:
            self._declared.pop(event, None)
            self._committed.pop(event, None)

    def known(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Entry]:
        """This clock's entries of the (event, declaration) pairs."""
        found: dict[str, Entry] = {}
        for event, declaration in pairs:
            declared, entry = self._declared.get(event, ("", None))
            if entry is not None and declared == declaration:
                found[event] = entry
                if last := self._committed.get(event):
                    found[event] = Entry(entry.anchor_ms, last.due_ms, last.counted or entry.counted)
        return found

    def behind(self, pairs: Iterable[tuple[str, str]], entries: Iterable[Entry]) -> dict[str, int]:
        """The events whose ledger entries are older than this clock's last commit; the instant of that, in ms."""
        known = self.known(pairs)
        return {
            event: known[event].decided_ms
            for (event, _), entry in zip(pairs, entries, strict=True)
            if event in known and entry.decided_ms < known[event].decided_ms
        }


class NextDueMarker:
    """Sets the marker in the ledger when it changes, and every few seconds."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._expected: tuple[Marker, ...] = ()  # what Redis may hold; empty: anything, the ledger was just read
        self._marked_at = float("-inf")
        self._has_lost = False  # Redis lost writes

    def set(self, event: str | None, due_ms: int) -> bool:
        """Mark the first due instant (None, 0: none). False: Redis lost writes. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        marker = event, due_ms
        if self._expected != (marker,) or now >= self._marked_at + ASK_SECONDS:
            self.expect(marker)
            self._note(marker, self._ledger.mark_next_due(event, due_ms))
            self._marked_at = now
        return not self._has_lost

    def note(self, published: Publication) -> None:
        """Note a marker that was set with a commit. The check every few seconds looks at more than a commit."""
        if published.before is not None:
            self._note((published.event, published.due_ms), published.before)

    def forget(self) -> None:
        """Expect no marker in Redis: the ledger is read again."""
        self._expected, self._has_lost = (), False

    def expect(self, marker: Marker) -> None:
        """Accept the marker of a commit, and also the one before: the commit's answer may be lost."""
        if self._expected and marker not in self._expected:
            self._expected += (marker,)

    def _note(self, marker: Marker, before: Marker) -> None:
        if self._expected and before not in self._expected:
            logger.info("Redis lost recent writes (fail-over?); re-reading state")
            self._has_lost = True
        self._expected = (marker,)
