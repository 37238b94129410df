import json

import pytest
from redis import Redis

from clock.store import keys
from clock.store.holding import Push
from clock.store.ledger import Decision, Entry, RedisLedger, Verdict

NOON = 1_795_521_600_000
MINUTE = 60_000


@pytest.fixture
def ledger(redis: Redis) -> RedisLedger:
    return RedisLedger(redis)


def declare(ledger: RedisLedger, declaration: str = "every minute", now_ms: int = NOON) -> Entry:
    [entry] = ledger.declare([("feed", declaration)], now_ms)
    return entry


def decision(due_ms: int, *pushes: Push, declaration: str = "every minute") -> Decision:
    return Decision("feed", declaration, due_ms, "fired", {"late_ms": 3}, pushes)


def test_an_event_seen_for_the_first_time_may_be_due_at_its_anchor(ledger: RedisLedger) -> None:
    assert declare(ledger) == Entry(anchor_ms=NOON, decided_ms=NOON - 1000)


def test_an_event_seen_again_keeps_its_entry(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + MINUTE)])

    assert declare(ledger, now_ms=NOON + 5 * MINUTE) == Entry(NOON, NOON + MINUTE)


def test_a_changed_declaration_begins_anew_and_owes_nothing(ledger: RedisLedger) -> None:
    declare(ledger)

    entry = declare(ledger, "every hour", now_ms=NOON + MINUTE)

    assert entry == Entry(anchor_ms=NOON + MINUTE, decided_ms=NOON + MINUTE)


def test_more_events_than_one_call_takes_keep_their_order(ledger: RedisLedger) -> None:
    names = [f"event {number}" for number in range(1201)]
    ledger.declare([(name, "daily") for name in names[:600]], NOON)

    entries = ledger.declare([(name, "daily") for name in names], NOON + MINUTE)

    assert [entry.anchor_ms for entry in entries] == [NOON] * 600 + [NOON + MINUTE] * 601


def test_a_due_instant_is_committed_once_with_its_jobs(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    due = decision(NOON + MINUTE, Push('{"jid":"a"}', "low"), Push('{"jid":"b"}', "low"))

    first, second = ledger.commit([due]), ledger.commit([due])

    assert (first, second) == ([Verdict.COMMITTED], [Verdict.DECIDED_ALREADY])
    assert redis.lrange("queue:low", 0, -1) == [b'{"jid":"b"}', b'{"jid":"a"}']
    assert redis.smembers("queues") == {b"low"}


def test_a_delayed_job_goes_to_the_schedule_with_its_instant(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)

    ledger.commit([decision(NOON + MINUTE, Push("{}", "low", at=1795521699.25))])

    assert redis.zrange("schedule", 0, -1, withscores=True) == [(b"{}", 1795521699.25)]
    assert not redis.exists("queue:low", "queues")


def test_an_earlier_instant_than_the_last_decided_one_is_refused(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + 2 * MINUTE)])

    assert ledger.commit([decision(NOON + MINUTE)]) == [Verdict.DECIDED_ALREADY]


def test_a_clock_with_an_outdated_declaration_commits_nothing(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    declare(ledger, "every hour")

    assert ledger.commit([decision(NOON + MINUTE, Push("{}", "low"))]) == [Verdict.DECIDED_ALREADY]
    assert not redis.exists("queue:low")


@pytest.mark.parametrize(
    ("key", "push"),
    [
        ("queue:low", Push("{}", "low")),
        ("queues", Push("{}", "low")),
        ("schedule", Push("{}", "low", at=1.0)),
    ],
)
def test_a_key_of_another_type_leaves_the_instant_undecided(
    ledger: RedisLedger, redis: Redis, key: str, push: Push
) -> None:
    declare(ledger)
    redis.set(key, "in the way")
    due = decision(NOON + MINUTE, Push("{}", "fine"), push)

    assert ledger.commit([due]) == [Verdict.WRONG_TYPE]
    assert not redis.exists("queue:fine")
    redis.delete(key)
    assert ledger.commit([due]) == [Verdict.COMMITTED]


def test_the_history_tells_each_decision_newest_first(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + MINUTE), decision(NOON + 2 * MINUTE)])

    assert list(ledger.history("feed")) == [
        {"decision": "fired", "due": NOON + 2 * MINUTE, "late_ms": 3},
        {"decision": "fired", "due": NOON + MINUTE, "late_ms": 3},
    ]


def test_a_firing_by_hand_is_in_the_history_and_not_in_the_ledger(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)

    ledger.commit([Decision("feed", "", NOON + 7, "manual", {}, [Push("{}", "low")])])

    assert redis.llen("queue:low") == 1
    assert declare(ledger) == Entry(NOON, NOON - 1000)
    assert [entry["decision"] for entry in ledger.history("feed")] == ["manual"]


def test_names_and_payloads_survive_whatever_they_contain(ledger: RedisLedger, redis: Redis) -> None:
    name, payload = 'Prüfung "täglich"\n%s', json.dumps({"args": ["ß\\", 2**70]}, ensure_ascii=False)
    ledger.declare([(name, "ä")], NOON)

    ledger.commit([Decision(name, "ä", NOON, "fired", {}, [Push(payload, "low")])])

    assert redis.lindex("queue:low", 0) == payload.encode()
    assert redis.hget(keys.LEDGER_DECIDED, name) == str(NOON).encode()
