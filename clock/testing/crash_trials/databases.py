"""Statements and commits of databases as the recorder of a trial sees them."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any

from clock.testing.crash_trials.effects import Crash, Patch, Recorder, current

_READS = ("select", "pragma", "explain", "begin", "savepoint", "release", "rollback", "show")


def database_patches(recorder: Recorder) -> Iterator[Patch]:
    """The patches by which the recorder watches sqlite3, and the other databases that are imported."""
    yield from _sqlite(recorder)
    for module, patches in (
        ("sqlalchemy.engine.default", _sqlalchemy),
        ("django.db.backends.base.base", _django),
        ("psycopg", _psycopg),
        ("psycopg2", _psycopg2),
    ):
        if module in sys.modules:
            yield from patches(recorder, sys.modules[module])


def _written(query: Any, cursor: Any = None) -> str:
    """The start of a statement that may change something, or commits; empty for a statement that only reads."""
    if isinstance(query, bytes):
        query = query.decode(errors="replace")
    elif hasattr(query, "as_string"):  # it composes a statement of psycopg or psycopg2
        query = query.as_string(cursor)
    text = " ".join(str(query).split())
    return "" if text.lower().startswith(_READS) else text[:50]


def _around(query: Any, act: Callable[[], Any], lost: Callable[[str], Exception], cursor: Any = None) -> Any:
    """Run a statement of a watched cursor or connection, which may outlive the run."""
    recorder, shown = current(), _written(query, cursor)
    return recorder.around("database", shown, act, lost) if recorder and shown else act()


def _sqlite(recorder: Recorder) -> Iterator[Patch]:
    original = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs.setdefault("factory", _SqliteConnection)
        connection: sqlite3.Connection = original(*args, **kwargs)
        recorder.to_close.append(connection.close)
        return connection

    yield sqlite3, "connect", connect
    yield sqlite3.dbapi2, "connect", connect


class _SqliteCursor(sqlite3.Cursor):
    """A cursor whose writing statements are effects."""

    def execute(self, sql: str, *args: Any) -> Any:
        return _around(sql, partial(super().execute, sql, *args), sqlite3.OperationalError)

    def executemany(self, sql: str, *args: Any) -> Any:
        return _around(sql, partial(super().executemany, sql, *args), sqlite3.OperationalError)

    def executescript(self, sql_script: str) -> Any:
        return _around(sql_script, partial(super().executescript, sql_script), sqlite3.OperationalError)


class _SqliteConnection(sqlite3.Connection):
    """A connection whose commits, and its cursors' statements, are effects. It makes a cursor for its own ones."""

    def cursor(self, factory: Any = _SqliteCursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> Any:
        return self.cursor().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        return self.cursor().executemany(sql, *args)

    def executescript(self, sql_script: str) -> Any:
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        if self.in_transaction:
            _around("COMMIT", super().commit, sqlite3.OperationalError)

    def __exit__(self, kind: Any, *error: Any) -> Any:
        if kind is None:
            self.commit()
        elif self.in_transaction:
            self.rollback()
        return False


def _sqlalchemy(recorder: Recorder, default: Any) -> Iterator[Patch]:
    def lost(text: str) -> Exception:
        error: Exception = sys.modules["sqlalchemy.exc"].DBAPIError(None, None, ConnectionError(text))
        return error

    yield recorder.patch(default.DefaultDialect, "do_commit", "database", lost)
    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        yield recorder.patch(
            default.DefaultDialect, name, "database", lost, lambda _, cursor, statement, *more: _written(statement)
        )


def _django(recorder: Recorder, base: Any) -> Iterator[Patch]:
    """Django's own cursors and commits: its connections are there before the test, its cursors its own."""
    cursor: Any = sys.modules["django.db.backends.utils"].CursorWrapper
    lost = sys.modules["django.db.utils"].OperationalError
    for name in ("_execute", "_executemany"):
        yield recorder.patch(cursor, name, "database", lost, lambda _, statement, *more: _written(statement))
    commit = base.BaseDatabaseWrapper._commit

    def watched_commit(self: Any) -> None:
        recorder.to_close.append(lambda: None if self.in_atomic_block else self._rollback())
        recorder.around("database", "COMMIT", partial(commit, self), lost)

    yield base.BaseDatabaseWrapper, "_commit", watched_commit


def _psycopg(recorder: Recorder, psycopg: Any) -> Iterator[Patch]:
    def statement(cursor: Any, query: Any, *more: Any, **options: Any) -> str:
        if isinstance(cursor, psycopg.Cursor):
            recorder.to_close.append(partial(_undo, cursor.connection))
        return _written(query)

    def commit(connection: Any) -> str:
        return "COMMIT" if _has_begun(connection) else ""

    def end_of_block(block: Any, kind: object, error: object, trace: object) -> str:
        """The end of an inner `connection.transaction()` releases a savepoint."""
        return "COMMIT" if error is None and not block.force_rollback and block._outer_transaction else ""

    for cursor in (psycopg.Cursor, psycopg.AsyncCursor):
        for name in ("execute", "executemany"):
            yield recorder.patch(cursor, name, "database", psycopg.OperationalError, statement)
    for connection in (psycopg.Connection, psycopg.AsyncConnection):
        yield _opened(recorder, connection)
        yield recorder.patch(connection, "commit", "database", psycopg.OperationalError, commit)
    block, awaited = psycopg.Transaction, psycopg.AsyncTransaction
    yield _ended(recorder.patch(block, "__exit__", "database", psycopg.OperationalError, end_of_block))
    yield _aended(recorder.patch(awaited, "__aexit__", "database", psycopg.OperationalError, end_of_block))


def _undo(connection: Any) -> None:
    """Roll back the open transaction of a connection that may be older than the run and belong to the test."""
    with suppress(sys.modules["psycopg"].Error):
        if not connection.closed and _has_begun(connection):
            connection.rollback()


def _has_begun(connection: Any) -> bool:
    return bool(connection.info.transaction_status.name != "IDLE")


def _opened(recorder: Recorder, owner: Any) -> Patch:
    """A connection that is opened in a run is cut off at its end, as by the end of a process."""
    original = owner.__init__

    def init(self: Any, pgconn: Any, *args: Any, **kwargs: Any) -> None:
        original(self, pgconn, *args, **kwargs)
        recorder.to_close.append(pgconn.finish)

    return owner, "__init__", init


def _ended(patch: Patch) -> Patch:
    """The patch, which after a crash ends the transaction: the connection may outlive this run."""
    owner, name, leave = patch
    original = getattr(owner, name)

    def ending(self: Any, *error: Any) -> Any:
        try:
            return leave(self, *error)
        except Crash as crash:
            if self.status is self.Status.ACTIVE:
                original(self, Crash, crash, None)
            raise

    return owner, name, ending


def _aended(patch: Patch) -> Patch:
    """`_ended` of an awaited method."""
    owner, name, leave = patch
    original = getattr(owner, name)

    async def ending(self: Any, *error: Any) -> Any:
        try:
            return await leave(self, *error)
        except Crash as crash:
            if self.status is self.Status.ACTIVE:
                await original(self, Crash, crash, None)
            raise

    return owner, name, ending


def _psycopg2(recorder: Recorder, psycopg2: Any) -> Iterator[Patch]:
    """psycopg2's connections and cursors: subclasses of the classes that the job uses."""
    original = psycopg2.connect

    def connect(dsn: Any = None, connection_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
        asked = connection_factory or psycopg2.extensions.connection
        connection = original(dsn, _connections(asked) if isinstance(asked, type) else asked, *args, **kwargs)
        recorder.to_close.append(connection.close)
        return connection

    yield psycopg2, "connect", connect


@cache
def _connections(base: Any) -> Any:
    psycopg2 = sys.modules["psycopg2"]

    class WatchedConnection(base):  # type: ignore[misc]  # whichever class the job asks for
        """A connection whose commits, and its cursors' statements, are effects."""

        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            asked: Any = type(super().cursor(*args, **kwargs))  # the class is settled in several places
            return super().cursor(*args[:1], **{**kwargs, "cursor_factory": _cursors(asked)})

        def commit(self) -> None:
            if self.get_transaction_status() != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
                _around("COMMIT", super().commit, psycopg2.OperationalError)

    return WatchedConnection


@cache
def _cursors(base: Any) -> Any:
    lost = sys.modules["psycopg2"].OperationalError

    class WatchedCursor(base):  # type: ignore[misc]  # whichever class the job asks for
        """A cursor whose writing statements are effects."""

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(query, partial(super().execute, query, *args, **kwargs), lost, self)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(query, partial(super().executemany, query, *args, **kwargs), lost, self)

        def callproc(self, name: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(f"CALL {name}", partial(super().callproc, name, *args, **kwargs), lost)

    return WatchedCursor
