"""sqlite3's connections and cursors as the recorder of a trial sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from clock.testing.crash_trials.effects import current

READS = ("select", "pragma", "explain", "begin", "savepoint", "release", "rollback", "show")
_original = sqlite3.connect


def is_write(statement: object) -> bool:
    """Whether a statement is an effect: it may change something, or commits."""
    return not str(statement).lstrip().lower().startswith(READS)


def short(statement: object) -> str:
    """The start of a statement, in one line."""
    return " ".join(str(statement).split())[:50]


def text_of(query: Any, cursor: Any) -> str:
    """The text of a statement of psycopg or psycopg2: a text, bytes, or an object that composes it."""
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    return str(query.as_string(cursor)) if hasattr(query, "as_string") else str(query)


def _around(sql: str, act: Callable[[], Any]) -> Any:
    recorder = current()
    if recorder is None or not is_write(sql):
        return act()
    return recorder.around("database", short(sql), act, sqlite3.OperationalError)


class WatchedCursor(sqlite3.Cursor):
    """A cursor whose writing statements are effects."""

    def execute(self, sql: str, *args: Any) -> Any:
        """Run a statement."""
        return _around(sql, partial(super().execute, sql, *args))

    def executemany(self, sql: str, *args: Any) -> Any:
        """Run a statement for each row of parameters."""
        return _around(sql, partial(super().executemany, sql, *args))

    def executescript(self, sql_script: str) -> Any:
        """Run several statements."""
        return _around(sql_script, partial(super().executescript, sql_script))


class WatchedConnection(sqlite3.Connection):
    """A connection whose commits, and its cursors' statements, are effects."""

    def cursor(self, factory: Any = WatchedCursor) -> Any:
        """A cursor."""
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> Any:
        """Run a statement on a new cursor."""
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        """Run a statement for each row of parameters, on a new cursor."""
        return self.cursor().executemany(sql, *args)

    def executescript(self, sql_script: str) -> Any:
        """Run several statements on a new cursor."""
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        """Commit, if a transaction is open."""
        if self.in_transaction:
            _around("COMMIT", super().commit)

    def __exit__(self, kind: Any, *error: Any) -> Any:
        if kind is None:
            self.commit()
        elif self.in_transaction:
            self.rollback()
        return False


def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
    """`sqlite3.connect` with a watched connection; it is closed at the end of the run, as a process's end does."""
    kwargs.setdefault("factory", WatchedConnection)
    connection: sqlite3.Connection = _original(*args, **kwargs)
    recorder = current()
    if recorder is not None:
        recorder.to_close.append(connection.close)
    return connection
