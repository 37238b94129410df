"""This clock's memory of its declarations and commits: with it, the clock notices what Redis has lost.

A lost entry (FLUSHALL, eviction, DEL) is written again, so no due instant is lost or fires twice. An entry older
than this clock's last commit stays: Redis has lost its jobs, too, so these instants are decided again.
"""

from __future__ import annotations

from collections.abc import Iterable

from clock.store.ledger.decision import Decision
from clock.store.ledger.entry import Entry


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
