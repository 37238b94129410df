"""Checks what a clock or a worker needs from Redis before it is used.

A refused command, or a key of a wrong type, shows when it is used. Some are used once a day, or at the next start.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from redis import Redis

from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable
from clock.problems import Problem, Problems
from clock.store.server.checks.permissions import Command, Permissions
from clock.store.wrong_type import wrong_keys_among

LOOK_SECONDS = 3.0  # an ERROR line is due within 5 s


class SelfCheck:
    """Reports commands that this user may not run, and keys that hold another type, as problems of the process."""

    def __init__(
        self,
        redis: Redis,
        commands: Sequence[Command],
        names: Collection[str] = (),
        *,
        clock: Clock,
        problems: Problems,
    ) -> None:
        self._redis = redis
        self._needed = Permissions(redis, commands)
        self._names = names
        self._clock = clock
        self._permissions, self._types = problems.part("permissions"), problems.part("keys")

    def look(self) -> None:
        """Look once. If Redis does not answer, the parts that need it report that."""
        try:
            self._needed.check()
            wrong = wrong_keys_among(self._redis, self._names)
        except StoreUnavailable:
            return
        except StoreError as error:
            self._permissions.failed(error)
            return
        self._permissions.works()
        self._types.found(
            *(
                Problem("wrong_type", f"In Redis, {key}. Another program wrote it: rename or delete it.")
                for key in wrong
            )
        )

    def run(self, stop: threading.Event) -> None:
        """Look every `LOOK_SECONDS` until `stop` is set."""
        while not self._clock.wait(stop, LOOK_SECONDS):
            self.look()
