"""The script `fire_plain` commits what `fire` would commit, or nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger import fire_arguments, ledger
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause

NOON = 1_795_521_600_000
MINUTE = 60_000
EVENTS = ("feed", "mail", "ünïcode")


def fired(
    event: str, payload: str, *, queue: str = "default", after_ms: int = NOON - 1000, **more: Any
) -> Decision:
    pushes = (Push(payload, queue),)
    made = {"pushes": pushes, "detail": {"late_ms": 3, "host": "web1"}} | more
    return Decision(event, "every minute", after_ms, after_ms + MINUTE, DecisionKind.FIRED, **made)


def committed(redis: Redis, decisions: list[Decision]) -> tuple[list[Verdict], Any]:
    """The verdicts, and what Redis holds afterwards, without the numbers of the history's entries."""
    redis.flushall()
    own = RedisLedger(redis)
    own.declare([(event, "every minute") for event in EVENTS], NOON)
    verdicts = own.commit(decisions)
    hashes = [redis.hgetall(name) for name in (keys.LEDGER_DECIDED, keys.LEDGER_COUNTED)]
    lists = {name: redis.lrange(name, 0, -1) for name in redis.scan_iter("queue:*")}
    histories = [[fields for _, fields in redis.xrange(keys.HISTORY + event)] for event in EVENTS]  # type: ignore[union-attr]
    return verdicts, (hashes, lists, redis.smembers(keys.QUEUES), histories)


def twice() -> Decision:
    return fired("feed", "second", after_ms=NOON - 1000 + MINUTE)


@pytest.mark.parametrize(
    "decisions",
    [
        [fired("feed", '{"jid":"a"}')],
        [fired(event, event) for event in EVENTS],
        [fired("feed", "first"), twice()],
        [fired("feed", "a"), fired("mail", "b", queue="low")],
        [fired("feed", "a"), fired("mail", "stale", after_ms=NOON)],
        [twice()],
        [fired("unknown", "a")],
        [fired("feed", "a"), fired("mail", "b", pushes=(Push("b", "default", 1.0),))],
    ],
)
def test_both_scripts_commit_the_same(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, decisions: list[Decision]
) -> None:
    one = committed(redis, decisions)
    monkeypatch.setattr(ledger, "plain_arguments", lambda _: None)

    assert committed(redis, decisions) == one


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
    assert fire_arguments.plain_arguments([decision]) is None
    assert fire_arguments.plain_arguments([fired("mail", "b"), decision]) is None


def _pause(redis: Redis) -> object:
    return RedisLedger(redis).pause("feed", Pause(from_ms(NOON), None))


def _hold(key: str) -> Callable[[Redis], object]:
    return lambda redis: redis.set(key, "x")


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
