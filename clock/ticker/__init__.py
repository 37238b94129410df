from clock.ticker.asking import due_of
from clock.ticker.catch_up import Due, met
from clock.ticker.clock_process import ClockProcess
from clock.ticker.decisions import JOINED, Signature, decision_of, pause_after
from clock.ticker.heartbeat import Heartbeat
from clock.ticker.leader import Leader
from clock.ticker.manual_fire import fire_manually
from clock.ticker.release import Release, release_of
from clock.ticker.run_event import Act, Outcome, carry_out
from clock.ticker.run_event import run as fire
from clock.ticker.ticker import STOP_SECONDS, Ticker

__all__ = [
    "JOINED",
    "STOP_SECONDS",
    "Act",
    "ClockProcess",
    "Due",
    "Heartbeat",
    "Leader",
    "Outcome",
    "Release",
    "Signature",
    "Ticker",
    "carry_out",
    "decision_of",
    "due_of",
    "fire",
    "fire_manually",
    "met",
    "pause_after",
    "release_of",
]
