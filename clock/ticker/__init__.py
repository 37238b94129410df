from clock.ticker.backfill_plan import BackfillPlan, PlannedRun, plan_backfill
from clock.ticker.clock_process import ClockProcess
from clock.ticker.firing.decisions import JOINED, Outcome, Signature, decision_of, pause_after
from clock.ticker.firing.run_event import ON_THE_LOOP, ActionMode, ActionOf, carry_out, own_action
from clock.ticker.firing.run_event import run as fire
from clock.ticker.identity import ClockIdentity, Release, release_of
from clock.ticker.planning.catch_up import Due, due_of, fires_on_time
from clock.ticker.requested_runs import RATES, Backfill, BackfilledRun, fire_manually
from clock.ticker.ticker import STOP_SECONDS, Ticker

__all__ = [
    "JOINED",
    "ON_THE_LOOP",
    "RATES",
    "STOP_SECONDS",
    "ActionMode",
    "ActionOf",
    "Backfill",
    "BackfillPlan",
    "BackfilledRun",
    "ClockIdentity",
    "ClockProcess",
    "Due",
    "Outcome",
    "PlannedRun",
    "Release",
    "Signature",
    "Ticker",
    "carry_out",
    "decision_of",
    "due_of",
    "fire",
    "fire_manually",
    "fires_on_time",
    "own_action",
    "pause_after",
    "plan_backfill",
    "release_of",
]
