"""Waiting until a queue holds a job, without taking it.

BLMOVE from a queue's right end to its right end changes nothing, but blocks while the queue is empty. So an idle
worker costs nothing and starts a job at once, whoever pushed it, and a crash while it waits loses nothing. Where
one queue is waited on, the claim is sent along with the wait, and Redis runs it as soon as that ends.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from clock.errors import StoreError
from clock.store import keys
from clock.store.connection import Command, translated

UNWATCHED_SECONDS = 0.1  # how long a job may wait unseen in a queue that is not waited on


class Arrivals:
    """Waits on several queues. Redis can wait on one list at a time, so each further queue has a thread.

    At most `max_watched` queues are waited on, the first ones; where there are more, a wait ends soon, so that
    whoever waits looks into all.
    """

    def __init__(self, redis: Redis, queues: Sequence[str], *, max_watched: int) -> None:
        self._redis = redis
        self._queues = list(queues)[:max_watched]
        self._most_seconds = math.inf if len(queues) <= max_watched else UNWATCHED_SECONDS
        self._seconds = 0.0
        self._watching = threading.Event()
        self._arrived = threading.Event()
        if len(self._queues) > 1:
            for queue in self._queues:
                threading.Thread(target=self._watch, args=(queue,), name=f"arrivals {queue}", daemon=True).start()

    def wait(self, seconds: float) -> None:
        """Return when a queue holds a job, after `seconds` at the latest. Raises StoreUnavailable."""
        seconds = min(seconds, self._most_seconds)
        if len(self._queues) == 1:
            self._look(self._queues[0], seconds)
            return
        self._seconds = seconds
        self._arrived.clear()
        self._watching.set()
        self._arrived.wait(seconds)
        self._watching.clear()

    def wake(self) -> None:
        """End a wait on several queues at once."""
        self._arrived.set()

    def _watch(self, queue: str) -> None:
        while True:
            self._watching.wait()
            try:
                found = self._look(queue, self._seconds)
            except StoreError:
                found = True  # whoever waits will see for itself that Redis is away
            if found:
                self._watching.clear()
                self._arrived.set()

    def _look(self, queue: str, seconds: float) -> bool:
        name = keys.queue(queue)
        with translated():
            return self._redis.blmove(name, name, seconds, src="RIGHT", dest="RIGHT") is not None  # type: ignore[arg-type]  # fractions are fine


class Wait:
    """Waits on one queue, and lets Redis run a command when the wait ends. One thread at a time may wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._client_id: int | None = None  # of the connection that waits

    def then(self, command: Command, queue: str, seconds: float) -> Any:
        """The answer to `command`, which is run when the queue holds a job, or after `seconds`.

        Raises StoreUnavailable, StoreError; the command may have been run then.
        """
        name = keys.queue(queue)
        wait: Command = ("BLMOVE", name, name, "RIGHT", "RIGHT", seconds)
        pool: Any = self._redis.connection_pool
        with translated():
            link = pool.get_connection()
            try:
                link.send_packed_command(link.pack_commands([("CLIENT", "ID"), wait, command]))
                self._client_id = _number(link)
                link.read_response()
                return link.read_response()
            except BaseException:
                link.disconnect()  # answers that were not read must not be taken for those of the next commands
                raise
            finally:
                self._client_id = None
                pool.release(link)

    def end(self) -> None:
        """End the wait at once, if there is one and Redis allows it. Raises StoreUnavailable, StoreError."""
        waits = self._client_id
        if waits is not None:
            with translated():
                self._redis.client_unblock(waits)


def _number(link: Any) -> int | None:
    """The answer to CLIENT ID; None where Redis does not tell this user."""
    try:
        return int(link.read_response())
    except ResponseError:
        return None
