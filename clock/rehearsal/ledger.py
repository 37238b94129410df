"""The ledger in memory: the rules of the fire script without Redis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from clock.clocks import from_ms
from clock.store.ledger.decision import Decision, Verdict, Verdicts
from clock.store.ledger.entry import NO_ROWS, NOTHING, Entry, LedgerRow
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause, covering
from clock.store.ledger.renames import NO_RENAMES, OldNames


class MemoryLedger:
    """A `Ledger` that keeps every committed decision in a list. It treats every job as finished.

    `rows` are the initial entries by event: production's state, or another ledger's `rows`.
    """

    def __init__(self, rows: Mapping[str, LedgerRow] = NO_ROWS) -> None:
        self.decisions: list[Decision] = []
        self._pauses: dict[str, Pause] = {}
        self._renamed: dict[str, str] = {}  # old name -> the event's name now
        self._marked: tuple[str | None, int] = None, 0
        self._declarations = {event: row.declaration for event, row in rows.items()}
        self._entries = {event: row.entry for event, row in rows.items()}

    def copy(self) -> MemoryLedger:
        """A new ledger with the same entries, without the decisions."""
        found = MemoryLedger(self.rows)
        found._pauses.update(self._pauses)
        found._renamed.update(self._renamed)
        return found

    @property
    def rows(self) -> dict[str, LedgerRow]:
        """All entries, by event."""
        return {event: LedgerRow(self._declarations[event], entry) for event, entry in self._entries.items()}

    def entry(self, event: str) -> Entry:
        """The entry of a declared event."""
        return self._entries[event]

    def declare(
        self,
        declarations: Sequence[tuple[str, str]],
        now_ms: int,
        known: Mapping[str, Entry] = NOTHING,
        *,
        was: OldNames = NO_RENAMES,
        names: Collection[str] = (),
    ) -> list[Entry]:
        """The entries of (event, declaration) pairs; an unknown one starts at `now_ms`. No entry is ever lost."""
        for event, olds in was.items():
            found = [
                old if self._declarations.get(old) else self._renamed.get(old, event) for old in reversed(olds)
            ]
            self._rename(next((old for old in found if old not in {event, *names}), ""), event)
        for event, declaration in declarations:
            if event not in self._entries and event in self._renamed and self._renamed[event] not in names:
                self._rename(self._renamed[event], event)
            before = self._declarations.get(event)
            if before is None:
                self._entries[event] = Entry(now_ms, now_ms - 1000)
            elif before != declaration:
                decided = self._entries[event].decided_ms
                begin = max(now_ms, decided - decided % 1000)
                self._entries[event] = Entry(begin, begin + 1)
            self._declarations[event] = declaration
        return [self._entries[event] for event, _ in declarations]

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        """Keep each decision whose due instant is still undecided."""
        return [self._commit(decision) for decision in decisions]

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        """Keep each decision whose due instant is still undecided; the result returns the verdicts."""
        verdicts = self.commit(decisions)
        return lambda: verdicts

    def advance(self, event: str, decided_ms: int, counted: str = "") -> None:
        """Note that the event is decided up to this instant, by decisions that are kept elsewhere."""
        entry = self._entries[event]
        self._entries[event] = Entry(entry.anchor_ms, decided_ms, counted or entry.counted)

    def orphan(self, declared: Collection[str], now_ms: int) -> None:
        """Do nothing: a rehearsal has one clock file."""

    def remove(self, events: Sequence[str], now_ms: int) -> None:
        """Delete events. If they return, they start again."""
        for event in events:
            self._declarations[event] = ""

    def pauses(self) -> Mapping[str, Pause]:
        """The pauses that the rehearsal itself has made."""
        return self._pauses

    def pause(self, event: str, wanted: Pause) -> None:
        """Pause an event whose action returned CancelJob."""
        before = self._pauses.get(event)
        self._pauses[event] = before.followed_by(wanted) if before else wanted

    def running(self, event: str, now_ms: int) -> int:
        """0, as every job has finished."""
        return 0

    def mark_next_due(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        """Do nothing, as no other process reads the marker."""
        before, self._marked = self._marked, (event, due_ms)
        return before

    def _rename(self, old: str, new: str) -> None:
        """Move an entry to the event's new name, unless that has an entry already."""
        if not self._declarations.get(old) or self._declarations.get(new):
            return
        self._declarations[new] = self._declarations.pop(old)
        self._entries[new] = self._entries.pop(old)
        if old in self._pauses:
            self._pauses[new] = self._pauses.pop(old)
        self._renamed = {name: new if now == old else now for name, now in self._renamed.items() if name != new}
        self._renamed[old] = new

    def _commit(self, decision: Decision) -> Verdict:
        entry = self._entries[decision.event]
        if decision.due_ms == entry.decided_ms:
            return Verdict.DECIDED_ALREADY
        if self._declarations[decision.event] != decision.declaration or decision.after_ms != entry.decided_ms:
            return Verdict.STALE
        if decision.pushes and covering(self._pauses, decision.event, from_ms(decision.due_ms)):
            return Verdict.PAUSED
        self.advance(decision.event, decision.due_ms, decision.counted)
        self.decisions.append(decision)
        return Verdict.COMMITTED
