"""psycopg's statements and commits as the recorder of a trial sees them, plain and awaited."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from clock.testing.crash_trials.effects import Crash, Patch, Recorder
from clock.testing.crash_trials.patch_sqlite import is_write, short, text_of


def psycopg_patches(recorder: Recorder) -> Iterator[Patch]:
    """The patches by which the recorder watches psycopg, if it is imported."""
    psycopg: Any = sys.modules.get("psycopg")
    if psycopg is None:
        return
    lost = psycopg.OperationalError
    for cursor, statement in ((psycopg.Cursor, _statement), (psycopg.AsyncCursor, _async_statement)):
        yield statement(recorder, cursor, "execute", lost)
        yield statement(recorder, cursor, "executemany", lost)
    for connection in (psycopg.Connection, psycopg.AsyncConnection):
        yield _opened(recorder, connection)
    yield _commit(recorder, psycopg.Connection, lost)
    yield _async_commit(recorder, psycopg.AsyncConnection, lost)
    yield _block(recorder, psycopg.Transaction, lost)
    yield _async_block(recorder, psycopg.AsyncTransaction, lost)


def _statement(recorder: Recorder, owner: Any, name: str, lost: Any) -> Patch:
    original = getattr(owner, name)

    def call(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        act, text = partial(original, self, query, *args, **kwargs), text_of(query, None)
        recorder.to_close.append(partial(_undo, self.connection))
        return recorder.around("database", short(text), act, lost) if is_write(text) else act()

    return owner, name, call


def _async_statement(recorder: Recorder, owner: Any, name: str, lost: Any) -> Patch:
    original = getattr(owner, name)

    async def call(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        act, text = partial(original, self, query, *args, **kwargs), text_of(query, None)
        return await (recorder.aaround("database", short(text), act, lost) if is_write(text) else act())

    return owner, name, call


def _undo(connection: Any) -> None:
    """Roll back the open transaction of a connection that may be older than the run and belong to the test."""
    with suppress(sys.modules["psycopg"].Error):
        if not connection.closed and _has_begun(connection):
            connection.rollback()


def _opened(recorder: Recorder, owner: Any) -> Patch:
    """A connection that is opened in a run is cut off at its end, as by the end of a process."""
    original = owner.__init__

    def init(self: Any, pgconn: Any, *args: Any, **kwargs: Any) -> None:
        original(self, pgconn, *args, **kwargs)
        recorder.to_close.append(pgconn.finish)

    return owner, "__init__", init


def _has_begun(connection: Any) -> bool:
    """Whether a transaction is open."""
    return bool(connection.info.transaction_status.name != "IDLE")


def _commit(recorder: Recorder, owner: Any, lost: Any) -> Patch:
    original = owner.commit

    def commit(self: Any) -> None:
        if _has_begun(self):
            recorder.around("database", "COMMIT", partial(original, self), lost)

    return owner, "commit", commit


def _async_commit(recorder: Recorder, owner: Any, lost: Any) -> Patch:
    original = owner.commit

    async def commit(self: Any) -> None:
        if _has_begun(self):
            await recorder.aaround("database", "COMMIT", partial(original, self), lost)

    return owner, "commit", commit


def _commits(block: Any, error: BaseException | None) -> bool:
    """Whether the end of a `connection.transaction()` commits; that of an inner one releases a savepoint."""
    return error is None and not block.force_rollback and block._outer_transaction


def _block(recorder: Recorder, owner: Any, lost: Any) -> Patch:
    original = owner.__exit__

    def leave(self: Any, kind: Any, error: BaseException | None, trace: Any) -> Any:
        act = partial(original, self, kind, error, trace)
        if not _commits(self, error):
            return act()
        try:
            return recorder.around("database", "COMMIT", act, lost)
        except Crash as crash:
            if self.status is self.Status.ACTIVE:  # the connection may outlive this run, the transaction does not
                original(self, Crash, crash, None)
            raise

    return owner, "__exit__", leave


def _async_block(recorder: Recorder, owner: Any, lost: Any) -> Patch:
    original = owner.__aexit__

    async def leave(self: Any, kind: Any, error: BaseException | None, trace: Any) -> Any:
        act = partial(original, self, kind, error, trace)
        if not _commits(self, error):
            return await act()
        try:
            return await recorder.aaround("database", "COMMIT", act, lost)
        except Crash as crash:
            if self.status is self.Status.ACTIVE:
                await original(self, Crash, crash, None)
            raise

    return owner, "__aexit__", leave
