"""The places of limits as Redis has them: reading, counting and correcting them."""

import json
import logging
from contextlib import nullcontext
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.flow import limit_holders, unique_locks
from clock.store.jobs.flow.limit_holders import CHECKED_AFTER_MS, MOST_BYTES, MOST_NAMES, Blocked, Holder
from tests.servers import lifetime

NOW_MS = 1_795_500_000_000
NOW = from_ms(NOW_MS)
OLD_MS = NOW_MS - CHECKED_AFTER_MS - 1


def payload(jid: str, name: str = "crm", maximum: int = 2, **more: object) -> str:
    limits = [{"name": name, "max": maximum}]
    return json.dumps({"limits": limits, "class": "J", **more, "jid": jid}, separators=(",", ":"))


def hold(redis: Redis, *members: str) -> None:
    redis.zadd(keys.LIMIT_HOLDERS, dict.fromkeys(members, 0))
    for member in members:
        if "|queue|" in member:
            redis.zadd(keys.LIMIT_RESERVED, {member.partition("\n")[2].partition("|")[0]: 5})


def run(redis: Redis, worker: str, *payloads: str) -> None:
    """Jobs in progress of a worker."""
    redis.hset(keys.IN_PROGRESS + worker, mapping={str(at): f"default\n{one}" for at, one in enumerate(payloads)})


def block(redis: Redis, jids: list[str], name: str = "crm", maximum: int = 2, queue: str = "default") -> None:
    rows = [f"{name}\n{turn:016}\n{queue}\n{payload(jid, name, maximum)}" for turn, jid in enumerate(jids)]
    redis.zadd(keys.BLOCKED, dict.fromkeys(rows, 0))


def freed(redis: Redis) -> list[str]:
    found: Any = redis.zrange(keys.FREED, 0, -1)
    return [json.loads(member)["jid"] for member in found]


@pytest.mark.parametrize(
    ("member", "holder"),
    [
        ("crm\vhost:1:a\v3", Holder("crm", b"", "host:1:a", 3)),
        ("crm\va\vb\v999999999", Holder("crm", b"", "a\vb", 999_999_999)),
        ("crm\nabc|queue|1795500000000", Holder("crm", b"", jid="abc", since_ms=NOW_MS)),
        ("crm\na|queue|b|queue|99999999999999", Holder("crm", b"", jid="a|queue|b", since_ms=99_999_999_999_999)),
        # other programs wrote these:
        ("crm\v\v3", Holder("crm\v\v3", b"")),
        ("crm\vhost:1:a\v-3", Holder("crm\vhost:1:a\v-3", b"")),
        ("crm\vhost:1:a\v1000000000", Holder("crm\vhost:1:a\v1000000000", b"")),
        ("crm\nabc|queue|soon", Holder("crm", b"", jid="abc|queue|soon")),
        ("crm\n|queue|5", Holder("crm", b"", jid="|queue|5")),
        ("crm\nabc|queue|100000000000000", Holder("crm", b"", jid="abc|queue|100000000000000")),
        ("crm", Holder("crm", b"")),
    ],
)
def test_a_holder_is_a_workers_jobs_or_a_job_in_a_queue(redis: Redis, member: str, holder: Holder) -> None:
    hold(redis, member)

    assert list(limit_holders.holders(redis)) == [holder._replace(member=member.encode())]


def test_the_holders_of_a_limit_are_not_those_of_names_that_begin_like_it(redis: Redis) -> None:
    own = ["crm\nabc|queue|5", "crm\vhost:1:a\v3"]
    hold(redis, *own, "cr\vhost:1:a\v3", "crm2\vhost:1:a\v1", "crm\fx\vhost:1:a\v1", "crm\tx\n5")

    assert [holder.member.decode() for holder in limit_holders.holders(redis, "crm")] == own
    assert len(list(limit_holders.holders(redis))) == 6


def test_a_fault_names_the_limit_and_the_worker_or_the_job() -> None:
    assert Holder("crm", b"", "host:1:a", 3, found=1).fault == (
        "crm: the worker host:1:a holds 3 and has 1 such jobs in progress"
    )
    assert Holder("crm", b"", jid="abc").fault == "crm is held by job abc, which is gone"


def test_blocked_jobs_are_listed_in_the_order_of_their_turns(redis: Redis) -> None:
    block(redis, ["a", "b", "c"])
    block(redis, ["d"], "crm2", queue="low")
    redis.zadd(keys.BLOCKED, {"crm\nforeign": 0, "foreign": 0, "zoo\n1\nlow\na\nb": 0})

    assert [json.loads(one.payload)["jid"] for one in limit_holders.blocked(redis, "crm", 10)] == ["a", "b", "c"]
    assert [json.loads(one.payload)["jid"] for one in limit_holders.blocked(redis, "crm", 2)] == ["a", "b"]
    member = f"crm2\n{0:016}\nlow\n{payload('d', 'crm2')}".encode()
    last = Blocked("crm2", "low", payload("d", "crm2").encode(), member)
    assert limit_holders.blocked(redis, "crm2", 1) == [last]
    assert [one.payload for one in limit_holders.blocked(redis, "zoo", 1)] == [b"a\nb"]
    firsts = limit_holders.next_blocked(redis, ["crm", "none", "crm2", "foreign"])
    assert {name: json.loads(one.payload)["jid"] for name, one in firsts.items()} == {"crm": "a", "crm2": "d"}


def test_limits_with_blocked_jobs_are_named_once_and_a_thousand_at_most(redis: Redis) -> None:
    block(redis, ["a", "b"], "crm")
    block(redis, ["c"], "crm2")
    assert limit_holders.blocked_names(redis) == ["crm", "crm2"]

    names = [f"limit-{number:04}" for number in range(MOST_NAMES + 1)]
    redis.zadd(keys.BLOCKED, dict.fromkeys((f"{name}\n0\ndefault\n{{}}" for name in names), 0))

    assert MOST_NAMES == 1_000
    assert limit_holders.blocked_names(redis) == ["crm", "crm2", *names[:998]]


def test_places_and_blocked_jobs_are_counted_by_limit_and_in_all(redis: Redis) -> None:
    hold(redis, "crm\vhost:1:a\v3", "crm\vhost:2:b\v4", "crm\nabc|queue|5", "mail\vhost:1:a\v1")
    block(redis, ["a", "b"])
    block(redis, ["c"], "mail")

    assert limit_holders.counts(redis, ["crm", "none", "mail"]) == [(8, 2), (0, 0), (1, 1)]
    assert limit_holders.totals(redis) == (9, 3)


def test_keys_of_a_wrong_type_hold_nothing(redis: Redis) -> None:
    for key in (keys.LIMIT_HOLDERS, keys.BLOCKED, keys.LIMITS, f"{keys.IN_PROGRESS}host:1:a"):
        redis.set(key, "foreign")

    assert list(limit_holders.holders(redis)) == list(limit_holders.holders(redis, "crm")) == []
    assert limit_holders.blocked(redis, "crm", 1) == []
    assert limit_holders.blocked_names(redis) == []
    assert limit_holders.next_blocked(redis, ["crm"]) == {}
    assert limit_holders.maxima(redis) == {}
    assert limit_holders.counts(redis, ["crm"]) == [(0, 0)]
    assert limit_holders.totals(redis) == (0, 0)
    assert list(limit_holders.jobs_of(redis, "host:1:a")) == []


def test_the_maxima_that_were_set_by_hand_are_numbers(redis: Redis) -> None:
    limit_holders.set_maximum(redis, "crm", 5)
    redis.hset(keys.LIMITS, "mail", "many")

    assert limit_holders.maxima(redis) == {"crm": 5}


def test_a_higher_maximum_frees_as_many_blocked_jobs_as_fit_also_hundreds(redis: Redis) -> None:
    hold(redis, "crm\vhost:1:a\v2")
    block(redis, [f"j{number:03}" for number in range(300)])

    assert limit_holders.set_maximum(redis, "crm", 252) == 250

    assert freed(redis) == [f"j{number:03}" for number in range(250)]
    assert limit_holders.counts(redis, ["crm"]) == [(252, 50)]
    assert limit_holders.set_maximum(redis, "crm", None) == 0
    assert limit_holders.maxima(redis) == {}


def test_holders_without_a_job_are_removed_and_their_places_are_given_to_hundreds_of_blocked_jobs(
    redis: Redis,
) -> None:
    hold(redis, "crm\vhost:1:a\v250", "crm\vhost:2:b\v1", "crm\ngone|queue|5", "crm\nlives|queue|5")
    run(redis, "host:1:a", payload("a", maximum=252))
    run(redis, "host:2:b", payload("b", maximum=252), payload("c", maximum=252))
    block(redis, [f"j{number:03}" for number in range(300)], maximum=252)
    suspects = [one for one in limit_holders.holders(redis) if one.jid != "lives"]

    assert limit_holders.remove(redis, suspects, ["crm"]) == (250, 248)

    assert limit_holders.counts(redis, ["crm"]) == [(252, 52)]
    assert {one.worker: one.jobs for one in limit_holders.holders(redis) if one.worker} == {
        "host:1:a": 1,
        "host:2:b": 2,
    }
    assert redis.zscore(keys.LIMIT_RESERVED, "gone") is None
    assert redis.zscore(keys.LIMIT_RESERVED, "lives") == 5


def test_workers_with_more_or_fewer_places_than_jobs_are_named_with_both_numbers(redis: Redis) -> None:
    hold(redis, "crm\vhost:1:a\v3", "mail\vhost:1:a\v5", "crm\vhost:2:b\v1", "crm\nabc|queue|5")
    run(redis, "host:1:a", payload("a"), payload("b", "mail"), payload("c", "mail"))
    run(redis, "host:2:b", payload("d"))

    wrong = limit_holders.miscounted(redis, limit_holders.holders(redis))

    assert [(one.name, one.worker, one.jobs, one.found) for one in wrong] == [
        ("crm", "host:1:a", 3, 1),
        ("mail", "host:1:a", 5, 2),
    ]


@pytest.mark.parametrize(("more", "counted"), [(0, ["crm"]), (1, [])])
def test_a_worker_whose_jobs_have_more_than_8_megabytes_is_not_counted(
    redis: Redis, more: int, counted: list[str]
) -> None:
    hold(redis, "crm\vhost:1:a\v3")
    empty = len(f"default\n{payload('a', args='')}")
    run(redis, "host:1:a", payload("a", args="x" * (MOST_BYTES - empty + more)))

    assert MOST_BYTES == 8_000_000
    assert [one.name for one in limit_holders.miscounted(redis, limit_holders.holders(redis))] == counted


@pytest.mark.parametrize(
    ("since_ms", "is_searched"),
    [
        (NOW_MS - CHECKED_AFTER_MS, False),
        (OLD_MS, True),
        (NOW_MS + CHECKED_AFTER_MS, False),
        (NOW_MS + CHECKED_AFTER_MS + 1, True),  # the clock of a machine was wrong
    ],
)
def test_a_job_in_a_queue_is_searched_when_it_has_its_place_for_more_than_a_minute(
    redis: Redis, since_ms: int, is_searched: bool
) -> None:
    hold(redis, f"crm\nabc|queue|{since_ms}")

    lost = limit_holders.lost(redis, limit_holders.holders(redis), now=NOW, within=10.0)

    assert CHECKED_AFTER_MS == 60_000
    assert [one.jid for one in lost] == (["abc"] if is_searched else [])


def test_only_holders_whose_job_is_nowhere_are_lost(redis: Redis) -> None:
    hold(redis, f"crm\nlives|queue|{OLD_MS}", f"crm\ngone|queue|{OLD_MS}", "crm\vhost:1:a\v1")
    redis.sadd(keys.QUEUES, "default")
    redis.rpush("queue:default", payload("lives"))

    lost = limit_holders.lost(redis, limit_holders.holders(redis), now=NOW, within=10.0)

    assert [(one.worker, one.jid) for one in lost] == [("host:1:a", ""), ("", "gone")]


def test_the_check_corrects_places_while_jobs_are_blocked_and_logs_and_counts_them(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    hold(redis, "crm\vhost:1:a\v2", f"mail\ngone|queue|{OLD_MS}")
    block(redis, ["a", "b", "c"])
    block(redis, ["d"], "mail", 1)

    assert limit_holders.heal(redis, now=NOW) == 3

    assert sorted(freed(redis)) == ["a", "b", "d"]
    assert redis.get(keys.HEALED) == b"3"
    assert caplog.messages == [
        "Corrected the places of a limit; another program removed jobs. "
        "crm: the worker host:1:a holds 2 and has 0 such jobs in progress",
        "Corrected the places of a limit; another program removed jobs. mail is held by job gone, which is gone",
    ]


def test_the_check_is_made_once_a_minute_and_only_while_jobs_are_blocked(redis: Redis) -> None:
    hold(redis, "crm\vhost:1:a\v2")

    assert limit_holders.heal(redis, now=NOW) == 0
    assert not redis.exists(keys.LIMITS_CHECKED)
    block(redis, ["a", "b", "c"])
    assert limit_holders.heal(redis, now=NOW) == 2
    assert redis.pttl(keys.LIMITS_CHECKED) in lifetime(60)
    hold(redis, "crm\vhost:1:a\v5")
    assert limit_holders.heal(redis, now=NOW) == 0


def test_the_check_without_a_fault_counts_nothing_and_frees_nothing(redis: Redis) -> None:
    hold(redis, "crm\vhost:1:a\v2")
    run(redis, "host:1:a", payload("x"), payload("y"))
    block(redis, ["a"])

    assert limit_holders.heal(redis, now=NOW) == 0

    assert freed(redis) == []
    assert not redis.exists(keys.HEALED)


@pytest.mark.parametrize(("since_ms", "loses"), [(OLD_MS, True), (NOW_MS - CHECKED_AFTER_MS, False)])
def test_a_job_of_a_paused_queue_loses_its_place_after_a_minute(redis: Redis, since_ms: int, loses: bool) -> None:
    redis.sadd(keys.QUEUES, "low")
    redis.sadd(keys.PAUSED_QUEUES, "low")
    redis.rpush("queue:low", payload("waits"))
    hold(redis, f"crm\nwaits|queue|{since_ms}", "crm\vhost:1:a\v1")
    run(redis, "host:1:a", payload("x"))
    block(redis, ["a"])

    limit_holders.heal(redis, now=NOW)

    assert freed(redis) == (["a"] if loses else [])


@pytest.mark.parametrize(("behind", "loses"), [(0, True), (9, True), (10, True), (99, True), (100, False)])
def test_the_first_hundred_jobs_of_a_paused_queue_are_read_for_their_places(
    redis: Redis, behind: int, loses: bool
) -> None:
    redis.sadd(keys.QUEUES, "low")
    redis.sadd(keys.PAUSED_QUEUES, "low")
    redis.lpush("queue:low", *[payload(f"front-{number}") for number in range(behind)], payload("waits"), "no job")
    hold(redis, f"crm\nwaits|queue|{OLD_MS}", "crm\vhost:1:a\v1")
    run(redis, "host:1:a", payload("x"))
    block(redis, ["a"])

    limit_holders.heal(redis, now=NOW)

    assert freed(redis) == (["a"] if loses else [])


def test_the_jobs_of_a_paused_queue_are_read_until_they_have_8_megabytes(redis: Redis) -> None:
    redis.sadd(keys.PAUSED_QUEUES, "low")
    redis.sadd(keys.QUEUES, "low")
    large = payload("large", args="x" * MOST_BYTES)
    redis.lpush("queue:low", large, *[payload(f"front-{number}") for number in range(9)], payload("waits"))
    hold(redis, f"crm\nwaits|queue|{OLD_MS}", f"crm\nlarge|queue|{OLD_MS}")
    block(redis, ["a", "b"])

    limit_holders.heal(redis, now=NOW)

    assert freed(redis) == ["a"]  # only the place of the large job


def test_the_search_of_the_check_ends_at_its_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def gone(redis: Redis, jids: set[str], *, now: object, within: float) -> set[str]:
        asked.append(within)
        return set()

    monkeypatch.setattr(unique_locks, "gone", gone)
    block(redis, ["a"], maximum=0)
    limit_holders.heal(redis, now=NOW)

    assert asked == [2.0]


def test_the_jobs_of_a_worker_are_read_a_thousand_at_most(redis: Redis) -> None:
    run(redis, "host:1:a", "first", "second\nline")
    assert dict(limit_holders.jobs_of(redis, "host:1:a")) == {"0": b"first", "1": b"second\nline"}

    run(redis, "host:1:a", *["{}"] * 1_200)
    assert len(list(limit_holders.jobs_of(redis, "host:1:a"))) == 1_000


@pytest.mark.parametrize("cause", ["network", "no_permission"])
def test_a_user_without_rights_for_queues_corrects_what_it_may_read_and_other_errors_end_the_check(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    hold(redis, "crm\vhost:1:a\v2")
    block(redis, ["a"])

    def gone(*_: object, **__: object) -> None:
        raise StoreError("the search failed", cause=cause)

    monkeypatch.setattr(unique_locks, "gone", gone)
    with nullcontext() if cause == "no_permission" else pytest.raises(StoreError, match="search"):
        limit_holders.heal(redis, now=NOW)

    assert freed(redis) == (["a"] if cause == "no_permission" else [])
