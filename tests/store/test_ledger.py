import json

import pytest
from redis import ConnectionPool, Redis

from clock.clocks import from_ms
from clock.errors import Outranked, StoreError
from clock.store import keys, listing
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger import event_rows, history, next_due, pauses
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.entry import Entry, Origin
from clock.store.ledger.held_pushes import HeldBatch, Push
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Lateness, Publication
from clock.store.ledger.pauses import Pause
from clock.store.repairs import forget_event

NOON = 1_795_521_600_000
DAY = 86_400_000
MINUTE = 60_000


@pytest.fixture
def ledger(redis: Redis) -> RedisLedger:
    return RedisLedger(redis)


def declare(ledger: RedisLedger, declaration: str = "every minute", now_ms: int = NOON) -> Entry:
    [entry] = ledger.declare([("feed", declaration)], now_ms)
    return entry


def decision(due_ms: int, *pushes: Push, after_ms: int = NOON - 1000) -> Decision:
    return Decision("feed", "every minute", after_ms, due_ms, DecisionKind.FIRED, {"late_ms": 3}, pushes)


def test_an_event_seen_for_the_first_time_may_be_due_at_its_anchor(ledger: RedisLedger) -> None:
    entry = declare(ledger)

    assert entry == Entry(anchor_ms=NOON, decided_ms=NOON - 1000)
    assert entry.previous is None


def test_an_event_that_was_due_at_its_anchor_has_a_previous_due_instant(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON)])

    assert declare(ledger).previous == from_ms(NOON)


def test_an_event_seen_again_keeps_its_entry(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + MINUTE)])

    assert declare(ledger, now_ms=NOON + 5 * MINUTE) == Entry(NOON, NOON + MINUTE)


def test_a_changed_declaration_begins_anew_and_owes_nothing(ledger: RedisLedger) -> None:
    declare(ledger)

    entry = declare(ledger, "every hour", now_ms=NOON + MINUTE)

    assert entry == Entry(anchor_ms=NOON + MINUTE, decided_ms=NOON + MINUTE + 1)
    assert entry.previous is None


@pytest.mark.parametrize("name", ["Etc/UTC", "Zulu", "Etc/GMT-0", "UTC"])
def test_another_name_of_utc_is_no_changed_declaration(ledger: RedisLedger, redis: Redis, name: str) -> None:
    before = declare(ledger, f"every day at 06:00 in {name} until 2030-01-01 00:00:00")

    after = declare(ledger, "every day at 06:00 in UTC until 2030-01-01 00:00:00", now_ms=NOON + MINUTE)

    assert after == before
    assert b" in UTC " in redis.hvals(keys.LEDGER_DECLARATION)[0]


def test_another_zone_than_utc_is_a_changed_declaration(ledger: RedisLedger) -> None:
    declare(ledger, "every day at 06:00 in Europe/Berlin")

    assert declare(ledger, "every day at 06:00 in UTC", now_ms=NOON + MINUTE).anchor_ms == NOON + MINUTE


def test_more_events_than_one_call_takes_keep_their_order(ledger: RedisLedger) -> None:
    names = [f"event {number}" for number in range(1201)]
    ledger.declare([(name, "daily") for name in names[:600]], NOON)

    entries = ledger.declare([(name, "daily") for name in names], NOON + MINUTE)

    assert [entry.anchor_ms for entry in entries] == [NOON] * 600 + [NOON + MINUTE] * 601


def test_one_firing_may_push_thousands_of_jobs_which_keep_their_order(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    jobs = [Push(f'{{"jid":"{number}"}}', "low") for number in range(5000)]

    assert ledger.commit([decision(NOON + MINUTE, *jobs)]) == [Verdict.COMMITTED]

    assert redis.lrange("queue:low", 0, -1) == [job.payload.encode() for job in reversed(jobs)]


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


def test_what_was_decided_is_a_chain_without_gap(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + 2 * MINUTE)])

    earlier, later = decision(NOON + MINUTE), decision(NOON + 4 * MINUTE, after_ms=NOON + 3 * MINUTE)
    assert ledger.commit([earlier, later]) == [Verdict.STALE, Verdict.STALE]
    assert declare(ledger) == Entry(NOON, NOON + 2 * MINUTE)


def test_a_chain_of_decisions_is_committed_in_one_call(ledger: RedisLedger) -> None:
    declare(ledger)
    chain = [decision(NOON), *(decision(NOON + n * MINUTE, after_ms=NOON + (n - 1) * MINUTE) for n in (1, 2))]

    assert ledger.commit(chain) == [Verdict.COMMITTED] * 3
    assert declare(ledger) == Entry(NOON, NOON + 2 * MINUTE)


def test_a_clock_with_an_outdated_declaration_commits_nothing(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    declare(ledger, "every hour")

    assert ledger.commit([decision(NOON + MINUTE, Push("{}", "low"))]) == [Verdict.STALE]
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


def test_keys_of_another_type_beside_the_ledger_are_named_and_hold_up_nothing(
    ledger: RedisLedger, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.declare([("nightly", "daily")], NOON)
    odd = [keys.HISTORY + "nightly", keys.WATCHED + "nightly", keys.PAUSED, keys.LEASE]
    redis.mset(dict.fromkeys(odd, "in the way"))
    fired = Decision(
        "nightly", "daily", NOON - 1000, NOON + MINUTE, DecisionKind.FIRED, {}, (Push("{}", "low"),), ["0a"]
    )

    assert ledger.commit([fired]) == [Verdict.COMMITTED]
    assert redis.llen("queue:low") == 1
    assert [key for key in odd[:3] if f"the key {key} holds a string" in caplog.text] == odd[:3]
    assert caplog.text.count("Events run anyway; rename or delete it.") == 3
    assert ledger.commit([fired]) == [Verdict.DECIDED_ALREADY]


@pytest.mark.parametrize(
    "text",
    [
        b"in the way",
        b"[1]",
        b"7",
        b'{"from": "x"}',
        b'{"until": 1}',
        b"\xff",
        b'{"from": 1, "earlier": 5}',
        b"null",
    ],
)
@pytest.mark.parametrize("field", ["nightly", ""])
def test_a_pause_that_is_none_is_named_and_stops_nothing(
    ledger: RedisLedger, redis: Redis, caplog: pytest.LogCaptureFixture, field: str, text: bytes
) -> None:
    ledger.declare([("nightly", "daily")], NOON)
    redis.hset(keys.PAUSED, mapping={field: text, "weekly": '{"from": 1}'})
    fired = Decision("nightly", "daily", NOON - 1000, NOON + MINUTE, DecisionKind.FIRED, {}, (Push("{}", "low"),))

    verdicts, pauses = ledger.commit([fired]), ledger.pauses()

    lasts = text == b'{"from": 1, "earlier": 5}'  # its first part is a pause
    assert verdicts == [Verdict.PAUSED if lasts else Verdict.COMMITTED]
    assert list(pauses) == ["weekly"]
    assert "clock:paused is not a pause" in caplog.text


@pytest.mark.parametrize("lost", [keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED])
def test_an_entry_with_a_part_missing_begins_again_from_what_is_left(
    ledger: RedisLedger, redis: Redis, lost: str
) -> None:
    pairs = [("nightly", "daily"), ("hourly", "hourly")]
    ledger.declare(pairs, NOON)
    for event, declaration in pairs:
        ledger.commit([Decision(event, declaration, NOON - 1000, NOON + MINUTE, DecisionKind.FIRED)])

    redis.hdel(lost, "nightly")
    nightly, hourly = ledger.declare(pairs, NOON + 2 * MINUTE)

    expected = {
        keys.LEDGER_ANCHOR: Entry(NOON + MINUTE, NOON + MINUTE),
        keys.LEDGER_DECLARATION: Entry(NOON, NOON + MINUTE),
        keys.LEDGER_DECIDED: Entry(NOON, NOON + 2 * MINUTE + 1),
    }
    assert (nightly, nightly.origin) == (expected[lost], Origin.RENEWED)
    assert (hourly, hourly.origin) == (Entry(NOON, NOON + MINUTE), Origin.LEDGER)
    assert ledger.declare(pairs, NOON + 3 * MINUTE)[0].origin is Origin.LEDGER


@pytest.mark.parametrize(
    "odd", [b"", b"x", b"\xff\xfe", b"-1", b"1e3", b"0x10", b"1.5", b"1" + b"0" * 20, b"nan", b"[]"]
)
@pytest.mark.parametrize("key", [keys.LEDGER_ANCHOR, keys.LEDGER_DECIDED])
def test_a_part_that_is_no_instant_counts_as_missing(
    ledger: RedisLedger, redis: Redis, key: str, odd: bytes
) -> None:
    ledger.declare([("nightly", "daily"), ("hourly", "hourly")], NOON)

    redis.hset(key, "nightly", odd)
    nightly, hourly = ledger.declare([("nightly", "daily"), ("hourly", "hourly")], NOON + MINUTE)

    assert (nightly.origin, hourly.origin) == (Origin.RENEWED, Origin.LEDGER)
    assert NOON - 1000 <= nightly.anchor_ms <= nightly.decided_ms + 1000 <= NOON + MINUTE + 1001
    assert list(listing.ledger(redis)) == ["nightly", "hourly"]


@pytest.mark.parametrize("odd", [b"0", b"1", b"60000"])
def test_an_entry_decided_long_before_its_anchor_begins_again(
    ledger: RedisLedger, redis: Redis, odd: bytes
) -> None:
    """Else an event of every second would owe billions of due instants since 1970."""
    ledger.declare([("nightly", "daily")], NOON)

    redis.hset(keys.LEDGER_DECIDED, "nightly", odd)
    [nightly] = ledger.declare([("nightly", "daily")], NOON + MINUTE)

    assert (nightly.origin, nightly.decided_ms) == (Origin.RENEWED, NOON + MINUTE + 1)


def test_a_ledger_key_of_another_type_is_named(ledger: RedisLedger, redis: Redis) -> None:
    redis.set(keys.LEDGER_DECIDED, "in the way")

    with pytest.raises(StoreError, match="the key clock:ledger:decided holds a string and not a hash"):
        ledger.declare([("nightly", "daily")], NOON)
    with pytest.raises(StoreError, match="the key clock:ledger:decided holds a string and not a hash"):
        ledger.commit([decision(NOON)])


def test_entries_that_redis_lost_are_written_again_as_they_are_known(ledger: RedisLedger, redis: Redis) -> None:
    pairs = [("lost", "daily"), ("broken", "daily"), ("changed", "weekly"), ("new", "daily")]
    known = {event: Entry(NOON, NOON + MINUTE, "7") for event, _ in pairs[:3]}
    ledger.declare([("broken", "daily"), ("changed", "daily")], NOON)
    redis.hdel(keys.LEDGER_DECIDED, "broken")

    entries = ledger.declare(pairs, NOON + 2 * MINUTE, known)

    assert [entry.origin for entry in entries] == [Origin.RESTORED, Origin.RESTORED, Origin.LEDGER, Origin.LEDGER]
    assert entries[:2] == [Entry(NOON, NOON + MINUTE, "7")] * 2
    assert ledger.declare(pairs[:2], NOON + 3 * MINUTE) == entries[:2]


def test_refusals_that_join_are_one_entry_of_the_history(ledger: RedisLedger) -> None:
    declare(ledger)
    after = NOON - 1000
    kinds = [*[DecisionKind.REFUSED] * 3, DecisionKind.FIRED, DecisionKind.REFUSED]
    for number, kind in enumerate(kinds):
        due = NOON + number * MINUTE
        ledger.commit([Decision("feed", "every minute", after, due, kind, {"late_ms": number}, joins=number > 0)])
        after = due

    assert list(ledger.history("feed")) == [
        {"decision": "refused", "due": NOON + 4 * MINUTE, "late_ms": 4},
        {"decision": "fired", "due": NOON + 3 * MINUTE, "late_ms": 3},
        {"decision": "refused", "due": NOON + 2 * MINUTE, "late_ms": 2, "count": 3, "first": NOON},
    ]


def test_the_history_tells_each_decision_newest_first(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + MINUTE), decision(NOON + 2 * MINUTE, after_ms=NOON + MINUTE)])

    assert list(ledger.history("feed")) == [
        {"decision": "fired", "due": NOON + 2 * MINUTE, "late_ms": 3},
        {"decision": "fired", "due": NOON + MINUTE, "late_ms": 3},
    ]


def test_a_firing_by_hand_is_in_the_history_and_not_in_the_ledger(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)

    ledger.commit([Decision("feed", "", 0, NOON + 7, DecisionKind.MANUAL, {}, [Push("{}", "low")])])

    assert redis.llen("queue:low") == 1
    assert declare(ledger) == Entry(NOON, NOON - 1000)
    assert [entry["decision"] for entry in ledger.history("feed")] == ["manual"]


def test_names_and_payloads_survive_whatever_they_contain(ledger: RedisLedger, redis: Redis) -> None:
    name, payload = 'Prüfung "täglich"\n%s', json.dumps({"args": ["ß\\", 2**70]}, ensure_ascii=False)
    ledger.declare([(name, "ä")], NOON)

    ledger.commit([Decision(name, "ä", NOON - 1000, NOON, DecisionKind.FIRED, {}, [Push(payload, "low")])])

    assert redis.lindex("queue:low", 0) == payload.encode()
    assert redis.hget(keys.LEDGER_DECIDED, name) == str(NOON).encode()


def test_a_declaration_changed_back_in_time_never_begins_before_what_was_decided(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + 5 * MINUTE)])

    assert declare(ledger, "every hour", now_ms=NOON) == Entry(NOON + 5 * MINUTE, NOON + 5 * MINUTE + 1)


def test_nothing_is_committed_or_declared_for_an_older_release_than_the_leading_one(redis: Redis) -> None:
    old, new = RedisLedger(redis, release="v1", rank=1), RedisLedger(redis, release="v2", rank=2)
    declare(old)
    Lease(redis, identity="new", release="v2", rank=2).take(10)

    assert old.commit([decision(NOON, Push("{}", "low"))]) == [Verdict.OUTRANKED]
    with pytest.raises(Outranked):
        declare(old)
    assert not redis.exists("queue:low")
    assert new.commit([decision(NOON, Push("{}", "low"))]) == [Verdict.COMMITTED]


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_event_that_is_forgotten_leaves_nothing(ledger: RedisLedger, redis: Redis, *, by_hand: bool) -> None:
    declare(ledger)
    fired = Decision("feed", "every minute", NOON - 1000, NOON, DecisionKind.FIRED, {}, counted="x")
    missed = Decision("feed", "every minute", NOON, NOON + MINUTE, DecisionKind.MISSED)
    assert ledger.commit([fired, missed]) == [Verdict.COMMITTED] * 2
    assert event_rows.read_missed(redis, 0) == {"feed": NOON + MINUTE}
    ledger.orphan([], NOON)

    if by_hand:
        assert forget_event(redis, "feed")
    else:
        ledger.orphan([], NOON + 7 * 24 * 60 * MINUTE + 1)

    assert redis.keys("clock:ledger:*") == []
    assert redis.keys("*feed*") == []
    assert event_rows.read_missed(redis, 0) == {}


def test_a_missed_run_removes_those_of_more_than_a_week_before_from_the_list(
    ledger: RedisLedger, redis: Redis
) -> None:
    declare(ledger)
    redis.zadd("clock:missed", {"old": NOON - 7 * DAY - 1, "week": NOON - 7 * DAY})

    ledger.commit([Decision("feed", "every minute", NOON - 1000, NOON, DecisionKind.MISSED)])

    assert event_rows.read_missed(redis, 0) == {"feed": NOON, "week": NOON - 7 * DAY}
    assert event_rows.read_missed(redis, NOON - 7 * DAY + 1) == {"feed": NOON}


def test_a_decision_is_committed_though_the_list_of_missed_runs_has_another_type(
    ledger: RedisLedger, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("clock:missed", "x")
    declare(ledger)

    verdicts = ledger.commit([Decision("feed", "every minute", NOON - 1000, NOON, DecisionKind.MISSED)])

    assert verdicts == [Verdict.COMMITTED]
    assert "the key clock:missed holds a string and not a zset" in caplog.text
    assert event_rows.read_missed(redis, 0) == {}


def test_a_history_that_redis_does_not_allow_and_an_unknown_parent_of_a_batch_are_named_with_their_cures(
    ledger: RedisLedger, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    declare(ledger)
    redis.acl_setuser("no_history", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-xadd"])
    options = {**redis.connection_pool.connection_kwargs, "username": "no_history", "password": "any"}
    limited = Redis(
        connection_pool=ConnectionPool(connection_class=redis.connection_pool.connection_class, **options)
    )
    batch = HeldBatch("0a", "{}", parent="0b", now_ms=NOON)
    fired = Decision("feed", "every minute", NOON - 1000, NOON, DecisionKind.FIRED, batches=[batch])

    verdicts = RedisLedger(limited).commit([fired])

    limited.close()
    redis.acl_deluser("no_history")
    assert verdicts == [Verdict.COMMITTED]
    assert "allow it, see docs/deploying.md" in caplog.text
    assert "is unknown or done: it has none now. Events run anyway; name a batch that is open." in caplog.text


def test_a_paused_instant_pushes_nothing_and_stays_undecided(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    pauses.pause(redis, "feed", Pause(from_ms(NOON), from_ms(NOON + MINUTE)))

    verdicts = [ledger.commit([decision(due, Push("{}", "low"))]) for due in (NOON, NOON + MINUTE)]

    assert verdicts == [[Verdict.PAUSED], [Verdict.COMMITTED]]


def test_an_event_that_comes_back_within_a_week_has_its_entry_and_after_it_begins_anew(
    ledger: RedisLedger, redis: Redis
) -> None:
    declare(ledger)
    week = 7 * 24 * 60 * MINUTE

    ledger.orphan([], NOON + MINUTE)
    ledger.orphan([], NOON + MINUTE + week)
    assert declare(ledger, now_ms=NOON + week) == Entry(NOON, NOON - 1000)
    ledger.orphan([], NOON + week)
    ledger.orphan([], NOON + 2 * week + 1)

    assert declare(ledger, now_ms=NOON + 3 * week) == Entry(NOON + 3 * week, NOON + 3 * week - 1000)


def test_an_event_taken_out_for_good_begins_anew_and_repeats_nothing(ledger: RedisLedger) -> None:
    declare(ledger)
    ledger.commit([decision(NOON + MINUTE)])

    ledger.remove(["feed"], NOON + MINUTE)

    assert declare(ledger, now_ms=NOON) == Entry(NOON + MINUTE, NOON + MINUTE + 1)


def test_what_is_owed_is_told_by_the_oldest_undecided_instant(ledger: RedisLedger, redis: Redis) -> None:
    ledger.mark_next_due("feed", 1000)
    late = next_due.look(redis)
    ledger.mark_next_due("feed", 2**42)
    early = next_due.look(redis)
    ledger.mark_next_due(None, 0)

    assert (late.event, late.due) == ("feed", from_ms(1000))
    assert str(late.problem(60)).endswith(" s ago and has not run; no clock is the leader")
    assert early.problem(0) is None
    assert next_due.look(redis) == Lateness(None, None, 0, None)


def test_an_event_that_another_release_renamed_moves_back_with_its_entry(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    pairs = [("other", "weekly"), ("old", "daily")]
    ledger.declare(pairs, NOON)
    ledger.commit([Decision("old", "daily", NOON - 1000, NOON, DecisionKind.FIRED)])
    ledger.declare([("new", "daily")], NOON + MINUTE, was={"new": ["old"]}, names=["new", "other"])

    entries = ledger.declare(pairs, NOON + 2 * MINUTE, names=["old", "other"])

    assert entries == [Entry(NOON, NOON - 1000), Entry(NOON, NOON)]
    assert set(listing.ledger(redis)) == {"other", "old"}


@pytest.mark.parametrize("push", [Push("{}", "low"), Push("{}", "low", at=1.5)])
def test_a_server_that_was_restarted_gets_the_scripts_again(ledger: RedisLedger, redis: Redis, push: Push) -> None:
    declare(ledger)
    redis.script_flush()

    first = ledger.commit([decision(NOON, push)])
    redis.script_flush()
    second = ledger.commit([decision(NOON, push)])

    assert (first, second) == ([Verdict.COMMITTED], [Verdict.DECIDED_ALREADY])


def test_a_server_that_is_restarted_between_two_scripts_gets_them_again(ledger: RedisLedger, redis: Redis) -> None:
    decided = decision(NOON, Push("{}", "low"))
    declare(ledger)
    ledger.commit([decided])

    read = ledger.begin([decided])
    assert redis.ping(), "the first script has run"
    redis.script_flush()

    assert read() == [Verdict.DECIDED_ALREADY]


@pytest.mark.parametrize(
    ("count", "push", "is_published"),
    [
        (1, Push("{}", "low"), True),
        (200, Push("{}", "low"), True),
        (201, Push("{}", "low"), False),
        (1, Push("{}", "low", at=1.5), False),
    ],
)
def test_a_commit_publishes_the_next_due_instant_if_one_plain_batch_is_enough(
    ledger: RedisLedger, redis: Redis, count: int, push: Push, is_published: bool
) -> None:
    names = [f"event {number}" for number in range(count)]
    ledger.declare([(name, "daily") for name in names], NOON)
    ledger.mark_next_due("event 0", NOON)
    publication = Publication("event 0", NOON + DAY)

    ledger.commit(
        [Decision(name, "daily", NOON - 1000, NOON, DecisionKind.FIRED, pushes=[push]) for name in names],
        publication,
    )

    assert publication.before == (("event 0", NOON) if is_published else None)
    assert redis.hget(keys.NEXT_DUE, "due") == str(NOON + DAY if is_published else NOON).encode()


def test_a_decision_that_is_not_committed_publishes_nothing(ledger: RedisLedger, redis: Redis) -> None:
    declare(ledger)
    ledger.mark_next_due("feed", NOON)
    publication = Publication("feed", NOON + DAY)

    verdicts = ledger.commit([decision(NOON, Push("{}", "low"), after_ms=NOON)], publication)

    assert verdicts == [Verdict.STALE]
    assert publication.before is None
    assert redis.hget(keys.NEXT_DUE, "due") == str(NOON).encode()


def test_the_locks_of_jobs_that_were_not_pushed_name_their_holders(ledger: RedisLedger) -> None:
    declare(ledger)
    locks = [Lock("a", "1"), Lock("b", "2"), Lock("a", "3"), Lock("b", "4"), Lock("a", "5")]
    pushes = [Push("{0}", "low"), *(Push(f"{{{lock.jid}}}", "low", None, lock) for lock in locks)]

    assert ledger.commit([decision(NOON, *pushes)]) == [Verdict.COMMITTED]

    assert [lock.holder for lock in locks] == ["", "", "1", "2", "1"]


def test_an_invalid_key_is_named_once_until_the_ledger_is_read_again(
    ledger: RedisLedger, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    declare(ledger)
    redis.set(keys.HISTORY + "feed", "in the way")

    for number in range(3):
        if number == 2:
            declare(ledger)
        ledger.commit([decision(NOON + number * 1000, after_ms=NOON + (number - 1) * 1000)])

    assert len(caplog.messages) == 2
    assert set(caplog.messages) == {
        "In Redis, the key clock:history:feed holds a string and not a stream. Events run anyway; "
        "rename or delete it."
    }


def test_the_outcome_of_a_job_whose_event_was_forgotten_leaves_no_key(redis: Redis) -> None:
    history.add_outcome(redis, "gone", "j1", {"outcome": "done", "at": 0, "took_ms": 1}, ended=True)

    assert redis.keys("*") == []
