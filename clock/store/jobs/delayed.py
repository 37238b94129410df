"""Jobs that wait for their time (`schedule`, `retry`), and those parked until a worker knows their class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from redis import Redis

from clock.errors import StoreError
from clock.printable import shortened_list
from clock.problems import Problems
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.jobs.flow.batches import BatchErrors
from clock.store.jobs.queues import list_size
from clock.store.jobs.steps import PageSize, in_steps
from clock.store.scripts import run
from clock.store.server.connection import has_left, translated
from clock.store.wrong_type import readings

MOST_NAMED = 5  # keys in one error

WAITING = (keys.RETRY, keys.SCHEDULE, keys.FREED)
LOOK_SECONDS = 0.5  # how often a worker looks at least: other programs do not publish their jobs
STUCK_SECONDS = 60.0  # a job that cannot be moved is tried again after so long


class CannotEnqueue(StoreError):
    """Some jobs cannot move, because the keys of their queues have a wrong type."""

    def __init__(self, moved: int, wrong: Iterable[bytes]) -> None:
        super().__init__()
        self.moved = moved
        self.keys = sorted({text(key) for key in wrong})

    def __str__(self) -> str:
        return (
            "jobs cannot be moved to their queues, because these keys are not lists (WRONGTYPE): "
            f"{shortened_list(list(map(repr, self.keys)), MOST_NAMED)}. Another program wrote them; delete them."
        )


class Delayed:
    """The sorted sets of delayed jobs, and the lists of parked ones. Its methods raise StoreUnavailable."""

    def __init__(self, redis: Redis, problems: Problems | None = None) -> None:
        self._redis = redis
        self._page = PageSize()
        self._batch_errors = BatchErrors(redis, problems)

    def due(self, where: str, now: float) -> list[bytes]:
        """Some payloads due at `now` (float seconds), `STEP_JOBS` at most, the earliest first."""
        with translated():
            found: Any = self._redis.zrangebyscore(where, "-inf", now, start=0, num=self._page.jobs)
        self._page.note(found)
        return list(found)

    def release(
        self, where: str, jobs: Sequence[tuple[bytes, str, str | bytes]], *, again: float | None = None
    ) -> int:
        """Move (member, queue, new payload) to their queues; how many were moved.

        Jobs of `keys.FREED` go to the front, the first one to be taken next.
        `again` is the score (float seconds) at which a job that cannot be moved is tried again. For such jobs,
        raises CannotEnqueue after the others have been moved.
        """
        moved, wrong = 0, set[bytes]()
        is_freed = where == keys.FREED
        for step in in_steps(jobs[::-1] if is_freed else jobs, lambda job: 2 * len(job[0])):
            revives = "living" if where == keys.DEAD else ""
            args = ["" if again is None else again, revives, "RPUSH" if is_freed else "LPUSH"]
            names = [where, keys.QUEUES, *keys.BATCH_KEYS, *(keys.queue(queue) for _, queue, _ in step)]
            count, not_lists, error = run(self._redis, "release", names, [*args, *chain.from_iterable(step)])
            self._batch_errors.report(error)
            moved += int(count)
            wrong |= set(not_lists)
        if wrong:
            raise CannotEnqueue(moved, wrong)
        return moved

    def first_due(self) -> dict[str, float]:
        """The due time of each set's first job in float seconds: inf if it is empty, -inf if its type is wrong."""
        firsts = readings(
            self._redis, lambda pipe: [pipe.zrange(where, 0, 0, withscores=True) for where in WAITING]
        )
        return {where: _score(first) for where, first in zip(WAITING, firsts, strict=True)}

    def parked_classes(self) -> list[str]:
        """The names of classes of which jobs are parked."""
        with translated():
            names: Any = self._redis.smembers(keys.PARKED)
        return sorted(map(text, names))

    def count_parked(self, class_name: str) -> int:
        """How many jobs of a class are parked."""
        return list_size(self._redis, keys.PARKED_JOBS + class_name)

    def parked(self, class_name: str) -> list[bytes]:
        """Some parked payloads of a class, `STEP_JOBS` at most, the oldest last."""
        with translated():
            found: Any = self._redis.lrange(keys.PARKED_JOBS + class_name, -self._page.jobs, -1)
        self._page.note(found)
        return list(found)

    def unpark(self, class_name: str, jobs: Sequence[tuple[bytes, str]]) -> int:
        """Move parked jobs of a class, as (payload, queue), the oldest last, to their queues. Returns how many.

        Raises CannotEnqueue after moving the others if some queue's key is not a list.
        """
        names = [keys.PARKED_JOBS + class_name, keys.PARKED, keys.QUEUES]
        names += [keys.queue(queue) for _, queue in jobs]
        moved, wrong = run(self._redis, "unpark", names, [class_name, *chain.from_iterable(jobs)])
        if wrong:
            raise CannotEnqueue(int(moved), wrong)
        return int(moved)


def _score(first: list[tuple[bytes, float]] | None) -> float:
    """The score in an answer of ZRANGE."""
    if first is None:
        return -math.inf
    return float(first[0][1]) if first else math.inf


def earliest(firsts: Mapping[str, float]) -> float:
    """The due time of the first job of all sets, from the answer of `first_due`; inf if all are empty."""
    return min((due for due in firsts.values() if due != -math.inf), default=math.inf)


class Nearer:
    """Notifications about delayed jobs that are due before the next check. It holds its own connection."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._words: Any = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # untyped there

    def wait(self, seconds: float) -> None:
        """Return when there is word, after `seconds` at the latest. Raises StoreUnavailable."""
        if has_left(self._redis, self._words.connection):
            self._words.reset()
        try:
            with translated():
                if not self._words.subscribed:
                    self._words.subscribe(keys.NEARER)
                    self._words.get_message(timeout=None)  # that it has subscribed
                self._words.get_message(timeout=seconds)
        except StoreError:
            self._words.reset()
            raise
