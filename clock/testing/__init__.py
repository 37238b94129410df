"""Fake time for tests: a clock that is moved by hand, and the rehearsal of a whole clock file."""

from clock.testing.fake_clock import FakeClock
from clock.testing.history import Enqueued, History
from clock.testing.memory_ledger import MemoryLedger
from clock.testing.rehearsal import run
from clock.testing.sources import loads, read_ledger
from clock.timetable import load

__all__ = ["Enqueued", "FakeClock", "History", "MemoryLedger", "load", "loads", "read_ledger", "run"]
