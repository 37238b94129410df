"""The functions of the standard library and of other packages through which a job has effects, patched."""

from __future__ import annotations

import builtins
import io
import os
import smtplib
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

from clock.errors import StoreUnavailable
from clock.store import Redis
from clock.testing.crash_trials.databases import database_patches
from clock.testing.crash_trials.effects import Patch, Recorder

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
        *database_patches(recorder),
        *_http(recorder),
        recorder.patch(smtplib.SMTP, "sendmail", "mail", smtplib.SMTPServerDisconnected),
        *_files(recorder),
        *_redis(recorder),
    ]


def _http(recorder: Recorder) -> Iterator[Patch]:
    """Requests, except those that only read."""

    def of_urllib(_: object, request: Any, data: object = None, *more: object) -> str:
        if isinstance(request, str):
            return "" if data is None else "POST"
        return _unsafe(request.get_method())

    def of_request(_: object, request: Any, *more: object, **options: object) -> str:
        return _unsafe(request.method)

    requests: Any = sys.modules.get("requests")
    httpx: Any = sys.modules.get("httpx")
    yield _request(recorder, urllib.request.OpenerDirector, "open", URLError, of_urllib)
    if requests is not None:
        yield _request(recorder, requests.Session, "send", requests.ConnectionError, of_request)
    if httpx is not None:
        yield _request(recorder, httpx.Client, "send", httpx.ReadTimeout, of_request)
        yield recorder.patch(httpx.AsyncClient, "send", "HTTP", httpx.ReadTimeout, of_request)


def _unsafe(method: str) -> str:
    return "" if method.upper() in _SAFE_METHODS else method


def _request(
    recorder: Recorder, owner: Any, name: str, lost: Callable[[str], Exception], what: Callable[..., str]
) -> Patch:
    """A patch of a function that sends a request; its response is closed at the end of the run."""
    original = getattr(owner, name)

    def send(*args: Any, **kwargs: Any) -> Any:
        def act() -> Any:
            response = original(*args, **kwargs)
            recorder.to_close.append(response.close)
            return response

        method = what(*args, **kwargs)
        return recorder.around("HTTP", method, act, lost) if method else act()

    return owner, name, send


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
        yield recorder.patch(os, name, "file", OSError)


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
    def of_command(_: object, name: object, *more: object, **options: object) -> str:
        shown = str(name).upper()
        return "" if shown in _REDIS_READS else shown

    def of_pipeline(pipeline: Any, *more: object, **options: object) -> str:
        names = [str(item[0][0]).upper() for item in pipeline.command_stack]
        return "" if all(name in _REDIS_READS for name in names) else " ".join(names)[:50]

    yield recorder.patch(Redis, "execute_command", "Redis", StoreUnavailable, of_command)
    yield recorder.patch(type(Redis().pipeline()), "execute", "Redis", StoreUnavailable, of_pipeline)
