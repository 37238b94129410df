"""A use of every script, as the code of clock calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from redis import Redis

from clock.clocks import from_ms
from clock.store import repairs
from clock.store.jobs.dead import DEFAULT_LIMITS, trim
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches, limit_holders, rates, unique_locks
from clock.store.jobs.flow.batches import Batch, Correction
from clock.store.jobs.flow.unique_locks import Lock, LockedPush
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.job_search import JobSearch
from clock.store.jobs.moves import Claimed, Move
from clock.store.jobs.results import Ending, Kept
from clock.store.jobs.scanning import START, set_step
from clock.store.jobs.shard_claims import ShardClaims
from clock.store.jobs.worker_register import WorkerRegister
from clock.store.ledger import history, schedules
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause
from clock.store.moving import move_key
from clock.store.server.checks import permissions

NOON = 1_795_521_600_000
WEEK = 8 * 24 * 3600 * 1000
JOB = json.dumps({"class": "SomeJob", "args": [], "jid": "j1", "queue": "default"})


def _decisions() -> list[Decision]:
    def decision(event: str, queue: str, at: float | None = None) -> Decision:
        return Decision(
            event,
            "every second",
            NOON - 1000,
            NOON,
            DecisionKind.FIRED,
            pushes=[Push(JOB, queue, at, Lock(f"SomeJob:{event}", "j1", 1000))],
            watched=["j1"],
            counted=str(NOON),
            joins=True,
        )

    return [decision("a", "default"), decision("b", "low"), decision("c", "default", NOON / 1000)]


def _fire(redis: Redis) -> None:
    ledger = RedisLedger(redis, release="r", rank=1)
    ledger.declare([(name, "every second") for name in "abc"], NOON)
    ledger.pause("a", Pause(from_ms(0), from_ms(1)))
    missed = Decision("a", "every second", NOON, NOON + 1000, DecisionKind.MISSED)
    assert [int(verdict) for verdict in ledger.commit([*_decisions(), missed])] == [1, 1, 1, 1]


def _fire_plain(redis: Redis) -> None:
    ledger = RedisLedger(redis, release="r", rank=1)
    ledger.declare([("a", "every second")], NOON)
    ledger.pause("a", Pause(from_ms(0), from_ms(1)))
    fired = Decision("a", "every second", NOON - 1000, NOON, DecisionKind.FIRED, pushes=[Push(JOB, "low")])
    published = Publication("a", NOON + 1000)
    assert ledger.commit([fired], published) == [1]
    assert published.before == (None, 0)


def _orphan(redis: Redis) -> None:
    _fire(redis)
    RedisLedger(redis).orphan(["a"], NOON)
    RedisLedger(redis).orphan(["a"], NOON + WEEK)
    assert sorted(redis.scan_iter("clock:*:b")) == []


def _rename(redis: Redis) -> None:
    _fire(redis)
    history.add_outcome(redis, "a", "j1", {"outcome": "done", "at": 0, "took_ms": 1}, ended=False)
    RedisLedger(redis).declare([("new", "every second")], NOON, was={"new": ["a"]})
    assert redis.exists("clock:history:new") == 1


def _set_schedule(redis: Redis) -> None:
    version = schedules.put(redis, "hourly", {"every": "1 hour"}, {"class": "SomeJob"}, 0)
    assert schedules.delete(redis, "hourly", version)


def _forget(redis: Redis) -> None:
    _fire(redis)
    RedisLedger(redis).orphan([], NOON)
    assert repairs.forget_event(redis, "a")


def _claimed(redis: Redis) -> tuple[InProgress, list[Claimed]]:
    redis.lpush("queue:default", *[JOB] * 6)
    own = InProgress(redis, "me")
    jobs = own.claim(["default", "low"], 6, done=(), now=from_ms(NOON), expires_seconds=60.0)
    assert len(jobs) == 6
    return own, jobs


def _claim(redis: Redis) -> None:
    own, jobs = _claimed(redis)
    own.claim(["default"], 1, done=[job.number for job in jobs], now=from_ms(NOON), expires_seconds=60.0)
    assert not redis.exists("clock:in_progress:me")
    _claim_limited(redis)


def _set_aside(redis: Redis) -> None:
    own, (job, *_) = _claimed(redis)
    assert own.set_aside(job, JOB, where="retry", score=NOON / 1000, now=from_ms(NOON))


def _save_position(redis: Redis) -> None:
    own, (job, *_) = _claimed(redis)
    unique = Lock("SomeJob:2", "j2", window_ms=1, bid="b")
    pushes = [Push(JOB, "low"), Push(JOB, "low", NOON / 1000), Push(JOB, "low", lock=unique)]
    assert own.save_position(job, JOB, pushes, now=from_ms(NOON))


def _finish(redis: Redis) -> None:
    own, (job, *_) = _claimed(redis)
    assert own.finish(
        job, Ending(Kept("j1", 1000, {"status": "done"}), ("SomeJob:1", "j1"), "done"), now=from_ms(NOON)
    )


def _push_unique(redis: Redis) -> None:
    pushes = [LockedPush(Lock("SomeJob:1", "j1", window_ms=1), "default", JOB, at) for at in (None, NOON / 1000)]
    unique_locks.push(redis, pushes, now_ms=NOON)
    unique_locks.push(redis, pushes, now_ms=NOON + 10)


def _free_unique(redis: Redis) -> None:
    _push_unique(redis)
    unique_locks.free(redis, [("SomeJob:1", "j1")])


def _begin_unique(redis: Redis) -> None:
    own, (job, *_) = _claimed(redis)
    assert own.begin_unique(job, ("SomeJob:1", "j1"), until_start=True)


def _hold_rates(redis: Redis) -> None:
    assert InProgress(redis, "me").hold_rates("j1", ["mail"], 1.0, now=from_ms(NOON)) > 0


def _forget_rates(redis: Redis) -> None:
    _blocked(redis)
    assert rates.forget(redis, within=0, now_ms=2 * NOON) == (rates.START, 2)
    assert redis.zcard("clock:rate_starts") == 0


def _blocked(redis: Redis) -> tuple[InProgress, list[Claimed]]:
    """Jobs with a limit and a rate: one in progress, the others blocked, or in their slots."""
    rate = {"name": "mail", "count": 2, "per": 60_000, "weight": 1, "window": True}
    rules = {"limits": [{"name": "crm", "max": 1}], "rates": [rate, {**rate, "name": "all", "window": False}]}
    rows = [json.dumps({"class": "SomeJob", "args": [], "jid": f"j{n}", **rules}) for n in range(6)]
    redis.lpush("queue:default", *rows[:4])
    redis.lpush("queue:low", *rows[4:])
    own = InProgress(redis, "me")
    jobs = own.claim(["default", "low"], 6, done=(), now=from_ms(NOON), expires_seconds=60.0)
    assert len(jobs) == 1
    assert redis.zcard("clock:blocked") == 5
    return own, jobs


def _claim_limited(redis: Redis) -> None:
    own, [job] = _blocked(redis)

    def claim(*done: int) -> list[Claimed]:
        return own.claim(
            ["default"], 2, done=(), limited={b"": list(done)}, now=from_ms(NOON), expires_seconds=60.0
        )

    [second] = claim(job.number)
    assert claim(second.number, 99) == []
    assert redis.get("clock:limit_overlaps") == b"1"
    assert redis.zcard("schedule") == 1
    delayed = Delayed(redis)
    [freed] = delayed.due("clock:freed", NOON)
    assert delayed.release("clock:freed", [(freed, "low", JOB)]) == 1


def _free_holders(redis: Redis) -> None:
    _blocked(redis)
    redis.delete("clock:in_progress:me")
    gone = limit_holders.lost(redis, limit_holders.holders(redis), now=from_ms(NOON), within=1.0)
    assert limit_holders.remove(redis, gone, ["crm"]) == (1, 1)


def _count_places(redis: Redis) -> None:
    _blocked(redis)
    redis.zadd("clock:limit_holders", {"crm\vme\v3": 0})
    [holder] = limit_holders.miscounted(redis, list(limit_holders.holders(redis))[:1])
    assert (holder.jobs, holder.found) == (4, 1)
    assert limit_holders.remove(redis, [holder], []) == (3, 0)


def _set_limit(redis: Redis) -> None:
    _blocked(redis)
    assert limit_holders.set_maximum(redis, "crm", 3) == 2
    assert limit_holders.set_maximum(redis, "crm", None) == 0


def _move_key(redis: Redis) -> None:
    redis.zadd("retry", {"old": 1})
    redis.zadd("{other}:retry", {"new": 2})
    assert move_key(redis, "retry", source=None, target="other")
    assert redis.zcard("{other}:retry") == 2


def _put_back(redis: Redis) -> None:
    own, (first, second, third, *_) = _claimed(redis)
    moves = [Move(first, "queue", "low", JOB), Move(second, "dead", 1.0, JOB), Move(third, "parked", "C", JOB)]
    assert own.put_back(moves) == 3


def _release(redis: Redis) -> None:
    redis.zadd("schedule", {JOB: 1})
    assert Delayed(redis).release("schedule", [(JOB.encode(), "other", JOB)]) == 1


def _unpark(redis: Redis) -> None:
    redis.lpush("clock:parked:C", JOB)
    assert Delayed(redis).unpark("C", [(JOB.encode(), "other")]) == 1


def _bury_worker(redis: Redis) -> None:
    redis.zadd("clock:workers", {"me": 1})
    assert WorkerRegister(redis).forget("me", from_ms(NOON))


def _look_for_jobs(redis: Redis) -> None:
    _fire(redis)
    redis.zadd("clock:workers", {"me": 1})
    redis.sadd("processes", "another")
    redis.sadd("clock:parked", "C")
    search = JobSearch(redis)
    search.want(b"missing", (NOON, NOON))
    search.want(b"j1", (NOON, NOON))
    assert b"j1" in dict(search.go_on(NOON))


def _look_through(redis: Redis) -> None:
    redis.zadd("retry", {JOB: 1})
    assert set_step(redis, "retry", START, ["SomeJob"], "lowest").read == 1


def _bury(redis: Redis) -> None:
    redis.zadd("retry", {JOB: 1})
    assert repairs.bury(redis, "retry", [JOB.encode()], 2.0) == 1


def _batch(redis: Redis) -> None:
    assert batches.open_batch(redis, "parent", Batch(), now=from_ms(NOON)) == "new"
    callbacks: dict[str, str] = {"complete": JOB, "death": JOB}
    assert batches.open_batch(redis, "b", Batch(callbacks=callbacks, parent="parent"), now=from_ms(NOON)) == "new"
    child = json.dumps({"class": "SomeJob", "args": [], "jid": "j1", "queue": "default", "bid": "b"})
    unique_locks.push(redis, [LockedPush(Lock("", "j1", bid="b"), "default", child, None)], now_ms=NOON)
    assert batches.seal(redis, "b", now=from_ms(NOON)) == "open"
    assert batches.correct(redis, [Correction("b", "j1", "SomeJob", "lost")], now=from_ms(NOON)) == 1
    assert batches.correct(redis, [Correction("b", "j1", "SomeJob", "living")], now=from_ms(NOON)) == 1
    assert repairs.bury(redis, "schedule", [child.encode()], 1.0) == 0
    assert repairs.remove_queued(redis, "default", [child.encode()]) == 1
    assert batches.seal(redis, "parent", now=from_ms(NOON)) == "open"
    assert batches.open_batch(redis, "c", Batch(), now=from_ms(2 * NOON)) == "new"


def _remove_waiting(redis: Redis) -> None:
    redis.zadd("retry", {JOB: 1, "{}": 2})
    assert repairs.remove_waiting(redis, "retry", [JOB.encode()]) == 1
    assert repairs.clear_waiting(redis, "retry") == 1


def _trim_dead(redis: Redis) -> None:
    redis.zadd("dead", {JOB: 1})
    assert trim(redis, DEFAULT_LIMITS, NOON / 1000).by_age == 1


def _remove_from_queue(redis: Redis) -> None:
    redis.lpush("queue:default", JOB)
    assert repairs.remove_queued(redis, "default", [JOB.encode()]) == 1


def _clear_queue(redis: Redis) -> None:
    redis.lpush("queue:default", JOB)
    assert repairs.clear_queue(redis, "default") == 1


def _refused(redis: Redis) -> None:
    assert permissions.Permissions(redis, [("TIME",)]).refused() == []


def _lease(redis: Redis) -> None:
    lease = Lease(redis, identity="me", release="r", rank=1)
    assert lease.take(1).holder == "me"
    lease.give_back()


def _claim_shard(redis: Redis) -> None:
    assert ShardClaims(redis, "me", ["default"], expires_ms=1000).claim() == 0


#: Script -> a function that runs it, on an empty Redis.
USES: Mapping[str, Callable[[Redis], None]] = {
    "set_schedule": _set_schedule,
    "bury": _bury,
    "bury_worker": _bury_worker,
    "begin_unique": _begin_unique,
    "claim": _claim,
    "claim_shard": _claim_shard,
    "finish": _finish,
    "free_unique": _free_unique,
    "free_holders": _free_holders,
    "count_places": _count_places,
    "forget_rates": _forget_rates,
    "hold_rates": _hold_rates,
    "set_limit": _set_limit,
    "push_unique": _push_unique,
    "save_position": _save_position,
    "clear_queue": _clear_queue,
    "correct_children": _batch,
    "open_batch": _batch,
    "remove_waiting": _remove_waiting,
    "seal_batch": _batch,
    "declare": _fire,
    "fire": _fire,
    "fire_plain": _fire_plain,
    "forget_event": _forget,
    "lease": _lease,
    "look_for_jobs": _look_for_jobs,
    "look_through": _look_through,
    "move_key": _move_key,
    "note_outcome": _rename,
    "orphan": _orphan,
    "put_back": _put_back,
    "refused": _refused,
    "release": _release,
    "remove_from_queue": _remove_from_queue,
    "rename": _rename,
    "set_aside": _set_aside,
    "step_down": _lease,
    "trim_dead": _trim_dead,
    "unpark": _unpark,
}
