"""The duties of a worker with each heartbeat. If one fails, the others still run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clock.clocks import Clock
from clock.errors import StoreUnavailable
from clock.problems import ENTRY_SECONDS, Problems
from clock.store import Redis
from clock.store.wrong_type import wrong_keys


class Duties:
    """Does its duties one after the other, and names keys of a wrong type in the log once a minute."""

    def __init__(
        self,
        redis: Redis,
        duties: Mapping[str, Callable[[], object]],
        *,
        problems: Problems,
        clock: Clock,
    ) -> None:
        self._redis = redis
        named = {**duties, "keys": self._name_wrong_keys}
        self._duties = [(problems.part(name), duty) for name, duty in named.items()]
        self._problems = problems
        self._clock = clock
        self._named_at = float("-inf")  # monotonic

    def do(self) -> None:
        """Do each duty once. Raises StoreUnavailable."""
        for part, duty in self._duties:
            try:
                duty()
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # a key of a wrong type, or a bug: the other duties go on
                part.failed(error)
            else:
                part.works()

    def _name_wrong_keys(self) -> None:
        now = self._clock.monotonic()
        if now - self._named_at < ENTRY_SECONDS:
            return
        self._named_at = now
        for wrong in wrong_keys(self._redis):
            self._problems.entry("In Redis, %s: another program wrote it; rename or delete it", wrong)
