"""The jobs in progress of a worker: claimed, counted, moved, each in one place."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs import cancellations
from clock.store.jobs.flow import batches
from clock.store.jobs.flow.batches import BatchErrors
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import CannotMove, Claimed, Move
from clock.store.jobs.results import HAS_FOLLOWERS, Ending, Kept
from clock.store.jobs.results import read as result_of
from clock.store.ledger.held_pushes import Push
from clock.store.scripts import script
from tests.servers import lifetime
from tests.store.jobs.calls import script_calls

NOW_MS = 1_795_500_000_000  # 2026-11-24
NOW = from_ms(NOW_MS)
TODAY = "2026-11-24"
NAME = "host:1:a"
HASH = keys.IN_PROGRESS + NAME


def payload(jid: str, **more: object) -> str:
    return json.dumps({"class": "J", "args": [], **more, "jid": jid}, separators=(",", ":"))


def with_limit(jid: str, name: str) -> str:
    limits = json.dumps([{"name": name, "max": 5}], separators=(",", ":"))
    return payload(jid).replace("{", f'{{"limits":{limits},', 1)


def enqueue(redis: Redis, *payloads: str, queue: str = "default") -> None:
    redis.lpush(f"queue:{queue}", *payloads)


def claim(own: InProgress, limit: int, *queues: str, **more: Any) -> list[Claimed]:
    options = {"done": (), "now": NOW, "expires_seconds": 60.5, **more}
    return own.claim(queues or ["default"], limit, **options)


def counted(redis: Redis) -> dict[str, int]:
    """The counters of jobs, without the day."""
    names: Any = redis.keys("stat:*")
    return {name.decode().replace(f":{TODAY}", ":today"): int(redis.get(name) or 0) for name in names}


def notes(own: InProgress) -> tuple[set[str], bool]:
    """What the last claim noted: the paused queues, and whether jobs are cancelled."""
    return set(own.paused), own.some_are_cancelled


def entries(redis: Redis) -> Any:
    return redis.hgetall(HASH)


def test_jobs_are_claimed_with_rising_numbers_and_the_worker_is_alive_for_its_seconds(redis: Redis) -> None:
    enqueue(redis, "a", "b", "c")
    enqueue(redis, "d", queue="low")
    own = InProgress(redis, NAME)

    first = claim(own, 2)
    second = claim(own, 3, "default", "low")

    assert first == [Claimed(1, "default", b"a"), Claimed(2, "default", b"b")]
    assert second == [Claimed(3, "default", b"c"), Claimed(4, "low", b"d")]
    assert [job.number for job in claim(own, 1)] == []
    assert entries(redis) == {b"1": b"default\na", b"2": b"default\nb", b"3": b"default\nc", b"4": b"low\nd"}
    assert redis.zscore(keys.WORKERS, NAME) == NOW_MS + 60_500
    assert first[0].entry == b"default\na"


def test_numbers_are_never_used_twice_also_if_fewer_jobs_came(redis: Redis) -> None:
    own = InProgress(redis, NAME)
    assert claim(own, 10) == []
    enqueue(redis, "a", "b")

    assert [job.number for job in claim(own, 1)] == [11]
    assert [job.number for job in claim(own, 1)] == [12]


def test_a_claim_acknowledges_finished_jobs_and_counts_them_in_all_and_today(redis: Redis) -> None:
    enqueue(redis, "a", "b", "c")
    own = InProgress(redis, NAME)
    jobs = claim(own, 3)

    assert claim(own, 0, done=[jobs[0].number, jobs[2].number, 99]) == []

    assert entries(redis) == {b"2": b"default\nb"}
    assert counted(redis) == {"stat:processed": 2, "stat:processed:today": 2}


def test_paused_queues_and_cancelled_jobs_are_noted_at_each_claim_that_asks_for_jobs(redis: Redis) -> None:
    enqueue(redis, "a")
    enqueue(redis, "b", queue="low")
    redis.sadd(keys.PAUSED_QUEUES, "low", "high", "other")
    cancellations.mark(redis, ["x"], now=NOW)
    own = InProgress(redis, NAME)

    assert [job.payload for job in claim(own, 5, "low", "default", "high")] == [b"a"]
    assert notes(own) == ({"low", "high"}, True)
    assert own.is_cancelled("x", now=NOW)
    assert not own.is_cancelled("y", now=NOW)

    redis.srem(keys.PAUSED_QUEUES, "high")
    own.forget_cancellation("x")
    assert claim(own, 0, "low", "default", "high", done=[1]) == []
    assert notes(own) == ({"low", "high"}, True)
    assert claim(own, 5, "low", "default", "high") == []
    assert notes(own) == ({"low"}, False)
    redis.delete(keys.PAUSED_QUEUES)
    assert [job.payload for job in claim(own, 5, "low")] == [b"b"]
    assert own.paused == set()


def test_a_cancellation_is_looked_up_only_if_there_was_one_at_the_last_claim(redis: Redis) -> None:
    own = InProgress(redis, NAME)
    cancellations.mark(redis, ["x"], now=NOW)

    assert not own.is_cancelled("x", now=NOW)
    claim(own, 0)
    assert not own.is_cancelled("x", now=NOW)
    claim(own, 1)
    assert own.is_cancelled("x", now=NOW)


def test_jobs_with_limits_are_claimed_with_the_text_of_their_limits(redis: Redis) -> None:
    rows = [payload("a"), with_limit("b", "crm"), with_limit("c", "crm"), payload("d"), with_limit("e", "mail")]
    enqueue(redis, *rows)

    jobs = claim(InProgress(redis, NAME), 5)

    texts = {name: f'{{"limits":[{{"name":"{name}","max":5}}]'.encode() for name in ("crm", "mail")}
    assert [job.limits for job in jobs] == [None, texts["crm"], texts["crm"], None, texts["mail"]]
    assert [job.payload.decode() for job in jobs] == rows
    assert InProgress(redis, NAME).all() == jobs


def test_acknowledged_jobs_with_limits_give_their_places_back(redis: Redis) -> None:
    enqueue(redis, *(with_limit(jid, "crm") for jid in "abc"))
    own = InProgress(redis, NAME)
    jobs = claim(own, 3)
    assert redis.zrange(keys.LIMIT_HOLDERS, 0, -1) == [f"crm\v{NAME}\v3".encode()]

    claim(own, 0, limited={jobs[0].limits: [jobs[0].number, jobs[2].number]})

    assert redis.zrange(keys.LIMIT_HOLDERS, 0, -1) == [f"crm\v{NAME}\v1".encode()]
    assert list(entries(redis)) == [b"2"]
    assert counted(redis) == {"stat:processed": 2, "stat:processed:today": 2}


def test_an_acknowledged_unique_job_frees_its_lock(redis: Redis) -> None:
    enqueue(redis, "a", "b")
    redis.hset(keys.UNIQUE, mapping={"k1": "j1|5|0", "k2": "j2|5|0"})
    own = InProgress(redis, NAME)
    jobs = claim(own, 2)

    claim(own, 0, done=[jobs[0].number], frees=[(jobs[0].number, "k1", "j1")])

    assert redis.hkeys(keys.UNIQUE) == [b"k2"]


def test_the_end_of_a_job_of_a_batch_is_noted_when_it_is_acknowledged(redis: Redis) -> None:
    batches.open_batch(redis, "b1", batches.Batch(), now=NOW)
    redis.zadd(keys.BATCH_CHILDREN, {"b1/p/j1": 0})
    enqueue(redis, payload("j1", bid="b1"), payload("j2"))
    own = InProgress(redis, NAME)
    job, other = claim(own, 2)

    claim(own, 0, done=[job.number, other.number], frees=[(job.number, *HAS_FOLLOWERS)])

    assert batches.state_of(redis, [("b1", "j1")]) == ["s"]
    assert entries(redis) == {}


def test_a_job_whose_batch_cannot_be_written_stays_in_progress_and_the_error_is_reported(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.BATCH_CHILDREN, "foreign")
    enqueue(redis, payload("j1", bid="b1"), payload("j2"), payload("j3"))
    own = InProgress(redis, NAME)
    job, _ = claim(own, 1), claim(own, 1)

    more = claim(own, 1, done=[1, 2], frees=[(1, *HAS_FOLLOWERS)])

    assert f"the key {keys.BATCH_CHILDREN} holds a string and should hold a zset" in caplog.text
    assert own.all() == job + more
    assert [each.payload.decode() for each in more] == [payload("j3")]


def test_an_error_of_a_batch_whose_key_is_not_known_is_reported_as_redis_returned_it(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.store.jobs.flow.batches.wrong_keys_among", lambda *_: [])
    redis.set(keys.BATCH_CHILDREN, "foreign")
    enqueue(redis, payload("j1", bid="b1"))
    own = InProgress(redis, NAME)
    claim(own, 1)

    claim(own, 0, done=[1], frees=[(1, *HAS_FOLLOWERS)])

    assert "was not pushed: WRONGTYPE Operation against a key" in caplog.text


def test_an_error_of_a_batch_is_reported_also_if_the_keys_cannot_be_looked_at(
    redis: Redis, caplog: pytest.LogCaptureFixture, limited: Callable[[str], Redis]
) -> None:
    redis.set(keys.BATCH_CHILDREN, "foreign")

    BatchErrors(limited("type")).report(b"the error of a script")

    assert "was not pushed: the error of a script" in caplog.text


@pytest.mark.parametrize("end", ["retried", "put back"])
def test_a_job_with_limits_that_leaves_gives_its_place_back(redis: Redis, end: str) -> None:
    enqueue(redis, with_limit("a", "crm"), with_limit("b", "crm"))
    own = InProgress(redis, NAME)
    job, _ = claim(own, 2)

    if end == "retried":
        own.set_aside(job, "no limits", where="retry", score=5, now=NOW)
    else:
        own.put_back([Move(job, "queue", "default", job.payload)])

    assert redis.zrange(keys.LIMIT_HOLDERS, 0, -1) == [f"crm\v{NAME}\v1".encode()]


@pytest.mark.parametrize("where", ["retry", "dead", ""])
@pytest.mark.parametrize("ran", [True, False])
def test_a_failed_job_goes_to_one_place_and_counts_if_it_ran(redis: Redis, where: str, ran: bool) -> None:
    enqueue(redis, "a")
    own = InProgress(redis, NAME)
    [job] = claim(own, 1)

    assert own.set_aside(job, "again", where=where, score=5.25e9, now=NOW, ran=ran)
    assert not own.set_aside(job, "again", where=where, score=5.25e9, now=NOW, ran=ran)

    moved = redis.zrange(where, 0, -1, withscores=True) if where else []
    assert moved == ([(b"again", 5.25e9)] if where else [])
    assert entries(redis) == {}
    total = {f"stat:{name}{day}": 1 for name in ("processed", "failed") for day in ("", ":today")}
    assert counted(redis) == (total if ran else {})


def test_a_job_that_is_dropped_keeps_its_result_and_frees_its_lock(redis: Redis) -> None:
    enqueue(redis, "a")
    redis.hset(keys.UNIQUE, "k1", "j1|5|0")
    own = InProgress(redis, NAME)
    [job] = claim(own, 1)
    ending = Ending(Kept("j1", 60_000, {"status": "dropped", "error": "bad"}), ("k1", "j1"), "dropped")

    assert own.set_aside(job, "a", where="", score=0, now=NOW, ending=ending)

    assert result_of(redis, "j1") == {"status": "dropped", "error": "bad"}
    assert redis.pttl(keys.JOB_RESULT + "j1") in lifetime(60)
    assert not redis.exists(keys.UNIQUE)


def test_a_finished_job_is_counted_once_and_its_result_is_kept_for_its_time(redis: Redis) -> None:
    enqueue(redis, "a", "b")
    redis.hset(keys.UNIQUE, "k1", "j1|5|0")
    own = InProgress(redis, NAME)
    job, other = claim(own, 2)
    ending = Ending(Kept("j1", 60_000, {"status": "done", "value": "7"}), ("k1", "j1"), "done")

    assert own.finish(job, ending, now=NOW)
    assert not own.finish(job, ending, now=NOW)
    assert own.finish(other, Ending(how="done"), now=NOW)

    assert result_of(redis, "j1") == {"status": "done", "value": "7"}
    assert redis.pttl(keys.JOB_RESULT + "j1") in lifetime(60)
    assert not redis.exists(keys.UNIQUE, HASH, keys.JOB_RESULT)
    assert counted(redis) == {"stat:processed": 2, "stat:processed:today": 2}


def test_a_unique_job_starts_unless_a_newer_push_replaced_it(redis: Redis) -> None:
    enqueue(redis, "a")
    own = InProgress(redis, NAME)
    [job] = claim(own, 1)
    redis.hset(keys.UNIQUE, mapping={"k1": "j1|5|0", "k2": "j2|5|0"})
    redis.zadd(keys.REPLACED, {"j3": 5})

    assert own.begin_unique(job, ("k1", "j1"), until_start=True)
    assert own.begin_unique(job, ("k2", "j2"), until_start=False)
    assert not own.begin_unique(job, ("k2", "j3"), until_start=True)

    assert redis.hkeys(keys.UNIQUE) == [b"k2"]


def test_rates_are_held_back_until_a_time_of_the_worker_or_of_redis(redis: Redis) -> None:
    simulated = InProgress(redis, NAME, counts_by_redis_time=False)
    assert simulated.hold_rates("j1", ["mail"], 2.5, now=NOW) == NOW_MS / 1000 + 2.5
    assert redis.zscore(keys.RATE_SLOTS, "j1") == NOW_MS + 2_500

    seconds, _ = redis.time()
    assert seconds < InProgress(redis, NAME).hold_rates("j2", ["mail"], 60, now=NOW) < seconds + 120


@pytest.mark.parametrize("by_redis", [True, False])
def test_a_claim_holds_a_job_back_until_the_pause_of_its_rate_is_over(redis: Redis, by_redis: bool) -> None:
    rates = [{"name": "mail", "count": 5, "per": 1000, "weight": 1, "window": False}]
    enqueue(redis, json.dumps({"limits": [], "rates": rates, "jid": "j1"}, separators=(",", ":")))
    own = InProgress(redis, NAME, counts_by_redis_time=by_redis)
    over = own.hold_rates("j2", ["mail"], 60, now=NOW)

    assert claim(own, 1) == []

    delayed: Any = redis.zrange(keys.SCHEDULE, 0, -1, withscores=True)
    [(_, score)] = delayed
    assert over - 0.001 <= float(score) < over + 1  # Redis holds microseconds


@pytest.mark.parametrize(
    ("move", "place"),
    [
        (lambda job: Move(job, "queue", "low", "a2"), "queue:low"),
        (lambda job: Move(job, "dead", 7.5, "a2"), "dead"),
        (lambda job: Move(job, "parked", "AJob", "a2"), "clock:parked:AJob"),
    ],
)
def test_a_job_is_put_back_to_the_place_that_was_chosen(
    redis: Redis, move: Callable[[Claimed], Move], place: str
) -> None:
    enqueue(redis, "a", "b")
    own = InProgress(redis, NAME)
    job, other = claim(own, 2)

    assert own.put_back([move(job)]) == 1
    assert own.put_back([move(job)]) == 0

    assert own.all() == [other]
    found = redis.zrange(place, 0, -1) if place == "dead" else redis.lrange(place, 0, -1)
    assert found == [b"a2"]
    assert move(job).target == place


def test_jobs_are_put_back_in_short_steps_and_a_job_that_cannot_move_stays(redis: Redis) -> None:
    redis.set("queue:bad", "foreign")
    redis.set("queue:worse", "foreign")
    enqueue(redis, *(f"j{number}" for number in range(450)))
    own = InProgress(redis, NAME)
    jobs = claim(own, 450)
    names = {0: "bad", 199: "worse", 200: "bad", 449: "bad"}
    redis.config_resetstat()

    with pytest.raises(CannotMove) as raised:
        own.put_back(Move(job, "queue", names.get(at, "default"), job.payload) for at, job in enumerate(jobs))

    assert [move.job for move in raised.value.moves] == [jobs[at] for at in names]
    assert str(raised.value).startswith("4 jobs stay in progress, because another program has used these keys: ")
    assert "'queue:bad': WRONGTYPE" in str(raised.value)
    assert own.all() == [jobs[at] for at in names]
    assert redis.llen("queue:default") == 446
    assert script_calls(redis) == 3


def test_a_dead_workers_jobs_are_put_back_only_if_its_heartbeat_has_expired(redis: Redis) -> None:
    enqueue(redis, "a")
    own = InProgress(redis, NAME)
    [job] = claim(own, 1)
    moves = [Move(job, "queue", "default", "a")]

    assert own.put_back(moves, if_dead_at=from_ms(NOW_MS + 60_500)) == 0
    assert own.put_back(moves, if_dead_at=from_ms(NOW_MS + 60_501)) == 1


def test_a_job_under_a_field_of_another_program_is_put_back_by_its_field(redis: Redis) -> None:
    redis.hset(HASH, mapping={"odd": "default\na", "1" * 19: "default\nb", "9" * 18: "default\nc", "-1": "x\nd"})
    redis.hset(keys.UNIQUE, "k1", "j1|5|0")
    own = InProgress(redis, NAME)

    [step] = own.left()

    assert {field: (job.number, job.payload) for job, field in step} == {
        b"9" * 18: (int("9" * 18), b"c"),
        b"1" * 19: (-1, b"b"),
        b"odd": (-1, b"a"),
        b"-1": (-1, b"d"),
    }
    assert step[0][1] == b"9" * 18
    assert [job.payload for job in own.all()] == [b"c"]
    moves = [Move(job, "queue", "low", job.payload, field, lock=("k1", "j1")) for job, field in step]
    assert own.put_back(moves) == 4
    assert not redis.exists(HASH, keys.UNIQUE)


def test_jobs_in_progress_are_read_newest_first_in_short_steps(redis: Redis) -> None:
    redis.hset(HASH, mapping={str(number): f"default\n{number}" for number in range(450)})
    redis.hset(HASH, "600", "default\n" + "x" * 1_000_001)
    own = InProgress(redis, NAME)

    steps = [[job.number for job, _ in step] for step in own.left()]

    assert [len(step) for step in steps] == [1, 200, 200, 50]
    assert [number for step in steps for number in step] == [600, *range(449, -1, -1)]
    assert [job.number for job in own.all()] == [*range(450), 600]


def test_a_dead_workers_jobs_that_died_are_trimmed_by_the_latest_of_them(redis: Redis) -> None:
    enqueue(redis, "a", "b")
    own = InProgress(redis, NAME)
    jobs = claim(own, 2)
    month = 31 * 86_400.0
    redis.zadd("dead", {"old": 0.0, "young": 8 * month})

    own.put_back([Move(jobs[0], "dead", 12 * month, "a"), Move(jobs[1], "dead", 1 * month, "b")])

    assert redis.zrange("dead", 0, -1) == [b"young", b"a"]


@pytest.mark.parametrize("lock", [None, Lock("k1", "j2")])
def test_a_position_is_saved_with_its_pushes_to_their_own_queues(redis: Redis, lock: Lock | None) -> None:
    enqueue(redis, "a")
    own = InProgress(redis, NAME)
    [job] = claim(own, 1)
    pushes = [Push("p1", "low"), Push("p2", "high", lock=lock), Push("p3", "low", NOW_MS / 1000)]

    assert own.save_position(job, "a2", pushes, now=NOW)

    assert entries(redis) == {b"1": b"default\na2"}
    assert redis.lrange("queue:low", 0, -1) == [b"p1"]
    assert redis.lrange("queue:high", 0, -1) == [b"p2"]
    assert redis.zrange(keys.SCHEDULE, 0, -1, withscores=True) == [(b"p3", NOW_MS / 1000)]
    own.finish(job, Ending(), now=NOW)
    assert not own.save_position(job, "a3", pushes, now=NOW)
    assert redis.llen("queue:low") == 1


def test_the_jobs_that_run_although_a_worker_died_with_them_are_marked(redis: Redis) -> None:
    own = InProgress(redis, NAME)
    own.mark(Claimed(3, "default", b""))
    own.mark(Claimed(4, "default", b""))

    own.unmark(Claimed(3, "default", b""))

    assert own.marked() == {b"4"}


def test_a_claim_on_arrival_gets_the_job_that_waits_and_skips_paused_queues(redis: Redis) -> None:
    own = InProgress(redis, NAME)
    redis.sadd(keys.PAUSED_QUEUES, "low")
    redis.script_load(script("claim").script)
    claim(own, 1, "low")
    enqueue(redis, "a", queue="low")
    enqueue(redis, "b")
    options: dict[str, Any] = {"seconds": 0.01, "now": NOW, "expires_seconds": 60}

    assert own.claim_on_arrival(["low", "default"], 1, waits_on=["low"], **options)[0].payload == b"b"
    assert own.claim_on_arrival(["low"], 1, waits_on=["low"], **options) == []
    assert own.paused == {"low"}


def test_a_claim_on_arrival_after_a_restart_of_redis_loads_its_script_again(redis: Redis) -> None:
    own = InProgress(redis, NAME)
    redis.script_flush()
    enqueue(redis, "a")
    options: dict[str, Any] = {"waits_on": ["default"], "seconds": 0.01, "now": NOW, "expires_seconds": 60}

    assert own.claim_on_arrival(["default"], 1, **options) == []
    assert [job.payload for job in own.claim_on_arrival(["default"], 1, **options)] == [b"a"]
    redis.set(HASH + "x", "foreign")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        InProgress(redis, NAME + "x").claim_on_arrival(["default"], 1, **options)
