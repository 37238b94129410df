"""The functions of the standard library and of other packages through which a job has effects, patched."""

from __future__ import annotations

import builtins
import io
import os
import smtplib
import sqlite3
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

from clock.errors import StoreUnavailable
from clock.store import Redis
from clock.testing.crash_trials.effects import Patch, Recorder, wrapped
from clock.testing.crash_trials.patch_psycopg import psycopg_patches
from clock.testing.crash_trials.patch_psycopg2 import psycopg2_patches
from clock.testing.crash_trials.patch_sqlite import connect, is_write, short

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MOVES = ("rename", "replace", "remove", "unlink", "link", "symlink", "mkdir", "rmdir", "truncate")
_REDIS_READS = (
    "DBSIZE", "EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "INFO", "KEYS",
    "LINDEX", "LLEN", "LRANGE", "MGET", "PING", "PTTL", "SCAN", "SCARD", "SISMEMBER", "SMEMBERS", "TIME",
    "TTL", "TYPE", "XLEN", "XRANGE", "XREVRANGE", "ZCARD", "ZRANGE", "ZRANGEBYSCORE", "ZRANK", "ZSCORE",
)  # fmt: skip


def all_patches(recorder: Recorder) -> Sequence[Patch]:
    """The patches by which the recorder sees them."""
    return [
        *_databases(recorder),
        *_http(recorder),
        wrapped(recorder, smtplib.SMTP, "sendmail", "mail", smtplib.SMTPServerDisconnected),
        *_files(recorder),
        *_redis(recorder),
    ]


def _databases(recorder: Recorder) -> Iterator[Patch]:
    yield sqlite3, "connect", connect
    yield sqlite3.dbapi2, "connect", connect
    default: Any = sys.modules.get("sqlalchemy.engine.default")
    if default is not None:
        dialect = default.DefaultDialect
        lost = sys.modules["sqlalchemy.exc"].DBAPIError
        yield wrapped(recorder, dialect, "do_commit", "database", partial(_sqlalchemy_lost, lost))
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            yield _statement(recorder, dialect, name, partial(_sqlalchemy_lost, lost), place=1)
    yield from _django(recorder)
    yield from psycopg_patches(recorder)
    yield from psycopg2_patches(recorder)


def _django(recorder: Recorder) -> Iterator[Patch]:
    """Django's own cursors and commits: its connections are there before the test, its cursors its own."""
    cursors: Any = sys.modules.get("django.db.backends.utils")
    base: Any = sys.modules.get("django.db.backends.base.base")
    if cursors is None or base is None:
        return
    lost = sys.modules["django.db.utils"].OperationalError
    for name in ("_execute", "_executemany"):
        yield _statement(recorder, cursors.CursorWrapper, name, lost, place=0)
    commit = base.BaseDatabaseWrapper._commit

    def watched_commit(self: Any) -> None:
        recorder.to_close.append(lambda: None if self.in_atomic_block else self._rollback())
        recorder.around("database", "COMMIT", partial(commit, self), lost)

    yield base.BaseDatabaseWrapper, "_commit", watched_commit


def _sqlalchemy_lost(kind: Callable[..., Exception], text: str) -> Exception:
    return kind(None, None, ConnectionError(text))


def _statement(
    recorder: Recorder, owner: Any, name: str, lost: Callable[[str], Exception], *, place: int
) -> Patch:
    """A patch of a method that runs a statement, which is its argument at `place`."""
    original = getattr(owner, name)

    def call(self: object, *args: Any, **kwargs: Any) -> Any:
        act, statement = partial(original, self, *args, **kwargs), args[place]
        return recorder.around("database", short(statement), act, lost) if is_write(statement) else act()

    return owner, name, call


def _http(recorder: Recorder) -> Iterator[Patch]:
    opener = urllib.request.OpenerDirector
    yield _request(recorder, opener, "open", _of_urllib, URLError)
    requests: Any = sys.modules.get("requests")
    if requests is not None:
        yield _request(recorder, requests.Session, "send", lambda found: found.method, requests.ConnectionError)
    httpx: Any = sys.modules.get("httpx")
    if httpx is not None:
        yield _request(recorder, httpx.Client, "send", lambda found: found.method, httpx.ReadTimeout)
        yield _async_request(recorder, httpx.AsyncClient, httpx.ReadTimeout)


def _of_urllib(request: Any, data: object = None, *_: object) -> str:
    if isinstance(request, str):
        return "GET" if data is None else "POST"
    return cast(str, request.get_method())


def _request(
    recorder: Recorder, owner: Any, name: str, method_of: Callable[..., str], lost: Callable[[str], Exception]
) -> Patch:
    """A patch of a function that sends a request; requests that only read are not effects."""
    original = getattr(owner, name)

    def send(self: object, request: Any, *args: Any, **kwargs: Any) -> Any:
        act = partial(original, self, request, *args, **kwargs)
        method = method_of(request, *args) if method_of is _of_urllib else method_of(request)
        if method.upper() in _SAFE_METHODS:
            return act()
        return recorder.around("HTTP", method, partial(_closed_later, recorder, act), lost)

    return owner, name, send


def _async_request(recorder: Recorder, owner: Any, lost: Callable[[str], Exception]) -> Patch:
    original = owner.send

    async def send(self: object, request: Any, *args: Any, **kwargs: Any) -> Any:
        act = partial(original, self, request, *args, **kwargs)
        if request.method.upper() in _SAFE_METHODS:
            return await act()
        return await recorder.aaround("HTTP", request.method, act, lost)

    return owner, "send", send


def _closed_later(recorder: Recorder, act: Callable[[], Any]) -> Any:
    response = act()
    recorder.to_close.append(response.close)
    return response


def _files(recorder: Recorder) -> Iterator[Patch]:
    original = builtins.open

    def watched_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "+" in mode or not set(mode) & set("wax") or file == os.devnull or isinstance(file, int):
            return original(file, mode, *args, **kwargs)
        name = Path(os.fsdecode(file)).name
        opening = partial(original, file, mode, *args, **kwargs)
        return recorder.around("file", f"open {name}", lambda: _PendingFile(recorder, name, opening()), OSError)

    yield builtins, "open", watched_open
    yield io, "open", watched_open
    for name in _MOVES:
        yield wrapped(recorder, os, name, "file", OSError)


class _PendingFile:
    """A file that is written when it is flushed or closed: a crash before that leaves nothing of it."""

    def __init__(self, recorder: Recorder, name: str, file: Any) -> None:
        self._recorder = recorder
        self._name = name
        self._file = file
        self._pending: list[Any] = []
        recorder.to_close.append(file.close)

    def write(self, data: Any) -> int:
        self._pending.append(data)
        return len(data)

    def writelines(self, lines: Any) -> None:
        self._pending += lines

    def flush(self) -> None:
        if self._pending:
            self._recorder.around("file", f"write {self._name}", self._write, OSError)

    def close(self) -> None:
        if not self._file.closed:
            self.flush()
            self._file.close()

    def _write(self) -> None:
        pending, self._pending = self._pending, []
        self._file.writelines(pending)
        self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _PendingFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _redis(recorder: Recorder) -> Iterator[Patch]:
    command = Redis.execute_command
    pipeline: Any = type(Redis().pipeline())
    execute = pipeline.execute

    def watched_command(self: Redis, *args: Any, **options: Any) -> Any:
        act = partial(command, self, *args, **options)
        name = str(args[0]).upper()
        return act() if name in _REDIS_READS else recorder.around("Redis", name, act, StoreUnavailable)

    def watched_execute(self: Any, *args: Any, **options: Any) -> Any:
        names = [str(item[0][0]).upper() for item in self.command_stack]
        act = partial(execute, self, *args, **options)
        if all(name in _REDIS_READS for name in names):
            return act()
        return recorder.around("Redis", " ".join(names)[:50], act, StoreUnavailable)

    yield Redis, "execute_command", watched_command
    yield pipeline, "execute", watched_execute
