"""The application's SQLite database: the assignments, and which reminders have been sent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

#: The school's zone: it says which day it is.
SCHOOL_ZONE = ZoneInfo("America/Indiana/Indianapolis")

_ROOT = Path(__file__).parent.parent
_SCHEMA = """
CREATE TABLE IF NOT EXISTS assignments (
    id INTEGER PRIMARY KEY,
    learner TEXT NOT NULL,
    email TEXT NOT NULL,
    lesson TEXT NOT NULL,
    due_on TEXT NOT NULL,
    completed INTEGER NOT NULL,
    zone TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reminders (
    assignment_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    day TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    UNIQUE (assignment_id, kind, day)
);
"""


def database_path() -> Path:
    """`APP_DATABASE`, else `db/app.sqlite3`."""
    return Path(os.environ.get("APP_DATABASE") or _ROOT / "db" / "app.sqlite3")


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """One short write transaction; other threads and processes wait for it up to a minute."""
    connection = sqlite3.connect(database_path(), timeout=60, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection
    finally:
        connection.close()


def create_tables() -> None:
    """Create what is not there yet."""
    database_path().parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(database_path(), timeout=60) as connection:
        connection.executescript(_SCHEMA)
    connection.close()
