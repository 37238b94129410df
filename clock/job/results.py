"""`result_ttl`: what a job returned, or how it failed, for the program that has pushed it.

The script that ends the job writes the result, so a job that is acknowledged has one. It is a hash that expires
after `result_ttl`. Jobs without the option keep nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

from clock.clocks import SystemClock
from clock.errors import JobError, JobFailed, ResultMissing, message_of
from clock.job.payload import Payload, decode, encode, in_seconds
from clock.job.push import client
from clock.printable import brief, is_utf8
from clock.store.jobs.results import Kept, read
from clock.store.server import connection
from clock.store.server.shards import likely_first

MOST_BYTES = 65_536  # of a result, unless the job has another `result_limit`: Redis keeps it in memory
LONGEST_TIMEOUT = 1e9  # seconds, 31 years
FIRST_WAIT, LONGEST_WAIT = 0.02, 0.5  # seconds between two looks

Status = Literal["unknown", "done", "failed", "dropped", "cancelled"]
_clock = SystemClock()


class JobResult:
    """The result of the job `jid`, whose class or push has `result_ttl`. Its methods raise StoreUnavailable."""

    def __init__(self, jid: str) -> None:
        if not is_utf8(jid):
            raise JobError(f"JobResult: the jid is {brief(jid)}; it must be a text, as perform_async returns it")
        self.jid = jid

    @property
    def status(self) -> Status:
        """done, failed, dropped or cancelled; unknown: it has not ended, keeps no result, or it expired."""
        return cast("Status", self._read().get("status", "unknown"))

    def get(self, timeout: float | None = None) -> Any:
        """Wait until the job has ended. Returns the result of `perform`. `timeout` is in seconds, None: no limit.

        Raises TimeoutError; JobFailed if the job failed for good, was dropped or cancelled; ResultMissing if the
        value could not be kept, or client middleware stopped the push. A job that waits for a retry has not ended.
        """
        for wait in self._waits(timeout):
            if found := self._read():
                break
            _clock.wait(threading.Event(), wait)
        return _value(self.jid, found)

    async def aget(self, timeout: float | None = None) -> Any:
        """`get` that does not block the event loop."""
        for wait in self._waits(timeout):
            if found := await asyncio.to_thread(self._read):
                break
            await asyncio.sleep(wait)
        return _value(self.jid, found)

    def _read(self) -> Mapping[str, str]:
        carrier = client.carrier()
        results: Mapping[str, Mapping[str, str]] | None = getattr(carrier, "results", None)
        if results is not None:
            return results.get(self.jid, {})
        places = likely_first(connection.default(), self.jid)
        return next(filter(None, (read(place, self.jid) for place in places)), {})

    def _waits(self, timeout: float | None) -> Iterator[float]:
        """How many seconds to wait after each look. Raises ResultMissing, JobError, TimeoutError."""
        if not self.jid:  # or the caller would wait forever
            raise ResultMissing("the job has no result: client middleware stopped its push")
        seconds = in_seconds(float("inf") if timeout is None else timeout)
        if seconds is None or seconds != seconds:
            raise JobError(f"JobResult: timeout is {brief(timeout)}; it must be seconds, or None")
        ends_at, wait = _clock.monotonic() + min(seconds, LONGEST_TIMEOUT), FIRST_WAIT
        while (left := ends_at - _clock.monotonic()) > 0:
            yield min(wait, left)
            wait = min(2 * wait, LONGEST_WAIT)
        yield 0.0
        raise TimeoutError(f"the job {self.jid} has no result after {seconds:g} s")


def kept_value(payload: Payload, value: object) -> Kept:
    """The result of a job that is done and returned `value`."""
    missing, text, limit = "", "", payload.get("result_limit")
    limit = limit if isinstance(limit, int) else MOST_BYTES
    try:
        text = encode(value)
    except (TypeError, ValueError, RecursionError):
        is_partly_json = type(value) in (list, dict, int, float)  # JSON supports some of their values
        missing = f"JSON does not support a {'value in this ' if is_partly_json else ''}{type(value).__name__}"
    if not is_utf8(text):
        missing = "it has text that is not valid UTF-8"
    elif (size := len(text.encode())) > limit:
        missing = f"it has {size} bytes, over the limit of {limit}"
    return _kept(payload, {"status": "done"} | ({"missing": missing} if missing else {"value": text}))


def kept_error(payload: Payload, status: Status, error: BaseException | None) -> Kept:
    """The result of a job that ended without a value."""
    fields: dict[str, str] = {"status": status}
    if error is not None:
        fields |= {"error_class": type(error).__name__, "error_message": message_of(error)}
    return _kept(payload, fields)


def keeps_result(payload: Payload) -> bool:
    """Whether the job of this payload keeps its result."""
    return isinstance(payload.get("result_ttl"), (int, float)) and "jid" in payload


def _kept(payload: Payload, fields: Mapping[str, str]) -> Kept:
    ttl: Any = payload["result_ttl"]
    return Kept(str(payload["jid"]), max(1, int(ttl * 1000)), fields)


def _value(jid: str, found: Mapping[str, str]) -> Any:
    if found.get("status") != "done":
        raise JobFailed(jid, found.get("status", ""), found.get("error_class", ""), found.get("error_message", ""))
    if "missing" in found:
        raise ResultMissing(f"the result of the job {jid} was not kept: {found['missing']}")
    return decode(found["value"].encode())
