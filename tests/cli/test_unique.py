import json
from collections.abc import Callable

from click.testing import Result
from redis import Redis

from clock import Job, Unique

Clock = Callable[..., Result]


class PolishShoesJob(Job):
    unique = True

    def perform(self, pair: int) -> None: ...


def test_locks_are_listed_the_oldest_first(clock: Clock, redis: Redis) -> None:
    assert clock("unique", "list").output == "No locks.\n"
    first = PolishShoesJob.perform_async(1)
    second = PolishShoesJob.set(unique=Unique(window=60)).perform_async(2)

    found = json.loads(clock("unique", "list", "--json").output)
    heading, row, *_ = clock("unique", "list").output.splitlines()

    assert {one["jid"]: one["until"] is None for one in found} == {first: True, second: False}
    assert heading.split() == ["key", "jid", "since", "until"]
    assert row.split()[:2] == [found[0]["key"], found[0]["jid"]]


def test_a_lock_is_freed_by_hand(clock: Clock, redis: Redis) -> None:
    first = PolishShoesJob.perform_async(1)
    [lock] = json.loads(clock("unique", "list", "--json").output)

    assert clock("unique", "free", lock["key"], "--yes").exit_code == 0
    assert clock("unique", "free", lock["key"], "--yes").exit_code == 1
    assert PolishShoesJob.perform_async(1) != first
