"""Jobs of firings that a lock kept out are pushed once the lock turns out to have no job."""

import threading

from redis import Redis

from clock.clocks import to_ms
from clock.store.jobs.flow.unique_locks import CHECKED_AFTER_MS, Lock
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker.kept_out import CHECK_SECONDS, MOST, KeptOut
from tests.ticker.conftest import Rounds


def firing(jid: str, holder: str = "gone", key: str = "feed") -> Decision:
    lock = Lock(key, jid, holder=holder)
    return Decision(
        "a", "daily", 0, 1000, DecisionKind.FIRED, pushes=(Push('{"jid": "x"}', "default", None, lock),)
    )


def lock_without_job(redis: Redis, clock: FakeClock, key: str = "feed") -> None:
    redis.hset("clock:unique", key, f"gone|{to_ms(clock.now()) - CHECKED_AFTER_MS}|0")


def test_a_job_that_a_lock_without_a_job_kept_out_is_pushed_at_the_next_check(redis: Redis) -> None:
    clock = Rounds(1)
    lock_without_job(redis, clock)
    kept_out = KeptOut(RedisLedger(redis), clock=clock)
    kept_out.note(firing("pushed-already", holder=""))
    kept_out.note(firing("b"))
    before = redis.llen("queue:default")

    kept_out.run(threading.Event())

    assert (before, redis.llen("queue:default")) == (0, 1)
    assert clock.waits == [CHECK_SECONDS] * 2


def test_each_job_is_checked_once_and_of_very_many_only_the_first(redis: Redis, fake_clock: FakeClock) -> None:
    checked: list[list[str]] = []

    class Ledger(RedisLedger):
        def push_kept_out(self, pushes: object, now_ms: int) -> None:
            assert isinstance(pushes, list)
            checked.append([push.lock.jid for push in pushes])

    kept_out = KeptOut(Ledger(redis), clock=fake_clock)
    for number in range(MOST + 2):
        kept_out.note(firing(str(number)))

    kept_out.check()
    kept_out.check()

    assert checked == [[str(number) for number in range(MOST)], []]
