"""This clock's memory of its declarations and commits: with it, the clock notices what Redis has lost.

A lost entry (FLUSHALL, eviction, DEL) is written again, so no due instant is lost or fires twice. An entry older
than this clock's last commit stays: Redis has lost its jobs, too, so these instants are decided again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clock.store.ledger.decision import Decision
from clock.store.ledger.entry import Entry


@dataclass(frozen=True, slots=True)
class Behind:
    """An event whose ledger entry, `found`, is older than this clock's last commit, `committed_ms`."""

    event: str
    found: Entry
    committed_ms: int


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
        found = ((event, self._entry(event, declaration)) for event, declaration in pairs)
        return {event: entry for event, entry in found if entry is not None}

    def behind(self, pairs: Iterable[tuple[str, str]], entries: Iterable[Entry]) -> list[Behind]:
        """The events whose ledger entries are older than this clock's last commit."""
        known = self.known(pairs)
        return [
            Behind(event, entry, known[event].decided_ms)
            for (event, _), entry in zip(pairs, entries, strict=True)
            if event in known and entry.decided_ms < known[event].decided_ms
        ]

    def _entry(self, event: str, declaration: str) -> Entry | None:
        declared, entry = self._declared.get(event, ("", None))
        if entry is None or declared != declaration:
            return None
        last = self._committed.get(event)
        return entry if last is None else Entry(entry.anchor_ms, last.due_ms, last.counted or entry.counted)
