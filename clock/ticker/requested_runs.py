"""Runs that a user requests: an event now, and the due instants of a backfill plan, each at most once.

The ledger is unchanged, so the event's own due instants are not affected.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced

from msgspec.structs import replace

from clock.clocks import Clock, to_ms
from clock.errors import ActionFailed, BackfillFailed, ConfigurationError, StoreError
from clock.forking import child_ends_here
from clock.printable import brief
from clock.store import Redis
from clock.store.ledger import history
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.held_pushes import holding, kept_out
from clock.store.ledger.ledger import RedisLedger
from clock.ticker.backfill_plan import BackfillPlan, PlannedRun
from clock.ticker.firing.decisions import Outcome, decision_of
from clock.ticker.firing.run_event import run as run_firing
from clock.ticker.identity import signature_here
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event, Timetable, action

RATES = (0.0001, 1_000.0)  # runs in a second
BATCH = 100  # runs that are committed at once, without a rate
SEPARATE = 200  # runs with a record each in the history; more share one, or they would push out the real runs

logger = logging.getLogger("clock.clock")


@dataclass(frozen=True, slots=True)
class ManualRun:
    """The jids of the jobs that were pushed; and of those that a lock kept out, with the jids of the holders."""

    jids: Sequence[str]
    kept_out: Mapping[str, str]


def fire_manually(timetable: Timetable, event: Event, *, ledger: RedisLedger, clock: Clock) -> ManualRun:
    """Run the action of an event with the present second as its due instant, and push its jobs.

    The history records the run as `manual`. The condition is not checked. Raises ActionFailed, ConfigurationError,
    StoreUnavailable; nothing after the commit raises.
    """
    now, signature = clock.now(), signature_here(timetable.path, clock)
    with holding(event.name, to_ms(now), None) as held:
        try:
            with action(timetable.scheduler), child_ends_here():  # `schedule.every` is an error, as in a clock
                event.run(now)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() in an action must not end the caller, the dashboard for one
            logger.debug("The action of %r failed", event.name, exc_info=error)
            raise ActionFailed(event.name, error) from error
    pushes, jids, batches = tuple(held.pushes), tuple(held.jids), tuple(held.batches)
    outcome = Outcome(DecisionKind.MANUAL, pushes=pushes, jids=jids, batches=batches)
    decision = decision_of(event, Due(now, None, now), outcome, late=None, signature=signature)
    [verdict] = ledger.commit([replace(decision, declaration="")])
    if verdict is Verdict.WRONG_TYPE:
        raise _wrong_type()
    ledger.push_kept_out(kept_out(pushes), to_ms(now))
    out = _out(decision)
    return ManualRun([jid for jid in jids if jid not in out], out)


def _out(decision: Decision) -> dict[str, str]:
    """The jids that a lock kept out, with the jids of the locks' holders."""
    return {push.lock.jid: push.lock.holder for push in kept_out(decision.pushes)}


def _wrong_type() -> StoreError:
    return StoreError(
        "a key that the jobs go to (queues, schedule or queue:*) has the wrong type in Redis", cause="wrong_type"
    )


@dataclass(frozen=True, slots=True)
class BackfilledRun:
    """A run that was backfilled, and the jids of its jobs. `refused`: its condition refused it."""

    run: PlannedRun
    jids: Sequence[str]
    refused: bool = False


class Backfill:
    """A plan, with the parts that carry it out. `per_second`: at most so many runs a second; None: no limit.

    Raises ConfigurationError for a `per_second` outside `RATES`, and if the clock file cannot be read.
    """

    def __init__(
        self, plan: BackfillPlan, timetable: Timetable, redis: Redis, clock: Clock, per_second: object = None
    ) -> None:
        if per_second is not None and not (
            isinstance(per_second, (int, float)) and RATES[0] <= per_second <= RATES[1]
        ):
            raise ConfigurationError(
                f"per_second is {brief(per_second)}; it must be a number, {RATES[0]} to {RATES[1]:,g}"
            )
        self.plan, self._timetable, self._redis, self._clock = plan, timetable, redis, clock
        self._per_second = per_second
        self._ledger, self._signature = RedisLedger(redis), signature_here(timetable.path, clock)

    def run(self) -> Iterator[BackfilledRun]:
        """Run the due instants in order, and return each once it is committed.

        Runs that another backfill has committed by then are left out. It may be stopped at any time and repeated.
        Raises BackfillFailed if the action fails (the runs before it are committed), StoreUnavailable.
        """
        history.forget_old_backfills(self._redis, self._clock.now())
        size, stop = 1 if self._per_second else BATCH, threading.Event()
        planned = self.plan.to_run
        for start in range(0, len(planned), size):
            if start and self._per_second:
                self._clock.wait(stop, 1 / self._per_second)
            yield from self._run_batch(planned[start : start + size])

    def _run_batch(self, planned: Sequence[PlannedRun]) -> Iterator[BackfilledRun]:
        ran: list[tuple[BackfilledRun, Decision]] = []
        for run in planned:
            due = Due(run.at, run.previous, run.at)
            outcome = run_firing(self._timetable, self.plan.event, due)
            if outcome.kind is DecisionKind.ERROR:
                yield from self._committed(ran)
                raise BackfillFailed(self.plan.event.name, run.at.isoformat(), outcome.reason)
            if outcome.kind is DecisionKind.REFUSED:
                yield BackfilledRun(run, (), refused=True)
            else:
                ran.append((BackfilledRun(run, outcome.jids), self._decision(due, outcome)))
        yield from self._committed(ran)

    def _decision(self, due: Due, outcome: Outcome) -> Decision:
        made = decision_of(self.plan.event, due, outcome, late=None, signature=self._signature)
        return replace(
            made,
            declaration="",
            kind=DecisionKind.BACKFILLED,
            detail={**made.detail, "at": to_ms(self._clock.now())},
            watched=(),  # a backfill's jobs do not hold up the event's own runs
            joins=len(self.plan.to_run) > SEPARATE,
        )

    def _committed(self, ran: Sequence[tuple[BackfilledRun, Decision]]) -> Iterator[BackfilledRun]:
        verdicts = self._ledger.commit([decision for _, decision in ran])
        made = [pair for pair, verdict in zip(ran, verdicts, strict=True) if verdict is Verdict.COMMITTED]
        self._ledger.push_kept_out(
            [push for _, decision in made for push in kept_out(decision.pushes)], to_ms(self._clock.now())
        )
        for run, decision in made:
            out = _out(decision)
            yield replaced(run, jids=[jid for jid in run.jids if jid not in out])
        if Verdict.WRONG_TYPE in verdicts:
            raise _wrong_type()
