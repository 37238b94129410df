from clock.ticker.clock_process import ClockProcess
from clock.ticker.firing.decisions import Signature
from clock.ticker.firing.run_event import ON_THE_LOOP, ActionMode
from clock.ticker.identity import ClockIdentity, Release, release_of
from clock.ticker.ticker import STOP_SECONDS, Ticker

__all__ = [
    "ON_THE_LOOP",
    "STOP_SECONDS",
    "ActionMode",
    "ClockIdentity",
    "ClockProcess",
    "Release",
    "Signature",
    "Ticker",
    "release_of",
]
