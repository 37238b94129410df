"""psycopg2's connections and cursors for the recorder of a trial: subclasses of the classes that the job uses."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from clock.testing.crash_trials.effects import Patch, Recorder, current
from clock.testing.crash_trials.patch_sqlite import is_write, short, text_of


def psycopg2_patches(recorder: Recorder) -> Iterator[Patch]:
    """The patch by which the recorder watches psycopg2, if it is imported."""
    psycopg2: Any = sys.modules.get("psycopg2")
    if psycopg2 is None:
        return
    original = psycopg2.connect

    def connect(dsn: Any = None, connection_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
        asked = connection_factory or psycopg2.extensions.connection
        connection = original(dsn, _connections(asked) if isinstance(asked, type) else asked, *args, **kwargs)
        recorder.to_close.append(connection.close)
        return connection

    yield psycopg2, "connect", connect


def _around(what: str, act: Callable[[], Any]) -> Any:
    recorder = current()
    if recorder is None or not is_write(what):
        return act()
    return recorder.around("database", short(what), act, sys.modules["psycopg2"].OperationalError)


@functools.cache
def _connections(base: Any) -> Any:
    class WatchedConnection(base):  # type: ignore[misc]  # whichever class the job asks for
        """A connection whose commits, and its cursors' statements, are effects."""

        def cursor(self, *args: Any, **kwargs: Any) -> Any:
            asked: Any = type(super().cursor(*args, **kwargs))  # the class is settled in several places
            return super().cursor(*args[:1], **{**kwargs, "cursor_factory": _cursors(asked)})

        def commit(self) -> None:
            idle = sys.modules["psycopg2"].extensions.TRANSACTION_STATUS_IDLE
            if self.get_transaction_status() != idle:
                _around("COMMIT", super().commit)

    return WatchedConnection


@functools.cache
def _cursors(base: Any) -> Any:
    class WatchedCursor(base):  # type: ignore[misc]  # whichever class the job asks for
        """A cursor whose writing statements are effects."""

        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(text_of(query, self), partial(super().execute, query, *args, **kwargs))

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(text_of(query, self), partial(super().executemany, query, *args, **kwargs))

        def callproc(self, name: Any, *args: Any, **kwargs: Any) -> Any:
            return _around(f"CALL {name}", partial(super().callproc, name, *args, **kwargs))

    return WatchedCursor
