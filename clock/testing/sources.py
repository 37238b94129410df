"""What a rehearsal begins from: a clock file's text, and the ledger of production."""

from __future__ import annotations

import tempfile
from pathlib import Path

from clock.store.connection import connect
from clock.store.ledger import RedisLedger
from clock.testing.memory_ledger import MemoryLedger
from clock.timetable import Timetable, load


def loads(text: str) -> Timetable:
    """The timetable that the text of a clock file declares; its imports are found from the current folder.

    Raises DeclarationError.

    >>> loads("from clock import every; every().day.at('06:00').do(print).named('daily')").event("daily").name
    'daily'
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.py"
        path.write_text(text, encoding="utf-8")
        return load(path, root=Path.cwd())


def read_ledger(url: str) -> MemoryLedger:
    """What the ledger in the Redis at `url` holds now, to be given to `run(ledger=...)`; nothing is written.

    Raises ConfigurationError, StoreUnavailable.
    """
    redis = connect(url)
    try:
        ledger = RedisLedger(redis)
        found = MemoryLedger(ledger.rows())
        for event, pause in ledger.pauses().items():
            found.pause(event, pause)
        return found
    finally:
        redis.close()
