"""The script `fire_plain` commits what `fire` would commit, or nothing. No error of them pushes a job twice."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace
from redis import Redis
from redis.exceptions import ResponseError

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger.decision import Decision, DecisionKind, Verdict, fire_arguments, plain_arguments
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.history import HISTORY_LENGTH
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause
from clock.store.scripts import script, source

NOON = 1_795_521_600_000
MINUTE = 60_000
EVENTS = ("feed", "mail", "ünïcode")


def fired(
    event: str, payload: str, *, queue: str = "default", after_ms: int = NOON - 1000, **more: Any
) -> Decision:
    pushes = (Push(payload, queue),)
    made = {"pushes": pushes, "detail": {"late_ms": 3, "host": "web1"}} | more
    return Decision(event, "every minute", after_ms, after_ms + MINUTE, DecisionKind.FIRED, **made)


def state(redis: Redis) -> dict[bytes, Any]:
    """What Redis holds, without the numbers of the histories' entries."""
    found: dict[bytes, Any] = {}
    for key in redis.scan_iter():
        kind = redis.type(key)
        if kind == b"hash":
            found[key] = redis.hgetall(key)
        elif kind == b"list":
            found[key] = redis.lrange(key, 0, -1)
        elif kind == b"set":
            found[key] = redis.smembers(key)
        elif kind == b"stream":
            found[key] = [fields for _, fields in redis.xrange(key)]  # type: ignore[union-attr]
        else:
            found[key] = kind
    return found


def start(redis: Redis, spoil: Callable[[Redis], object]) -> dict[bytes, Any]:
    """Declare the events in an empty Redis and spoil it. Returns what it holds."""
    redis.flushall()
    RedisLedger(redis).declare([(event, "every minute") for event in EVENTS], NOON)
    spoil(redis)
    return state(redis)


def run_plain(redis: Redis, decisions: list[Decision]) -> Any:
    """The reply of `fire_plain`; None: it refused the decisions or failed."""
    plain = plain_arguments(decisions)
    assert plain is not None
    args = [HISTORY_LENGTH, "", 0, *plain.arguments, "", ""]
    with suppress(ResponseError):
        return script("fire_plain")(plain.keys, args, redis)
    return None


def run_any(redis: Redis, decisions: list[Decision]) -> Any:
    """The reply of `fire`; None: it failed."""
    every = fire_arguments(decisions)
    with suppress(ResponseError):
        return script("fire")(every.keys, [HISTORY_LENGTH, "", 0, *every.arguments, NOON], redis)
    return None


def compare(
    redis: Redis, user: Redis, decisions: list[Decision], spoil: Callable[[Redis], object] = lambda _: None
) -> bool:
    """Whether `fire_plain` commits the decisions. Asserts that it has the effect of `fire` then, and none else."""
    before = start(redis, spoil)
    reply = run_plain(user, decisions)
    after = state(redis)
    if reply is None:
        assert after == before
        return False
    assert start(redis, spoil) == before
    assert run_any(user, decisions) == [[1] * len(decisions), reply[0], []]
    assert state(redis) == after
    return True


def _pause(redis: Redis) -> object:
    return RedisLedger(redis).pause("feed", Pause(from_ms(NOON), None))


def _pause_of_the_past(redis: Redis) -> object:
    return RedisLedger(redis).pause("feed", Pause(from_ms(0), from_ms(1)))


def _hold(key: str, kind: str = "string") -> Callable[[Redis], object]:
    """A function that makes the key one of another type."""

    def hold(redis: Redis) -> object:
        redis.delete(key)
        if kind == "string":
            return redis.set(key, "x")
        return redis.lpush(key, "x") if kind == "list" else redis.sadd(key, "x")

    return hold


def twice() -> Decision:
    return fired("feed", "second", after_ms=NOON - 1000 + MINUTE)


ALL = [fired(event, event) for event in EVENTS]
KEYS = sorted({*fire_arguments(ALL).keys, keys.NEXT_DUE})


@pytest.mark.parametrize(
    ("decisions", "is_committed"),
    [
        ([fired("feed", '{"jid":"a"}')], True),
        (ALL, True),
        ([fired("feed", "first"), twice()], True),
        ([fired("feed", "a"), fired("mail", "stale", after_ms=NOON)], False),
        ([twice()], False),
        ([fired("unknown", "a")], False),
        ([replace(fired("feed", "a"), due_ms=NOON - 1000)], False),
        ([fired("feed", "a"), replace(twice(), due_ms=twice().after_ms)], False),
    ],
)
def test_valid_decisions_are_committed_as_by_the_other_script(
    redis: Redis, decisions: list[Decision], is_committed: bool
) -> None:
    assert compare(redis, redis, decisions) is is_committed


def _commands() -> list[str]:
    both = source("fire") + source("fire_plain")
    return sorted({name.lower() for name in re.findall(r"redis\.p?call\('([A-Z]+)'", both)})


@pytest.mark.usefixtures("needs_redis_7")
@pytest.mark.parametrize("command", _commands())
def test_with_a_refused_command_the_effect_is_that_of_the_other_script_and_no_job_is_pushed_twice(
    redis: Redis, limited: Callable[[str], Redis], command: str
) -> None:
    user = limited(command)
    for spoil in (lambda _: None, _hold(keys.HISTORY + "feed"), _pause_of_the_past):
        compare(redis, user, ALL, spoil)
        start(redis, spoil)
        for _ in range(3):
            with suppress(StoreError):
                RedisLedger(user).commit(ALL)
        assert redis.llen("queue:default") in (0, 3)


@pytest.mark.parametrize("kind", ["string", "list", "set"])
@pytest.mark.parametrize("key", KEYS)
def test_with_a_key_of_a_wrong_type_the_effect_is_that_of_the_other_script_and_no_job_is_pushed_twice(
    redis: Redis, key: str, kind: str
) -> None:
    spoil = _hold(key, kind)
    compare(redis, redis, ALL, spoil)
    start(redis, spoil)
    before = redis.llen("queue:default") if redis.type("queue:default") == b"list" else 0
    for _ in range(3):
        with suppress(StoreError):
            RedisLedger(redis).commit(ALL)
    if redis.type("queue:default") == b"list":
        assert redis.llen("queue:default") - before in (0, 3)


@pytest.mark.parametrize(
    "decision",
    [
        fired("feed", "a", pushes=()),
        fired("feed", "a", pushes=(Push("a", "default"), Push("b", "default"))),
        fired("feed", "a", pushes=(Push("a", "default", 1.0),)),
        fired("feed", "a", pushes=(Push("a", "default", None, Lock("key", "jid", 1)),)),
        fired("feed", "a", watched=["a"]),
        fired("feed", "a", counted="1"),
        fired("feed", "a", joins=True),
        Decision("feed", "", NOON, NOON, DecisionKind.MANUAL, pushes=(Push("a", "default"),)),
    ],
)
def test_a_decision_that_needs_more_than_a_push_is_not_plain(decision: Decision) -> None:
    assert plain_arguments([decision]) is None
    assert plain_arguments([fired("mail", "b"), decision]) is None


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [
        (_pause, Verdict.PAUSED),
        (_hold("queue:default"), Verdict.WRONG_TYPE),
        (_hold(keys.QUEUES), Verdict.WRONG_TYPE),
        (_hold(keys.PAUSED), Verdict.COMMITTED),
        (_hold(keys.HISTORY + "feed"), Verdict.COMMITTED),
        (_hold(keys.NEXT_DUE), Verdict.COMMITTED),
    ],
)
def test_invalid_contents_and_pauses_get_the_verdict_of_the_other_script(
    redis: Redis, spoil: Callable[[Redis], object], verdict: Verdict
) -> None:
    own = RedisLedger(redis)
    own.declare([("feed", "every minute")], NOON)
    spoil(redis)
    published = Publication("feed", NOON + 2 * MINUTE)

    assert own.commit([fired("feed", "a")], published) == [verdict]


def test_a_marker_is_published_with_a_commit_and_only_with_one(redis: Redis) -> None:
    own = RedisLedger(redis)
    own.declare([("feed", "every minute")], NOON)
    own.mark_next_due("feed", NOON)
    with_a_commit = Publication("feed", NOON + 2 * MINUTE)
    refused = Publication("feed", NOON + 3 * MINUTE)

    own.commit([fired("feed", "a")], with_a_commit)
    own.commit([fired("feed", "a")], refused)

    assert with_a_commit.before == ("feed", NOON)
    assert refused.before is None
    assert own.mark_next_due("feed", 0) == ("feed", NOON + 2 * MINUTE)


MIXED = [
    fired("feed", "later", pushes=(Push("later", "default", NOON / 1000),)),
    fired("mail", "now"),
    fired("ünïcode", "alone", pushes=(Push("alone", "default", None, Lock("key", "alone", 1, "replace")),)),
]


def jobs_of_three_commits(redis: Redis, user: Redis) -> list[bytes]:
    """The jobs that workers get if `MIXED` is committed three times, and delayed jobs are due at once."""
    found: list[bytes] = []
    for _ in range(3):
        with suppress(StoreError):
            RedisLedger(user).commit(MIXED)
        if redis.type("schedule") == b"zset":
            due: Any = redis.zrange("schedule", 0, -1)
            found += due
            redis.delete("schedule")
    waiting: Any = redis.lrange("queue:default", 0, -1) if redis.type("queue:default") == b"list" else []
    return [*found, *waiting]


@pytest.mark.usefixtures("needs_redis_7")
@pytest.mark.parametrize("command", sorted({*_commands(), "zrangebyscore", "zrem", "hdel", "hget"}))
def test_with_a_refused_command_delayed_and_unique_jobs_are_pushed_once(
    redis: Redis, limited: Callable[[str], Redis], command: str
) -> None:
    user = limited(command)
    start(redis, _pause_of_the_past)

    found = jobs_of_three_commits(redis, user)

    assert len(found) == len(set(found))


@pytest.mark.parametrize("key", fire_arguments(MIXED).keys)
def test_with_a_key_of_a_wrong_type_delayed_and_unique_jobs_are_pushed_once(redis: Redis, key: str) -> None:
    start(redis, _hold(key, "string"))

    found = jobs_of_three_commits(redis, redis)

    assert len(found) == len(set(found))


def test_a_backfilled_run_is_not_noted_as_done_if_a_later_run_fails(redis: Redis) -> None:
    runs = [
        Decision("feed", "", due, due, DecisionKind.BACKFILLED, {"at": NOON}, (Push(jid, "default", None, lock),))
        for due, jid in ((NOON, "first"), (NOON + MINUTE, "second"))
        for lock in [Lock("key", jid, 1, "replace")]
    ]
    start(redis, _hold(keys.REPLACED))
    with pytest.raises(StoreError):
        RedisLedger(redis).commit(runs)
    redis.delete(keys.REPLACED)

    assert RedisLedger(redis).commit(runs) == [Verdict.COMMITTED] * 2
    assert redis.lrange("queue:default", 0, -1) == [b"second", b"first"]
