"""The decision buffer: decisions wait here in order until Redis has committed them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from operator import itemgetter

from clock.clocks import Clock, from_ms, to_ms
from clock.errors import StoreError
from clock.printable import shortened_list
from clock.problems import Problem, Problems
from clock.store.ledger.decision import Decision, Verdict, Verdicts
from clock.store.ledger.entry import Origin
from clock.store.ledger.ledger import BATCH, Ledger
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause, covering
from clock.ticker import log_lines
from clock.ticker.firing.decisions import (
    Outcome,
    Signature,
    decision_of,
    missed_decision,
    pause_after,
    paused_decision,
)
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.catch_up import Due, Missed
from clock.timetable import Event

logger = logging.getLogger("clock.clock")


class DecisionBuffer:
    """Takes decisions and commits them to the ledger in their order."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Clock,
        signature: Signature,
        own_commits: OwnCommits,
        problems: Problems,
    ) -> None:
        self._storing = problems.part("jobs of events")
        self._ledger = ledger
        self._clock = clock
        self._signature = signature
        self._own_commits = own_commits
        self.listeners: list[Callable[[Decision], object]] = []  # called with each committed decision
        self._waiting: deque[Decision] = deque()
        self._under_way: tuple[list[Decision], Verdicts] | None = None
        self.untaken: set[tuple[str, int]] = set()  # refused by the ledger: these firings did not happen
        self._has_restored = False  # entries that Redis had lost have been written again
        self._must_read = False  # another clock has changed the ledger
        self._cancelled: deque[tuple[str, Pause]] = deque()  # paused before their last firing is committed
        self._refused: set[str] = set()  # events whose jobs Redis refused

    @property
    def oldest(self) -> tuple[str, int] | None:
        """The event and due instant (ms) of the oldest waiting decision, or None. From any thread."""
        if not self._waiting:
            return None
        waiting = list(self._waiting)
        return min(((item.event, item.due_ms) for item in waiting), key=itemgetter(1), default=None)

    def add_outcome(self, event: Event, due: Due, outcome: Outcome) -> datetime:
        """Add the decision of a firing; returns the start of the firing."""
        self._cancelled += [(name, pause_after(due)) for name in outcome.cancelled]
        began = outcome.began or self._clock.now()
        self._waiting.append(decision_of(event, due, outcome, late=began - due.at, signature=self._signature))
        return began

    def add_missed(self, event: Event, missed: Missed) -> None:
        """Add a run of due instants that do not fire, and log it."""
        logger.warning(
            "Missed %r: %d due from %s to %s: %s",
            event.name,
            missed.count,
            missed.first.isoformat(),
            missed.at.isoformat(),
            missed.reason,
            extra=log_lines.about(event.name, missed.at),
        )
        late = self._clock.now() - missed.at
        self._waiting.append(missed_decision(event, missed, late=late, signature=self._signature))

    def begin(self, decision: Decision | None = None) -> None:
        """Add a decision. If a whole batch waits, send it and go on. Raises StoreUnavailable."""
        if decision is not None:
            self._waiting.append(decision)
        if len(self._waiting) < BATCH:
            return
        self.join()
        decisions = list(islice(self._waiting, BATCH))
        verdicts = self._ledger.begin(decisions)
        for _ in decisions:
            self._waiting.popleft()
        self._under_way = decisions, verdicts

    def commit(self, publication: Publication | None = None) -> bool:
        """Commit all decisions that wait. True: another clock has changed the ledger, which must be read again.

        If the ledger commits all of them, it may also set the marker of the `publication`.
        Raises StoreUnavailable; no decision is lost then, so call it again.
        """
        while self._cancelled:
            self._ledger.pause(*self._cancelled[0])
            self._cancelled.popleft()
        self.join()
        can_be_taken = True
        while self._waiting and can_be_taken:
            decisions = list(self._waiting)
            verdicts = self._ledger.commit(decisions, publication)
            kept = self._settled(decisions, verdicts)
            self._waiting.clear()
            self._waiting.extend(kept)
            can_be_taken = Verdict.PAUSED in verdicts or self._has_restored
            self._has_restored = False
        if self._refused:
            self._storing.found(_unstored(sorted(self._refused)))
        else:
            self._storing.works()
        must_read, self._must_read = self._must_read, False
        return must_read

    def drop(self) -> None:
        """Drop the decisions that wait: another clock makes them."""
        if self._under_way is not None:
            with suppress(StoreError):
                self._under_way[1]()
        self._waiting.clear()
        self._under_way = None
        self._refused.clear()
        self._storing.rests()

    def join(self) -> None:
        """Wait for the batch that was sent, if there is one. Raises StoreUnavailable; then it waits again."""
        if self._under_way is None:
            return
        decisions, verdicts = self._under_way
        self._under_way = None
        try:
            self._waiting.extendleft(reversed(self._settled(decisions, verdicts())))
        except StoreError:
            self._waiting.extendleft(reversed(decisions))
            raise

    def _settled(self, decisions: Sequence[Decision], verdicts: Sequence[Verdict]) -> list[Decision]:
        """Handle the ledger's verdicts. Returns the decisions that must be sent again, before all others.

        Raises StoreUnavailable, Outranked; then all of them wait.
        """
        kept: dict[str, list[Decision]] = {}
        pauses = self._ledger.pauses() if Verdict.PAUSED in verdicts else {}
        restored = self._restored(decisions, verdicts) if Verdict.STALE in verdicts else {}
        for decision, verdict in zip(decisions, verdicts, strict=True):
            if verdict is Verdict.COMMITTED:
                self._refused.discard(decision.event)
                self._own_commits.commit(decision)
                for listener in self.listeners:
                    listener(decision)
                continue
            self.untaken.add((decision.event, decision.due_ms))
            if verdict is Verdict.OUTRANKED:
                self._must_read = True
            elif verdict is Verdict.DECIDED_ALREADY:
                logger.info("The run of %r due at %d ms was already decided", decision.event, decision.due_ms)
            elif verdict is Verdict.STALE and decision.event not in kept:
                if restored.get(decision.event) == decision.after_ms:
                    kept[decision.event] = [decision]
                    continue
                logger.debug("Another clock decided or redeclared %r", decision.event)
                self._must_read = True
            else:  # later decisions of its event were refused as stale, and wait behind it
                kept.setdefault(decision.event, []).append(self._kept(decision, verdict, pauses))
        return [decision for of_event in kept.values() for decision in of_event]

    def _restored(self, decisions: Sequence[Decision], verdicts: Sequence[Verdict]) -> dict[str, int]:
        """Write entries that Redis lost again. Returns the last decided instant of each of those events, in ms."""
        stale = zip(decisions, verdicts, strict=True)
        pairs = list({item.event: item.declaration for item, verdict in stale if verdict is Verdict.STALE}.items())
        whole_second = to_ms(self._clock.now()) // 1000 * 1000
        entries = self._ledger.declare(pairs, whole_second, self._own_commits.known(pairs))
        found = {
            event: entry.decided_ms
            for (event, _), entry in zip(pairs, entries, strict=True)
            if entry.origin is Origin.RESTORED
        }
        if found:
            self._own_commits.restored += found
            self._has_restored = self._must_read = True  # Redis may have lost others, too
        return found

    def _kept(self, decision: Decision, verdict: Verdict, pauses: Mapping[str, Pause]) -> Decision:
        if verdict is Verdict.PAUSED:
            due = from_ms(decision.due_ms)
            reason = str(covering(pauses, decision.event, due) or "paused")
            log_lines.held_up(decision.event, due, reason)
            return paused_decision(decision, reason, self._signature)
        if verdict is Verdict.WRONG_TYPE:
            self._refused.add(decision.event)
        return decision


def _unstored(events: Sequence[str]) -> Problem:
    named = shortened_list(list(map(repr, events)), 1)
    return Problem(
        "wrong_type",
        f"Jobs of {named} cannot be stored: one of their keys (queues, schedule, queue:*) has the "
        "wrong type. Another program wrote it: clock doctor names the key. Rename or delete it.",
        is_retried=True,
    )
