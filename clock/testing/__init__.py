"""Fake time for tests: a clock that is moved by hand, the rehearsal of a whole clock file, its timeline, jobs."""

from clock.testing.effects import effect
from clock.testing.fake_clock import FakeClock
from clock.testing.history import Enqueued, History
from clock.testing.idempotency import assert_idempotent
from clock.testing.job_modes import all_jobs, clear_all, disable, drain_all, fake, inline, server_middleware
from clock.testing.lanes import Ran
from clock.testing.memory_ledger import MemoryLedger
from clock.testing.rehearsal import run
from clock.testing.snapshot import assert_timeline
from clock.testing.sources import load_application, loads, read_ledger
from clock.testing.timeline import Timeline
from clock.testing.world import World, world
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
    "read_ledger",
    "run",
    "server_middleware",
    "world",
]
