"""Fake time for tests: a clock that is moved by hand, the rehearsal of a whole clock file, its timeline, jobs."""

from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.history import Enqueued, History
from clock.rehearsal.job_modes import (
    all_jobs,
    clear_all,
    disable,
    drain_all,
    fake,
    inline,
    mode,
    server_middleware,
)
from clock.rehearsal.ledger import MemoryLedger
from clock.rehearsal.rehearsal import run
from clock.rehearsal.sources import load_application, loads, read_ledger
from clock.rehearsal.timeline import Timeline
from clock.testing.crash_trials.effects import effect
from clock.testing.crash_trials.trial import assert_idempotent
from clock.testing.snapshot import assert_timeline
from clock.testing.world.slots import Ran
from clock.testing.world.world import World, world
from clock.timetable import load

__all__ = [
    "Enqueued",
    "FakeClock",
    "History",
    "MemoryLedger",
    "Ran",
    "Timeline",
    "World",
    "all_jobs",
    "assert_idempotent",
    "assert_timeline",
    "clear_all",
    "disable",
    "drain_all",
    "effect",
    "fake",
    "inline",
    "load",
    "load_application",
    "loads",
    "mode",
    "read_ledger",
    "run",
    "server_middleware",
    "world",
]
