"""Batches in memory, for tests that run jobs without Redis: the rules of the scripts, in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clock.store.jobs.flow.batches import Batch, Event

PENDING, DONE = "pending", "done"
_AT_ONCE: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Kept:
    """A batch, and the state of each child: pending, done, or how it ended otherwise."""

    batch: Batch
    children: dict[str, str] = field(default_factory=dict)


class MemoryBatches:
    """The batches of a test.

    `push` receives the payloads of callbacks and of following jobs, with the field `then`: it may have `wait`, the
    delay in seconds, or `at`.
    """

    def __init__(self, push: Callable[[str, Mapping[str, Any]], object]) -> None:
        self._push = push
        self._kept: dict[str, _Kept] = {}

    def open(self, bid: str, batch: Batch) -> str:
        """Open a batch if it is unknown; "new", its state, or "no parent"."""
        if bid in self._kept:
            return self._kept[bid].batch.state
        if batch.parent and not self.add(batch.parent, f"@{bid}"):
            return "no parent"
        self._kept[bid] = _Kept(batch)
        return "new"

    def add(self, bid: str, jid: str) -> bool:
        """Add a child. False: it was added before, or the batch is done or unknown."""
        kept = self._kept.get(bid)
        if kept is None or jid in kept.children or not self.accepts(bid):
            return False
        kept.children[jid] = PENDING
        return True

    def has(self, bid: str, jid: str) -> bool:
        """Whether a child was added."""
        kept = self._kept.get(bid)
        return kept is not None and jid in kept.children

    def accepts(self, bid: str) -> bool:
        """Whether children may be added."""
        kept = self._kept.get(bid)
        return kept is not None and (kept.batch.state != "done" or PENDING in kept.children.values())

    def seal(self, bid: str) -> str:
        """Seal a batch; the state that it had, '' if it is unknown."""
        kept = self._kept.get(bid)
        if kept is None:
            return ""
        before = kept.batch.state
        if before == "open":
            kept.batch.state = "sealed"
        self._settle(bid)
        return before

    def end(self, payload: Mapping[str, object], how: str) -> None:
        """End a job: push the job that follows it if it is done, and end it for its batch."""
        following = payload.get("then")
        if how == DONE and isinstance(following, Mapping):
            if isinstance(following.get("bid"), str):
                self.add(following["bid"], str(following["jid"]))
            self._push(str(following["payload"]), following)
        bid, jid = payload.get("bid"), str(payload.get("jid"))
        kept = self._kept.get(bid) if isinstance(bid, str) else None
        if kept is None or jid not in kept.children or kept.children[jid] == DONE:
            return
        kept.children[jid] = how
        if how == "dead":
            self._die(str(bid))
        self._settle(str(bid))

    def _die(self, bid: str | None) -> None:
        while bid and (kept := self._kept.get(bid)):
            self._fire(kept.batch, "death")
            bid = kept.batch.parent

    def _settle(self, bid: str | None) -> None:
        while bid and (kept := self._kept.get(bid)):
            if kept.batch.state == "open" or PENDING in kept.children.values():
                return
            kept.batch.state = "done"
            is_success = all(state == DONE for state in kept.children.values())
            self._fire(kept.batch, "complete")
            if is_success:
                self._fire(kept.batch, "success")
            parent = kept.batch.parent
            if parent and parent in self._kept:
                self._kept[parent].children[f"@{bid}"] = DONE if is_success else "failed"
            bid = parent

    def _fire(self, batch: Batch, event: Event) -> None:
        if event not in batch.fired:
            batch.fired[event] = 0
            if event in batch.callbacks:
                self._push(batch.callbacks[event], _AT_ONCE)
