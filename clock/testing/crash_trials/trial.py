"""Whether a job may run twice: it is crashed at every step, run again, and must leave the result of one run.

A worker runs a job at least once: if it dies between two steps, or loses an answer, the job runs again from its
start. So the result must not depend on the step at which it was cut off. `assert_idempotent` tries each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import get_args

import msgspec

from clock.errors import StoreUnavailable
from clock.job import Context, Job
from clock.job.options import Order
from clock.job.payload import Payload
from clock.job.push.carriers import Batches
from clock.job.push.client import change_carrier, clock, using_clock
from clock.job.push.inline import inline_context, run_to_end
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.frozen_time import moving_world
from clock.rehearsal.job_modes import Collected
from clock.testing.crash_trials.effects import Crash, CrashPoint, Effect, Recorder, When, watching
from clock.testing.crash_trials.patches import all_patches

MOST_EFFECTS = 300  # a job with more counts as endless


def assert_idempotent(
    job: type[Job],
    *args: object,
    snapshot: Callable[[], object],
    fresh: Callable[[], object] | None = None,
) -> list[Effect]:
    """Assert that the job leaves the same result after a crash at each step and another run.

    Returns its effects in order. `snapshot()` returns the state outside that is compared: rows, files, sent mails
    by their key. `fresh()` resets this state to the one before the job; without it, only a job that changes
    nothing passes. Jobs that are pushed are compared by class and arguments, each counted once: they, too, may run
    twice.

    Time is frozen in all runs. Raises AssertionError, which names the lines between which the job is unsafe;
    ValueError if `fresh` does not reset the state, or if the job changes the snapshot without a recorded effect.
    """
    context = inline_context(Order(job), args, {})
    if context is None:
        raise ValueError(f"client middleware stops {job.wire_name}; it cannot be tried")
    trial = _Trial(context, FakeClock(clock().now()), job, snapshot, fresh or (lambda: None))
    before = trial.start()
    once = trial.run()
    _check(once, f"{job.wire_name} fails by itself")
    expected = trial.state(once.pushed)
    if not once.effects and expected != (before, set()):
        raise ValueError(
            f"{job.wire_name} changed the snapshot by a function that is not tracked: mark it with @testing.effect"
        )
    if trial.start() != before:
        raise ValueError(
            "fresh() does not restore the first state" if fresh else "pass fresh=, which restores the first state"
        )
    for point in _points(once.effects):
        trial.start()
        cut = trial.run(point)
        again = trial.run()
        where = f"{job.wire_name} {_between(once.effects, point)}"
        _check(again, f"{where}: run again, it fails")
        found = trial.state(cut.pushed + again.pushed)
        if found != expected:
            results = f"  once:  {expected!r:.500}\n  again: {found!r:.500}"
            raise AssertionError(f"{where}: run again, it has another result\n{results}")
    return once.effects


def _check(ran: _Ran, where: str) -> None:
    if ran.failure is not None:
        raise AssertionError(f"{where}: {type(ran.failure).__name__}: {ran.failure}") from ran.failure


def _points(effects: Sequence[Effect]) -> list[CrashPoint]:
    if len(effects) > MOST_EFFECTS:
        raise ValueError(
            f"the job has {len(effects)} effects; try it with less data ({MOST_EFFECTS} effects at most)"
        )
    points = [CrashPoint(number, when) for number in range(len(effects)) for when in get_args(When)]
    return points or [CrashPoint(0, "before")]


def _between(effects: Sequence[Effect], point: CrashPoint) -> str:
    """The place of the crash in words."""
    if not effects:
        return "is unsafe, although none of its effects was tracked"
    this = effects[point.number]
    if point.when == "lost":
        return f"is unsafe if the answer is lost at {this}"
    steps = ["its start", *effects, "its end"]
    first = point.number if point.when == "before" else point.number + 1
    return f"is unsafe between {steps[first]} and {steps[first + 1]}"


@dataclass(frozen=True, slots=True)
class _Ran:
    effects: list[Effect]
    pushed: list[Payload]
    failure: Exception | None


@dataclass(frozen=True, slots=True)
class _Trial:
    """Runs the job, from the same start, at the same time, with the same jid."""

    context: Context
    clock: FakeClock
    job: type[Job]
    snapshot: Callable[[], object]
    fresh: Callable[[], object]

    def start(self) -> object:
        """Put everything back; what the state is then."""
        self.fresh()
        return self.snapshot()

    def state(self, pushed: Sequence[Payload]) -> object:
        """The result of a run: the state outside, and the jobs that it has pushed."""
        return self.snapshot(), {(str(payload["class"]), repr(payload["args"])) for payload in pushed}

    def run(self, crash: CrashPoint | None = None) -> _Ran:
        """Run the job, up to the crash if there is one."""
        recorder, collected, failure = Recorder(crash), Collected(), None
        undo = change_carrier(_Pushing(recorder, collected))
        try:
            with (
                using_clock(self.clock),
                moving_world(self.clock.now().timestamp()),
                watching(recorder, all_patches),
            ):
                payload = deepcopy(self.context.payload)
                run_to_end(self.job, msgspec.structs.replace(self.context, payload=payload))
        except Crash:
            pass
        except Exception as error:  # noqa: BLE001  # whatever the job raises: a lost answer may well make it fail
            failure = error
        finally:
            undo()
            recorder.close()
        return _Ran(recorder.effects, collected.payloads, failure)


class _Pushing:
    """A carrier each batch of which is an effect."""

    def __init__(self, recorder: Recorder, collected: Collected) -> None:
        self._recorder = recorder
        self._collected = collected

    def carry(self, batches: Batches) -> None:
        for batch in batches:
            self._recorder.around("push", "jobs", partial(self._collected.carry, [batch]), StoreUnavailable)

    async def acarry(self, batches: Batches) -> None:
        self.carry(batches)
