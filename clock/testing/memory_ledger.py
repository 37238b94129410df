"""The ledger in memory: the rules of the fire script without Redis."""

from __future__ import annotations

from collections.abc import Sequence

from clock.store.ledger import Decision, Entry, Verdict


class MemoryLedger:
    """A `Ledger` that keeps every committed decision in a list."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self._declarations: dict[str, str] = {}
        self._entries: dict[str, Entry] = {}

    def declare(self, declarations: Sequence[tuple[str, str]], now_ms: int) -> list[Entry]:
        """The entries of (event, declaration) pairs; one not seen before begins at `now_ms`."""
        for event, declaration in declarations:
            known = self._declarations.get(event)
            if known != declaration:
                self._declarations[event] = declaration
                self._entries[event] = Entry(now_ms, now_ms if known else now_ms - 1000)
        return [self._entries[event] for event, _ in declarations]

    def commit(self, decisions: Sequence[Decision]) -> list[Verdict]:
        """Keep each decision whose due instant is still undecided."""
        return [self._commit(decision) for decision in decisions]

    def _commit(self, decision: Decision) -> Verdict:
        entry = self._entries[decision.event]
        if self._declarations[decision.event] != decision.declaration or decision.due_ms <= entry.decided_ms:
            return Verdict.DECIDED_ALREADY
        self._entries[decision.event] = Entry(entry.anchor_ms, decision.due_ms)
        self.decisions.append(decision)
        return Verdict.COMMITTED
