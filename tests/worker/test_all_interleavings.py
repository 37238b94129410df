"""All interleavings of the calls of three workers with two jobs, and a crash after any call.

Each script of Redis is atomic, so the calls of the workers are the steps. The real scripts run on a real server.
The search goes through the states breadth first: each state is written to Redis, one call is made, and the state
after it is read and checked. So it tries every order of calls up to a depth, and in a long run
(`CLOCK_EXAMPLES=many`) every state that can be reached. Both jobs share a limit of one and a batch; one is unique,
and another job follows it.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.store import keys, scripts
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches, unique_locks
from clock.store.jobs.flow.unique_locks import Lock, LockedPush
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.store.jobs.results import Ending
from tests.examples import ARE_MANY
from tests.limited import by_limits

CALLS = 100_000 if ARE_MANY else 3_000  # of one search, at most
WORKERS = ("w0", "w1", "w2")
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
LATE = NOW + timedelta(minutes=5)  # all heartbeats have expired
LOCK = ("LockedJob:1", "a")
RULES = {"limits": [{"name": "one", "max": 1}]}
THEN = {"payload": json.dumps({"class": "Then", "args": ["then"]}), "jid": "c"}
JOBS: dict[str, dict[str, Any]] = {
    "a": {**RULES, "jid": "a", "class": "A", "args": [], "bid": "batch", "unique": {"key": LOCK[0]}, "then": THEN},
    "b": {**RULES, "jid": "b", "class": "B", "args": [], "bid": "batch"},
}
NOT_STATE = ("stat:", keys.OVERLAPS)  # counters, which only grow

READ = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind, rows = redis.call('TYPE', key).ok, nil
  if kind == 'list' then rows = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'zset' then rows = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'hash' then rows = redis.call('HGETALL', key)
  elseif kind == 'set' then rows = redis.call('SMEMBERS', key)
  else rows = { redis.call('GET', key) } end
  found[#found + 1] = { key, kind, rows }
end
return found"""
WRITE = """
redis.call('FLUSHDB')
local at = 1
while at < #ARGV do
  local key, kind, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local rows = { unpack(ARGV, at + 3, at + 2 + count) }
  if kind == 'list' then redis.call('RPUSH', key, unpack(rows))
  elseif kind == 'zset' then for i = 1, #rows, 2 do redis.call('ZADD', key, rows[i + 1], rows[i]) end
  elseif kind == 'hash' then redis.call('HSET', key, unpack(rows))
  elseif kind == 'set' then redis.call('SADD', key, unpack(rows))
  else redis.call('SET', key, rows[1]) end
  at = at + 3 + count
end"""

Key = tuple[bytes, bytes, tuple[bytes, ...]]


class Memory(NamedTuple):
    """What a worker knows: the jobs that it runs."""

    held: tuple[Claimed, ...] = ()
    lives: bool = True
    has_started: bool = False


class State(NamedTuple):
    """A state of Redis and of the workers, how jobs have ended, and what was pushed: callbacks, and `then`."""

    redis: tuple[Key, ...]
    workers: tuple[Memory, ...]
    ended: frozenset[tuple[str, str]] = frozenset()
    pushed: tuple[str, ...] = ()

    def rows(self, key: str) -> tuple[bytes, ...]:
        return next((rows for name, _, rows in self.redis if name == key.encode()), ())

    def hash_of(self, key: str) -> dict[bytes, bytes]:
        rows = self.rows(key)
        return dict(zip(rows[::2], rows[1::2], strict=True))


class Search:
    """Tries the calls in each state that was found. Raises AssertionError with the calls that led to a fault."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.workers = [InProgress(redis, name) for name in WORKERS]
        self._read = redis.register_script(READ)
        self._write = redis.register_script(WRITE)
        self.calls = self.depth = 0
        self.is_complete = False

    def run(self, most: int) -> None:
        first = self.beginning()
        check(first)
        seen = {first}
        todo: deque[tuple[State, tuple[str, ...]]] = deque([(first, ("start",))])
        while todo:
            state, path = todo.popleft()
            self.depth = len(path)
            for name, call in self.possible(state):
                if self.calls >= most:
                    return
                found = self.after(state, call)
                try:
                    check(found)
                except AssertionError as error:
                    raise AssertionError(f"after {', '.join((*path, name))}: {error}") from error
                if found not in seen:
                    seen.add(found)
                    todo.append((found, (*path, name)))
        self.is_complete = True

    def beginning(self) -> State:
        self.redis.flushdb()
        callbacks = {
            event: json.dumps({"class": "Callback", "args": [event]}) for event in ("complete", "success", "death")
        }
        batches.open_batch(self.redis, "batch", batches.Batch(callbacks=callbacks), now=NOW)
        locks = {"a": Lock(*LOCK, bid="batch"), "b": Lock("", "b", bid="batch")}
        # The limits of one payload are found by its start, those of the other by reading it.
        texts = {"a": json.dumps(JOBS["a"], separators=(",", ":")), "b": json.dumps(JOBS["b"])}
        pushes = [LockedPush(locks[jid], "q", text, None) for jid, text in texts.items()]
        unique_locks.push(self.redis, pushes, now_ms=to_ms(NOW))
        batches.seal(self.redis, "batch", now=NOW)
        return self.read(State((), (Memory(),) * len(WORKERS)))

    def read(self, state: State) -> State:
        """The state with what Redis holds now. A worker runs callbacks at once."""
        pushed = list(state.pushed)
        rows: Any = self.redis.zrange(keys.SCHEDULE, 0, -1)
        for row in rows:
            self.redis.zrem(keys.SCHEDULE, row)
            pushed.append(str(json.loads(row)["args"][0]))
        if not self.redis.exists(keys.BLOCKED, keys.FREED):
            self.redis.delete(keys.LIMIT_TURN)
        found: Any = self._read()
        return state._replace(
            redis=tuple(sorted(canonical(*one) for one in found if not one[0].decode().startswith(NOT_STATE))),
            pushed=tuple(sorted(pushed)),
        )

    def after(self, state: State, call: Callable[[State], State]) -> State:
        self.calls += 1
        words: list[bytes | int] = []
        for key, kind, rows in state.redis:
            words += [key, kind, len(rows), *rows]
        self._write(args=list(words))
        return self.read(call(state))

    def possible(self, state: State) -> Iterator[tuple[str, Callable[[State], State]]]:
        """The calls that may come next. Workers are alike, so the second one starts after the first."""
        if state.rows(keys.RETRY) or state.rows(keys.FREED):
            yield "release", self.release
        for who, memory in enumerate(state.workers):
            name = WORKERS[who]
            if memory.lives and (who == 0 or state.workers[who - 1].has_started):
                yield from self._of_worker(who, memory)
            if state.rows(keys.IN_PROGRESS + name):
                yield f"{name} is declared dead", partial(self.recover, who, "queue")
                yield f"{name} is declared dead for the third time", partial(self.recover, who, "dead")

    def _of_worker(self, who: int, memory: Memory) -> Iterator[tuple[str, Callable[[State], State]]]:
        name = WORKERS[who]
        if len(memory.held) < 2:
            yield f"{name} claims", partial(self.claim, who, 1, False, False)
        if memory.held:
            yield f"{name} acknowledges", partial(self.claim, who, 0, True, False)
            yield f"{name} acknowledges, the answer is lost", partial(self.claim, who, 0, True, True)
            yield f"{name} acknowledges and claims", partial(self.claim, who, 1, True, False)
            yield f"{name} finishes", partial(self.finish, who)
            for how in ("retry", "dead", "dropped"):
                yield f"{name} fails: {how}", partial(self.fail, who, how)
            yield f"{name} stops", partial(self.put_back, who)
            yield f"{name} crashes", partial(self.crash, who)

    # the calls

    def claim(self, who: int, most: int, acknowledges: bool, is_lost: bool, state: State) -> State:
        worker, memory = self.workers[who], state.workers[who]
        done = memory.held if acknowledges else ()
        entries = state.hash_of(keys.IN_PROGRESS + WORKERS[who])
        used = {job.number for job in memory.held} | {int(number) for number in entries}
        worker._next_number = min({1, 2, 3, 4, 5} - used)
        frees = [(job.number, "", "") for job in done]
        frees += [(job.number, *LOCK) for job in done if jid(job.payload) == "a"]
        found = worker.claim(
            ["q"],
            most,
            done=(),
            frees=frees,
            limited=by_limits(done),
            now=NOW,
            expires_seconds=60.0,
        )
        ended = {(jid(job.payload), "done") for job in done if str(job.number).encode() in entries}
        kept = memory.held if is_lost or not acknowledges else ()
        return changed(state, who, Memory((*kept, *found), has_started=True), ended)

    def finish(self, who: int, state: State) -> State:
        job, *rest = state.workers[who].held
        was = self.workers[who].finish(job, Ending(None, lock_of(job), "done"), now=NOW)
        return changed(
            state, who, Memory(tuple(rest), has_started=True), {(jid(job.payload), "done")} if was else ()
        )

    def fail(self, who: int, how: str, state: State) -> State:
        job, *rest = state.workers[who].held
        ends = how != "retry"
        was = self.workers[who].set_aside(
            job,
            job.payload.decode(),
            where={"retry": keys.RETRY, "dead": keys.DEAD}.get(how, ""),
            score=NOW.timestamp(),
            now=NOW,
            ending=Ending(None, lock_of(job), how) if ends else Ending(),
        )
        ended_now = {(jid(job.payload), how)} if was and ends else ()
        return changed(state, who, Memory(tuple(rest), has_started=True), ended_now)

    def put_back(self, who: int, state: State) -> State:
        held = state.workers[who].held
        self.workers[who].put_back(Move(job, "queue", "q", job.payload) for job in held)
        return changed(state, who, Memory(has_started=True), ())

    def crash(self, who: int, state: State) -> State:
        return changed(state, who, Memory(lives=False, has_started=True), ())

    def recover(self, who: int, where: Literal["queue", "dead"], state: State) -> State:
        """Another worker puts the jobs back; this one may live, and run on."""
        jobs = self.workers[who].all()
        moves = [
            Move(job, "queue", "q", job.payload)
            if where == "queue"
            else Move(job, "dead", NOW.timestamp(), job.payload, lock=lock_of(job))
            for job in jobs
        ]
        self.workers[who].put_back(moves, if_dead_at=LATE)
        ended = {(jid(job.payload), "dead") for job in jobs if where == "dead"}
        return changed(state, who, state.workers[who], ended)

    def release(self, state: State) -> State:
        delayed = Delayed(self.redis)
        for where in (keys.RETRY, keys.FREED):
            delayed.release(where, [(row, "q", row) for row in delayed.due(where, NOW.timestamp())])
        return state


def canonical(key: bytes, kind: bytes, rows: list[bytes]) -> Key:
    if kind == b"set":
        rows = sorted(rows)
    elif kind == b"hash":
        rows = [word for pair in sorted(zip(rows[::2], rows[1::2], strict=True)) for word in pair]
    return key, kind, tuple(rows)


def changed(state: State, who: int, memory: Memory, ended: Any) -> State:
    workers = (*state.workers[:who], memory, *state.workers[who + 1 :])
    return state._replace(workers=workers, ended=state.ended | frozenset(ended))


def jid(payload: bytes) -> str:
    return str(json.loads(payload)["jid"])


def lock_of(job: Claimed) -> tuple[str, str] | None:
    return LOCK if jid(job.payload) == "a" else None


# the invariants


def check(state: State) -> None:
    living = places(state)
    check_jobs(state, living)
    check_limit(state, living)
    check_lock(state, living)
    check_batch(state, living)


def places(state: State) -> dict[str, list[str]]:
    """Where each job that has not ended is."""
    found: dict[str, list[str]] = {}

    def add(payload: bytes, place: str) -> None:
        found.setdefault(jid(payload), []).append(place)

    for row in state.rows("queue:q"):
        add(row, "queue")
    for key in (keys.RETRY, keys.FREED):
        for row in state.rows(key)[::2]:
            add(row, key)
    for member in state.rows(keys.BLOCKED)[::2]:
        add(member.split(b"\n", 3)[3], keys.BLOCKED)
    for name in WORKERS:
        for number, entry in state.hash_of(keys.IN_PROGRESS + name).items():
            add(entry.partition(b"\n")[2], f"{name}#{number.decode()}")
    return found


def check_jobs(state: State, living: dict[str, list[str]]) -> None:
    doubled = {job: where for job, where in living.items() if len(where) > 1}
    assert not doubled, f"in two places: {doubled}"
    ended = Counter(job for job, _ in state.ended)
    assert Counter(living.keys()) + ended == Counter(JOBS.keys()), f"lost, or alive again: {living}, {ended}"
    dead = {jid(row) for row in state.rows(keys.DEAD)[::2]}
    assert dead == {job for job, how in state.ended if how == "dead"}, f"dead: {dead}"


def check_limit(state: State, living: dict[str, list[str]]) -> None:
    holders = [member.decode() for member in state.rows(keys.LIMIT_HOLDERS)[::2]]
    in_progress = [holder.split("\v")[1:] for holder in holders if "\v" in holder]
    held = {worker: int(count) for worker, count in in_progress}
    kept = [holder.partition("\n")[2].partition("|")[0] for holder in holders if "\n" in holder]
    assert sum(held.values()) + len(kept) <= 1, f"over the limit: {holders}"
    running = Counter(where[0].partition("#")[0] for where in living.values() if "#" in where[0])
    assert held == running, f"{held} places are held, {running} run"
    reserved = {one.decode() for one in state.rows(keys.LIMIT_RESERVED)[::2]}
    assert set(kept) == reserved, f"{kept} have their place, reserved: {reserved}"
    waiting = {job for job, where in living.items() if where[0] in ("queue", keys.FREED)}
    assert reserved <= waiting, f"a place is kept for {reserved}, but these wait: {waiting}"
    freed = {job for job, where in living.items() if where[0] == keys.FREED}
    assert freed <= reserved, f"{freed} have no place"
    assert holders or not state.rows(keys.BLOCKED), "a job is blocked while the limit has a free place"


def check_lock(state: State, living: dict[str, list[str]]) -> None:
    held = {key.decode() for key in state.hash_of(keys.UNIQUE)}
    assert held == ({LOCK[0]} if "a" in living else set()), f"locks: {held}"


def check_batch(state: State, living: dict[str, list[str]]) -> None:
    pending = {row.decode().split("/")[2] for row in state.rows(keys.BATCH_CHILDREN)[::2] if b"/p/" in row}
    assert pending == living.keys(), f"pending: {pending}"
    how = dict(state.ended)
    expected = ["death"] * ("dead" in how.values()) + ["then"] * (how.get("a") == "done")
    if not living:
        expected += ["complete"] + ["success"] * (set(how.values()) == {"done"})
    assert list(state.pushed) == sorted(expected), f"pushed: {state.pushed}, not {expected}"


@pytest.mark.slow
def test_no_interleaving_with_a_crash_breaks_an_invariant(redis: Redis) -> None:
    search = Search(redis)

    search.run(CALLS)

    assert search.is_complete or search.calls == CALLS
    assert search.depth >= 4


#: A bug: the text of a script or of its parts, and the text with the bug.
BUGS = {
    "a limit takes one job too many": ("seen.count >= (seen.max", "seen.count > (seen.max"),
    "a place outlives its job": ("seen.own, seen.count = own, seen.count - (seen.own - own)", ""),
    "a place is not written": ("in_chunks(new, function(...) redis.pcall('ZADD', K.holders, ...) end)", ""),
    "a place is not handed over": ("for name in pairs(ended) do", "for name in pairs({}) do"),
    "a place is kept after its job has started": ("redis.pcall('ZREM', K.reserved, jid) ~= 1", "false"),
    "a blocked job is lost": ("return is_moved(K, K.blocked, 0, member, now, {})", "return true"),
    "a job is put back and stays in progress": ("redis.call('HDEL', KEYS[1], field)", "local _ = field"),
    "a job that is no longer in progress is moved": ("if not entry then return 0 end", "entry = entry or ''"),
    "a failed job keeps its lock": ("if ARGV[6] ~= '' then free_lock", "if false then free_lock"),
    "a job that is declared dead keeps its lock": (
        "if ARGV[at + 4] ~= '' then free_lock",
        "if false then free_lock",
    ),
    "the end of a child is not noted": (
        "end_child(keys, bid, job.jid,",
        "do return end end_child(keys, bid, job.jid,",
    ),
    "a callback is pushed twice": ("if batch.fired[event] then return end", ""),
    "a batch succeeds with a failed child": ("if failed == 0 then\n", "if true then\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(BUGS))
def test_the_search_finds_a_bug(redis: Redis, monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    right, wrong = BUGS[bug]
    read = scripts.source
    assert any(right in read(name) for name in scripts.scripts())
    monkeypatch.setattr(scripts, "source", lambda name: read(name).replace(right, wrong))
    search = Search(redis)

    with pytest.raises(AssertionError, match="after start"):
        search.run(20_000)
