"""Random orders of everything that moves jobs with limits and rates, with crashes, against the invariants.

The real scripts run on a real server. After each step: no limit has more holders than its maximum, every holder
has its job, no job is lost or doubled, and no job is blocked while its limits have free places.
`test_all_interleavings.py` shows that bugs in the scripts are found.
"""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from clock.clocks import to_ms
from clock.store import keys, repairs
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.store.server import connection
from tests.examples import examples
from tests.limited import by_limits, violations

QUEUES = ("default", "low")
LIMITS: dict[str, Any] = {
    "one": [{"name": "a", "max": 1}],
    "two": [{"name": "b", "max": 2}],
    "both": [{"name": "a", "max": 1}, {"name": "b", "max": 2}],
    "five": [{"name": "c", "max": 5}],
    "none": [],
}
RATES: dict[str, Any] = {
    "free": [],
    "bucket": [{"name": "r", "count": 2, "per": 10_000, "weight": 1}],
    "four": [{"name": "f", "count": 4, "per": 10_000, "weight": 1}],
    "window": [{"name": "w", "count": 2, "per": 10_000, "weight": 1, "window": True}],
}
MAXIMA = {"a": 1, "b": 2, "c": 5}


class Worker:
    """A worker: what it holds, by what it knows."""

    def __init__(self, redis: Redis, number: int) -> None:
        self.identity = f"host:{number}:abc"
        self.in_progress = InProgress(redis, self.identity, counts_by_redis_time=False)
        self.held: list[Claimed] = []


class Orders(RuleBasedStateMachine):
    """Three workers, two queues, and the jobs that they move."""

    def __init__(self) -> None:
        super().__init__()
        self.redis = connection.default()
        self.redis.flushdb()
        self.now = datetime(2026, 11, 24, 6, tzinfo=UTC)
        self.count = self.started = 0
        self.workers = [self._hired() for _ in range(3)]
        self.ended: set[str] = set()
        self.maxima = dict(MAXIMA)
        self.before = dict.fromkeys(MAXIMA, 0)
        self.window: list[float] = []

    def _hired(self) -> Worker:
        self.started += 1
        return Worker(self.redis, self.started)

    @rule(
        limit=st.sampled_from(sorted(LIMITS)),
        rate=st.sampled_from(["free", "free", *sorted(RATES)]),
        queue=st.sampled_from(QUEUES),
        many=st.integers(1, 7),
    )
    def push(self, limit: str, rate: str, queue: str, many: int) -> None:
        for _ in range(many):
            self.count += 1
            row = {"class": "SomeJob", "args": [], "jid": f"j{self.count}", "queue": queue}
            rules = {"limits": LIMITS[limit], "rates": RATES[rate]} if limit != "none" or rate != "free" else {}
            self.redis.sadd("queues", queue)
            compact = (",", ":") if self.count % 3 else None  # as our own payloads, and as those of other programs
            self.redis.lpush(f"queue:{queue}", json.dumps({**rules, **row}, separators=compact))

    @rule(who=st.integers(0, 2), most=st.integers(1, 7), ends=st.integers(0, 3), both=st.booleans())
    def claim(self, who: int, most: int, ends: int, both: bool) -> None:
        worker = self.workers[who]
        done, worker.held = worker.held[:ends], worker.held[ends:]
        limited, others = by_limits(done), [job.number for job in done if job.limits is None]
        queues = QUEUES if both else QUEUES[who % 2 :][:1]
        claimed = worker.in_progress.claim(
            queues, most, done=others, limited=limited, now=self.now, expires_seconds=60.0
        )
        self.ended |= {jid(job.payload) for job in done}
        worker.held += claimed
        self.window += [to_ms(self.now)] * sum(b'"window"' in job.payload for job in claimed)

    @rule(who=st.integers(0, 2), where=st.sampled_from(["retry", "dead", ""]))
    def fail(self, who: int, where: str) -> None:
        worker = self.workers[who]
        if worker.held:
            job = worker.held.pop(0)
            text = job.payload.decode()
            assert worker.in_progress.set_aside(job, text, where=where, score=self.now.timestamp(), now=self.now)
            self.ended |= {jid(job.payload)} if where != "retry" else set()

    @rule(who=st.integers(0, 2))
    def put_back(self, who: int) -> None:
        worker = self.workers[who]
        worker.in_progress.put_back(Move(job, "queue", job.queue, job.payload) for job in worker.held)
        worker.held = []

    @rule(who=st.integers(0, 2))
    def crash(self, who: int) -> None:
        """Kill a worker, which the others find later."""
        self.redis.zadd(keys.WORKERS, {self.workers[who].identity: 1})
        self.workers[who] = self._hired()

    @rule()
    def recover(self) -> None:
        found: Any = self.redis.zrangebyscore(keys.WORKERS, 1, 1)
        for name in found:
            in_progress = InProgress(self.redis, name.decode())
            for step in in_progress.left():
                in_progress.put_back(Move(job, "queue", job.queue, job.payload) for job, _ in step)
            self.redis.zrem(keys.WORKERS, name)

    @rule(seconds=st.integers(1, 15))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def release(self) -> None:
        delayed = Delayed(self.redis)
        for where in (keys.RETRY, keys.SCHEDULE, keys.FREED):
            due = delayed.due(where, self.now.timestamp())
            delayed.release(where, [(member, json.loads(member)["queue"], member) for member in due])

    @rule(name=st.sampled_from(["a", "b"]), maximum=st.sampled_from([0, 1, 3, None]))
    def set_maximum(self, name: str, maximum: int | None) -> None:
        limit_holders.set_maximum(self.redis, name, maximum)
        self.maxima[name] = MAXIMA[name] if maximum is None else maximum

    @rule(queue=st.sampled_from(QUEUES))
    def clear(self, queue: str) -> None:
        """Another program removes a queue. The next check of the holders finds out."""
        gone = [jid(row) for row in rows(self.redis, f"queue:{queue}")]
        self.redis.delete(f"queue:{queue}")
        self._removed(gone)

    @precondition(lambda self: self.redis.zcard(keys.BLOCKED) > 0)
    @rule()
    def delete_blocked(self) -> None:
        first = limit_holders.blocked(self.redis, limit_holders.blocked_names(self.redis)[0], 1)[0]
        assert repairs.remove_waiting(self.redis, keys.BLOCKED, [first.member]) == 1
        self.ended.add(jid(first.payload))

    @rule(who=st.integers(0, 2))
    def lose(self, who: int) -> None:
        """Another program deletes a worker's jobs in progress."""
        worker = self.workers[who]
        gone = [jid(job.payload) for job in worker.held]
        self.redis.delete(keys.IN_PROGRESS + worker.identity)
        worker.held = []
        self._removed(gone)

    def _removed(self, jids: list[str]) -> None:
        self.ended |= set(jids)
        self.redis.delete(keys.LIMITS_CHECKED)
        late = datetime.now(UTC) + timedelta(days=900)
        limit_holders.heal(self.redis, now=late)
        self._forget_the_lost(late)

    def _forget_the_lost(self, late: datetime) -> None:
        """While no job is blocked nothing needs to be healed; do it anyway, for the invariants."""
        gone = limit_holders.lost(self.redis, limit_holders.holders(self.redis), now=late, within=2.0)
        limit_holders.remove(self.redis, gone, limit_holders.blocked_names(self.redis))

    @invariant()
    def no_job_is_lost_or_doubled(self) -> None:
        found = Counter(jid(payload) for payload in everywhere(self.redis))
        expected = {f"j{n}" for n in range(1, self.count + 1)} - self.ended
        assert found == Counter(expected)

    @invariant()
    def every_holder_counts_once_and_has_its_job(self) -> None:
        assert violations(self.redis) == []

    @invariant()
    def no_limit_gets_more_holders_than_its_maximum(self) -> None:
        for name, (held, _) in zip(MAXIMA, limit_holders.counts(self.redis, list(MAXIMA)), strict=True):
            assert held <= max(self.maxima[name], self.before[name])
            self.before[name] = held

    @invariant()
    def no_window_has_more_starts(self) -> None:
        self.window = self.window[-20:]
        for first, third in zip(self.window, self.window[2:], strict=False):
            assert third - first >= 10_000


def jid(payload: bytes) -> str:
    return str(json.loads(payload)["jid"])


def rows(redis: Redis, key: str) -> list[bytes]:
    found: Any = redis.lrange(key, 0, -1) if key.startswith("queue:") else redis.zrange(key, 0, -1)
    return list(found)


def everywhere(redis: Redis) -> list[bytes]:
    found = [row for queue in QUEUES for row in rows(redis, f"queue:{queue}")]
    for key in (keys.SCHEDULE, keys.RETRY, keys.FREED):
        found += rows(redis, key)
    found += [member.split(b"\n", 3)[3] for member in rows(redis, keys.BLOCKED)]
    for key in redis.scan_iter(f"{keys.IN_PROGRESS}*"):
        held: Any = redis.hvals(key)
        found += [entry.partition(b"\n")[2] for entry in held]
    return found


def explore(count: int, steps: int) -> None:
    run_state_machine_as_test(
        Orders,
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),
        ),
    )


@pytest.mark.usefixtures("redis")
def test_no_order_of_operations_breaks_a_limit() -> None:
    explore(examples(12), steps=30)
