"""Waiting until a queue holds a job, without taking it.

BLMOVE from a queue's right end to its right end changes nothing, but blocks while the queue is empty. So an idle
worker costs nothing and starts each job at once, also jobs of other programs, and a crash while it waits loses
nothing. The claim is sent together with the wait, and Redis runs it as soon as the wait ends.

Redis can wait on one list at a time, so each further queue has a thread, which waits on it in the same way, but
sends CLIENT UNBLOCK instead of the claim. So a job in that queue ends the wait on the first queue, within Redis,
and is claimed, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import lent, translated
from clock.store.server.sending import Command

UNWATCHED_SECONDS = 0.1  # how long a job may wait unseen in a queue that is not waited on
FURTHER_SECONDS = 2.0  # one wait on a further queue; its end ends the wait on the first one

logger = logging.getLogger("clock.redis")


class BlockingWait:
    """Waits on queues; Redis runs a command when the wait ends. Only one thread at a time may wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._client_id: int | None = None  # of the connection that waits
        self._is_known = threading.Event()  # not set: a wait was sent, and `_client_id` is not read yet
        self._is_known.set()
        self._further: dict[str, _FurtherQueue] = {}

    def then(self, command: Command, queues: Sequence[str], seconds: float) -> Any:
        """The answer to `command`, which Redis runs when a list of `queues` holds a job, or after `seconds`.

        The first queue costs least. If this user may not run CLIENT UNBLOCK, waits on several queues are short.
        Raises StoreUnavailable, StoreError; the command may have run then.
        """
        for queue in queues[1:]:
            if queue not in self._further:
                self._further[queue] = _FurtherQueue(self._redis, queue)
        first, further = queues[0], [self._further[queue] for queue in queues[1:]]
        if any(watcher.is_refused for watcher in further):
            seconds = min(seconds, UNWATCHED_SECONDS)
        wait: Command = ("BLMOVE", first, first, "RIGHT", "RIGHT", seconds)
        with translated(), lent(self._redis, waits=seconds) as link:
            try:
                self._is_known.clear()
                link.send_packed_command(link.pack_commands([("CLIENT", "ID"), wait, command]))
                self._client_id = _number(link)
                self._is_known.set()
                for watcher in further:
                    watcher.watch(self._client_id)
                link.read_response()
                return link.read_response()
            finally:
                self._client_id = None
                self._is_known.set()
                for watcher in further:
                    watcher.rest()

    def end(self) -> None:
        """End the wait at once, if there is one and Redis allows it. Raises StoreUnavailable, StoreError."""
        self._is_known.wait()
        waits = self._client_id
        if waits is not None:
            with translated():
                self._redis.client_unblock(waits)


class _FurtherQueue:
    """A thread that waits on one more queue. When that holds a job, Redis ends another connection's wait.

    `is_refused`: Redis refuses the command to this user, or the queue's key is not a list.
    """

    def __init__(self, redis: Redis, queue: str) -> None:
        self._redis = redis
        self._key = queue
        self._client_id: int | None = None  # of the connection whose wait this thread ends
        self._watching = threading.Event()
        self.is_refused = False
        threading.Thread(target=self._run, name=f"arrivals {queue}", daemon=True).start()

    def watch(self, client_id: int | None) -> None:
        """End the wait of that connection as soon as there is a job."""
        self._client_id = client_id
        self.is_refused = client_id is None or self.is_refused
        if not self.is_refused:
            self._watching.set()

    def rest(self) -> None:
        """Stop ending waits. A wait of this thread that is under way continues, and then ends no other wait."""
        self._watching.clear()

    def _run(self) -> None:
        while True:
            self._watching.wait()
            try:
                self._watch(self._client_id)
            except StoreError as error:  # the waiting thread gets the error itself if Redis is away
                self.is_refused = not isinstance(error, StoreUnavailable)
                logger.debug("Not waiting for jobs in another queue: %s", error)
                self._watching.clear()

    def _watch(self, client_id: int | None) -> None:
        """Wait for a job, then end the wait of `client_id`.

        If that wait has not started yet, or is over, unblocking does nothing. As the job is still queued, the next
        iteration ends the wait that has started since.
        """
        wait: Command = ("BLMOVE", self._key, self._key, "RIGHT", "RIGHT", FURTHER_SECONDS)
        with translated(), lent(self._redis, waits=FURTHER_SECONDS) as link:
            link.send_packed_command(link.pack_commands([wait, ("CLIENT", "UNBLOCK", str(client_id))]))
            link.read_response()
            link.read_response()


def _number(link: Any) -> int | None:
    """The answer to CLIENT ID, or None if this user may not run it."""
    try:
        return int(link.read_response())
    except ResponseError:
        return None
