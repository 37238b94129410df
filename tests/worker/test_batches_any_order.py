"""Batches under any order of pushes, ends, crashes and repairs: the real scripts, step by step, and a model."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from clock.clocks import to_ms
from clock.inspection.doctor.deep import children_finding, correct_children
from clock.inspection.doctor.finding import Grade
from clock.store import keys, repairs
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches, unique_locks
from clock.store.jobs.flow.unique_locks import Lock, LockedPush
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.store.jobs.results import Ending
from tests.examples import examples

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW_MS = to_ms(NOW)
BIDS = ("a", "b", "c")  # c is in b
EVENTS = ("complete", "success", "death")
Where = Literal["schedule", "retry"]
bids, places, workers = st.sampled_from(BIDS), st.integers(0, 2), st.sampled_from(["w1", "w2"])


def payload(jid: str, bid: str, following: str | None = None) -> str:
    then = None
    if following:
        text = json.dumps({"class": "C", "args": [], "jid": following, "queue": "q", "bid": bid})
        then = {"payload": text, "jid": following, "bid": bid}
    return json.dumps(
        {"class": "C", "args": [], "jid": jid, "queue": "q", "bid": bid, **({"then": then} if then else {})}
    )


class Batches(RuleBasedStateMachine):
    """`ended` is how each child has ended: done or failed; a child that runs again is removed from it."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis = redis
        redis.flushdb()
        self.workers = {name: InProgress(redis, name) for name in ("w1", "w2")}
        self.opened: dict[str, bool] = {}  # bid -> sealed
        self.children: dict[str, set[str]] = {}
        self.ended: dict[str, str] = {}
        self.fired: Counter[tuple[str, str]] = Counter()
        self.pushed: Counter[tuple[str, str]] = Counter()
        self.last: Any = None  # the latest acknowledgement, which a lost answer repeats

    # what the opener does

    @initialize()
    def begin(self) -> None:
        """A world in which all steps have something to do: else few examples reach the rare ones."""
        for bid in ("a", "b"):
            self.open(bid)
            for place in range(2):
                self.push(bid, place, later=False, then=False)
        self.seal("a")
        self.claim("w1", 3)

    @rule(bid=bids)
    def open(self, bid: str) -> None:
        parent = "b" if bid == "c" else None
        if parent and (parent not in self.opened or self.is_done(parent)) and bid not in self.opened:
            return
        callbacks = {event: json.dumps({"class": "Callback", "args": [bid, event]}) for event in EVENTS}
        batches.open_batch(self.redis, bid, batches.Batch(callbacks=callbacks, parent=parent), now=NOW)
        if bid not in self.opened:
            self.opened[bid] = False
            self.children[bid] = set()
            if parent:
                self.children[parent].add(f"@{bid}")
        self.settle()

    @rule(bid=bids, place=places, later=st.booleans(), then=st.booleans())
    def push(self, bid: str, place: int, later: bool, then: bool) -> None:
        jid = f"{bid}{place}"
        lock = Lock("", jid, bid=bid)
        text = payload(jid, bid, f"{jid}-then" if then else None)
        unique_locks.push(self.redis, [LockedPush(lock, "q", text, 1.0 if later else None)], now_ms=NOW_MS)
        accepted = bid in self.opened and not self.is_done(bid)
        if accepted:
            self.children[bid].add(jid)

    @rule(bid=bids)
    def seal(self, bid: str) -> None:
        batches.seal(self.redis, bid, now=NOW)
        if bid in self.opened:
            self.opened[bid] = True
        self.settle()

    # what workers do

    @rule(worker=workers, count=st.integers(1, 3))
    def claim(self, worker: str, count: int) -> None:
        self.workers[worker].claim(["q"], count, done=(), now=NOW, expires_seconds=60.0)

    @rule(worker=workers, with_claim=st.booleans())
    def finish(self, worker: str, with_claim: bool) -> None:
        own = self.workers[worker]
        for job in own.all()[:1]:
            if with_claim:
                claim = partial(own.claim, ["q"], 0, done=[job.number], frees=[(job.number, "", "")])
                self.last = partial(claim, now=NOW, expires_seconds=60.0)
            else:
                self.last = partial(own.finish, job, Ending(how="done"), now=NOW)
            self.last()
            self.end(job.payload, "done")

    @rule(worker=workers, how=st.sampled_from(["retry", "dead", "dropped", "cancelled", ""]))
    def set_aside(self, worker: str, how: str) -> None:
        own = self.workers[worker]
        for job in own.all()[:1]:
            where = {"retry": keys.RETRY, "dead": keys.DEAD, "": keys.SCHEDULE}.get(how, "")
            ending = Ending(how=how if how not in ("retry", "") else "")
            text = job.payload.decode()
            self.last = partial(own.set_aside, job, text, where=where, score=1.0, now=NOW, ending=ending)
            self.last()
            if ending.how:
                self.end(job.payload, how)

    @rule()
    def repeat(self) -> None:
        """The answer to the latest acknowledgement was lost."""
        if self.last:
            self.last()

    def is_busy(self) -> bool:
        return any(worker.all() for worker in self.workers.values())

    @precondition(is_busy)
    @rule(dies=st.booleans(), only_one=st.booleans())
    def crash(self, dies: bool, only_one: bool) -> None:
        worker = next(name for name, worker in self.workers.items() if worker.all())
        own = self.workers[worker]
        jobs = own.all()[: 1 if only_one else None]
        own.put_back([self.left_by(job, dies) for job in jobs])
        self.last = None
        for job in jobs if dies else ():
            self.end(job.payload, "dead")

    def left_by(self, job: Claimed, dies: bool) -> Move:
        return Move(job, "dead", NOW.timestamp(), job.payload) if dies else Move(job, "queue", "q", job.payload)

    # what people and other programs do

    @rule(where=st.sampled_from(["schedule", "retry", "dead", "dead"]))
    def release(self, where: str) -> None:
        rows = self.members(where)
        Delayed(self.redis).release(where, [(row, "q", row) for row in rows])
        self.revive(rows if where == "dead" else [])

    @rule()
    def reschedule_dead(self) -> None:
        rows = self.members("dead")
        repairs.schedule_dead(self.redis, rows, 1.0)
        self.revive(rows)

    @rule(where=st.sampled_from(["schedule", "retry"]), kills=st.booleans(), clears=st.booleans())
    def remove(self, where: str, kills: bool, clears: bool) -> None:
        rows = self.members(where)[: None if clears else 1]
        if kills:
            repairs.bury(self.redis, where, rows, 1.0)
        elif clears:
            repairs.clear_waiting(self.redis, where)
        else:
            repairs.remove_waiting(self.redis, where, rows)
        for row in rows:
            self.end(row, "dead" if kills else "deleted")

    @rule(clears=st.booleans())
    def remove_queued(self, clears: bool) -> None:
        rows = self.queued()[: None if clears else 1]
        if clears:
            repairs.clear_queue(self.redis, "q")
        else:
            repairs.remove_queued(self.redis, "q", rows)
        for row in rows:
            self.end(row, "deleted")

    @rule()
    def other_program_removes(self) -> None:
        """Then the deep check finds each lost job, and corrects it."""
        rows = [*self.queued(), *self.members("schedule")]
        self.redis.delete("queue:q", "schedule")
        known = [row for row in rows if self.is_known(row)]
        grade = children_finding(self.redis, NOW).grade
        assert (grade is Grade.GOOD) == (not known)
        assert correct_children(self.redis, NOW) == len(known)
        for row in rows:
            self.end(row, "lost")

    # the model

    def is_known(self, row: bytes) -> bool:
        job = json.loads(row)
        return job["jid"] in self.children.get(job["bid"], ())

    def end(self, row: bytes, how: str) -> None:
        job = json.loads(row)
        if how == "done" and job.get("then"):
            following = job["then"]["jid"]
            if self.is_known(row):
                self.children[job["bid"]].add(following)
        if not self.is_known(row) or self.ended.get(job["jid"]) == "done":
            return
        self.ended[job["jid"]] = "done" if how == "done" else "failed"
        if how == "dead":
            for bid in (job["bid"], "b") if job["bid"] == "c" else (job["bid"],):
                self.fired[bid, "death"] = 1
        self.settle()

    def revive(self, rows: list[bytes]) -> None:
        for row in rows:
            self.ended.pop(json.loads(row)["jid"], None)

    def pending(self, bid: str) -> set[str]:
        return {jid for jid in self.children[bid] if self.state(jid) is None}

    def state(self, jid: str) -> str | None:
        if not jid.startswith("@"):
            return self.ended.get(jid)
        if not self.opened[jid[1:]] or self.pending(jid[1:]):
            return None
        return "done" if all(self.state(one) == "done" for one in self.children[jid[1:]]) else "failed"

    def is_done(self, bid: str) -> bool:
        return (bid, "complete") in self.fired and not self.pending(bid)

    def settle(self) -> None:
        for bid in ("c", "b", "a"):
            if self.opened.get(bid) and not self.pending(bid):
                self.fired[bid, "complete"] = 1
                if all(self.state(jid) == "done" for jid in self.children[bid]):
                    self.fired[bid, "success"] = 1

    # what is in Redis

    def members(self, where: str) -> list[bytes]:
        self.take_callbacks()
        rows: Any = self.redis.zrange(where, 0, -1)
        return list(rows)

    def queued(self) -> list[bytes]:
        rows: Any = self.redis.lrange("queue:q", 0, -1)
        return list(rows)[::-1]

    def take_callbacks(self) -> None:
        """A worker runs the callbacks at once."""
        rows: Any = self.redis.zrange("schedule", 0, -1)
        for row in rows:
            job = json.loads(row)
            if job["class"] == "Callback":
                self.redis.zrem("schedule", row)
                self.pushed[tuple(job["args"])] += 1

    def living(self) -> Iterator[dict[str, Any]]:
        rows = [*self.queued(), *self.members("schedule"), *self.members("retry")]
        for worker in self.workers.values():
            rows += [job.payload for job in worker.all()]
        yield from map(json.loads, rows)

    @invariant()
    def each_callback_is_pushed_once_and_when_it_is_due(self) -> None:
        self.take_callbacks()
        assert self.pushed == self.fired

    @invariant()
    def the_pending_jobs_are_the_living_jobs(self) -> None:
        living = {
            (job["bid"], job["jid"]) for job in self.living() if job["jid"] in self.children.get(job["bid"], ())
        }
        pending = {(bid, jid) for _, bid, jid in batches.pending(self.redis)}
        assert pending == living

    def teardown(self) -> None:
        """No batch is stuck: when all jobs have run, each batch is done."""
        for bid in self.opened:
            self.seal(bid)
        for _ in range(3):  # as far as a job follows another one
            for where in ("schedule", "retry"):
                self.release(where)
            for worker in self.workers:
                self.claim(worker, 100)
                while self.workers[worker].all():
                    self.finish(worker, with_claim=True)
        self.each_callback_is_pushed_once_and_when_it_is_due()
        for bid in self.opened:
            assert (bid, "complete") in self.pushed
            stored = batches.read(self.redis, bid)
            assert stored is not None
            assert stored.state == "done"


@pytest.mark.slow
def test_batches_keep_their_rules_under_any_order_of_steps(redis: Redis) -> None:
    health = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        lambda: Batches(redis),  # type: ignore[arg-type]  # a factory is accepted, too
        settings=settings(
            max_examples=examples(60), stateful_step_count=30, deadline=None, suppress_health_check=health
        ),
    )
