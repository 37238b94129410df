"""What is read and repaired adds up all shards of an application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from redis import Redis

from clock.api import Queue, ScheduledSet, Stats, cancel
from clock.cli.app import cli
from clock.clocks import from_ms
from clock.config import Config
from clock.errors import ClockError, StoreError
from clock.inspection.doctor.doctor import Circumstances, examine
from clock.inspection.doctor.finding import Grade
from clock.inspection.jobs.job_sets import trim_dead
from clock.inspection.moving import empty_shard
from clock.inspection.shards import left_shards, shard_views, shards_findings
from clock.inspection.status import status
from clock.job.results import JobResult
from clock.store import keys
from clock.store.jobs.dead import DeadLimits
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.store.server.connection import set_default
from clock.store.server.opening import connected
from clock.store.server.shards import every, note, place_of
from clock.worker.options import WorkerOptions
from clock.worker.shard_post import shard_post
from tests.servers import Servers, port_of
from tests.store.sharded_jobs import AddNumbersJob

pytestmark = pytest.mark.usefixtures("log_as_before")  # a command sets the log up

NOW = datetime.now(UTC)
LATER = NOW.timestamp() + 86_400  # tests of other modules run for long before these


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with three shards, its own place included."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=3), 3)
    set_default(found)
    yield found
    for place in every(found):
        place.close()


def start_worker(place: Redis, name: str) -> None:
    """Register a worker of one place."""
    beat = Beat({"queues": ["default"], "concurrency": 5}, 0, NOW.timestamp(), 1, False, 1, {}, NOW.timestamp())
    register = WorkerRegister(place)
    register.beat(name, now=NOW, seconds=60)
    register.describe(name, beat)


def test_the_limits_of_dead_jobs_hold_in_each_shard_and_all_removed_jobs_are_counted(home: Redis) -> None:
    for place in every(home):
        place.zadd(keys.DEAD, {f'{{"jid":"{number}"}}': LATER + number for number in range(5)})

    removed = trim_dead(home, LATER, DeadLimits(max_jobs=3))

    assert removed == "6 older dead jobs were removed by dead_max_jobs = 3"
    assert [place.zcard(keys.DEAD) for place in every(home)] == [3, 3, 3]


def test_counts_add_up_all_shards(home: Redis) -> None:
    AddNumbersJob.perform_bulk([(number,) for number in range(50)])
    AddNumbersJob.perform_bulk([(number,) for number in range(30)], at=LATER)
    for place in every(home):
        place.set(keys.STAT_PROCESSED, 7)

    counts = Stats().now()

    assert (counts.enqueued, counts.scheduled, counts.processed) == (50, 30, 21)
    assert [view.size for view in Queue.all()] == [50]


@pytest.mark.parametrize("order", ["first", "last"])
def test_pages_show_each_job_of_all_shards_once(home: Redis, order: str) -> None:
    jids = AddNumbersJob.perform_bulk([(n,) for n in range(40)], at=[LATER + n % 7 for n in range(40)])
    seen, cursor, pages = [], None, 0

    while pages == 0 or cursor:
        page = ScheduledSet().page(cursor, limit=3, order=order)  # type: ignore[arg-type]  # one of both
        seen += [job.jid for job in page.jobs]
        cursor, pages = page.cursor, pages + 1

    assert sorted(seen) == sorted(jids)
    assert page.total == 40


def test_a_search_returns_the_jobs_of_all_shards_in_order(home: Redis) -> None:
    AddNumbersJob.perform_bulk([(n,) for n in range(40)], at=[LATER + 7 * n % 40 for n in range(40)])

    due = [job.at for job in ScheduledSet()]

    assert due == sorted(due)  # type: ignore[type-var]  # each has a time
    assert [job.at for job in ScheduledSet().search(order="last")] == due[::-1]


def test_the_jobs_of_a_queue_are_listed_by_their_age_not_by_shard(home: Redis) -> None:
    jids = [AddNumbersJob.perform_async(number) for number in range(30)]
    assert len({place_of(home, jid) for jid in jids}) == 3

    by_age = [job.since for job in Queue()]

    assert by_age == sorted(by_age)  # type: ignore[type-var]  # each has a time
    assert [job.since for job in Queue().search(order="last")] == by_age[::-1]


def test_changes_reach_the_jobs_of_all_shards(home: Redis) -> None:
    jids = AddNumbersJob.perform_bulk([(number,) for number in range(40)], at=LATER)
    scheduled = ScheduledSet()

    assert scheduled.reschedule(NOW.replace(year=NOW.year + 1), class_="AddNumbers*") == 40
    assert scheduled.kill(jid=jids[0]) == 1
    assert scheduled.delete(*list(scheduled)[:9]) == 9
    assert scheduled.add_to_queue(class_="AddNumbers*") == 30
    assert Queue().delete(class_="AddNumbers*") == 30
    assert [place.zcard("dead") for place in every(home)][place_of(home, jids[0])] == 1


def test_a_job_of_a_shard_is_cancelled(home: Redis) -> None:
    for jid in AddNumbersJob.perform_bulk([(number,) for number in range(6)]):
        assert cancel(jid)

    assert Queue().size() == 0


def test_a_result_is_found_in_any_shard(home: Redis) -> None:
    for number, place in enumerate(every(home)):  # also in another one than that of the jid
        place.hset(keys.JOB_RESULT + f"jid-{number}", mapping={"status": "done", "value": str(number)})

    assert [JobResult(f"jid-{number}").get(timeout=1) for number in range(3)] == [0, 1, 2]


def test_a_paused_queue_is_paused_in_all_shards(home: Redis) -> None:
    assert Queue("mail").pause()
    assert [place.smembers("paused") for place in every(home)] == [{b"mail"}] * 3
    assert Queue("mail").unpause()
    assert not Queue("mail").is_paused()


def test_a_shard_without_a_worker_is_reported(home: Redis) -> None:
    AddNumbersJob.perform_bulk([(number,) for number in range(60)])
    for number, place in enumerate(every(home)[:2]):
        start_worker(place, f"host:{number}:a")

    problems = status(home, NOW).problems

    assert any(problem.startswith("the shard shop-2 has no worker (jobs waiting: ") for problem in problems)
    assert not any("shop-1" in problem for problem in problems)
    assert sum(view.waiting for view in shard_views(home)) == 60
    assert "shop-2 has no worker" in next(iter(shards_findings(home))).found


def test_a_shard_that_does_not_answer_hides_nothing_else(redis: Redis, redis_url: str) -> None:
    home = connected(Config(redis=redis_url, redis_urls=(redis_url, "redis://127.0.0.1:1")), 3)
    redis.zadd("retry", {"x": 1})

    found = status(home, NOW)

    assert found.sizes.retry == 1
    assert any("the shard redis://127.0.0.1:1 cannot be read" in problem for problem in found.problems)


def test_the_doctor_makes_its_other_checks_if_a_shard_does_not_answer(redis: Redis, redis_url: str) -> None:
    home = connected(Config(redis=redis_url, redis_urls=(redis_url, "redis://127.0.0.1:1")), 3)

    found = examine(home, Circumstances(redis_url, timedelta(0), 12))

    assert [finding.found for finding in found if "127.0.0.1:1 cannot be read" in finding.found]
    assert {"version", "queues", "jobs in progress"} <= {finding.subject for finding in found}


def test_old_shards_are_reported_and_emptied_without_losing_a_job(home: Redis, redis_url: str) -> None:
    note(home, from_ms(1))
    jids = AddNumbersJob.perform_bulk([(number,) for number in range(500)])
    jids += AddNumbersJob.perform_bulk([(number,) for number in range(30)], at=LATER)
    last = every(home)[2]
    last.zadd("dead", {json.dumps({"jid": "d1", "class": "A", "queue": "low"}): 1})
    last.hset(keys.IN_PROGRESS + "host:1:a", "7", "low\n" + json.dumps({"jid": "p1", "class": "A"}))
    last.set(keys.STAT_PROCESSED, 5)
    fewer = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    set_default(fewer)

    [left] = left_shards(fewer)
    held = left.jobs
    moved = sum(empty_shard(fewer, left))

    assert held == moved > 100
    assert left_shards(fewer)[0].jobs == 0
    found = [job.jid for name in ("default", "low") for job in Queue(name)] + [job.jid for job in ScheduledSet()]
    assert sorted(found) == sorted([*jids, "p1"])
    assert Stats().now().dead == 1
    assert Stats().now().processed == 5


def test_the_command_moves_the_jobs_of_old_shards(
    home: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(home, from_ms(1))
    AddNumbersJob.perform_bulk([(number,) for number in range(100)])
    for name, value in {"REDIS_URL": redis_url, "CLOCK_NAMESPACE": "shop", "CLOCK_SHARDS": "1"}.items():
        monkeypatch.setenv(name, value)

    before = CliRunner().invoke(cli, ["doctor"])
    moved = CliRunner().invoke(cli, ["move", "--from-shards", "--yes"])

    assert "shop-1 was a shard and still holds" in " ".join(before.output.split())
    assert moved.exit_code == 0, moved.output
    assert home.llen("queue:default") == 100


@pytest.mark.process
def test_two_names_of_one_database_are_found(servers: Servers) -> None:
    port = port_of(servers.start())
    urls = (f"redis://127.0.0.1:{port}", f"redis://localhost:{port}")
    found = connected(Config(redis=urls[0], redis_urls=urls), 3)

    texts = [finding.found for finding in shards_findings(found)]

    assert any("are the same database of one server, and its jobs count twice" in text for text in texts)


@pytest.mark.process
def test_a_server_that_refuses_the_password_is_a_fault_of_its_shard(servers: Servers) -> None:
    home = port_of(servers.start())
    other = port_of(servers.start("--requirepass", "secret", password="secret"))  # noqa: S106  # of this test
    urls = (f"redis://127.0.0.1:{home}", f"redis://:wrong@127.0.0.1:{other}")
    found = connected(Config(redis=urls[0], redis_urls=urls), 3)

    _, refused = shard_views(found)

    assert refused.problems[0].startswith(
        f"the shard redis://:***@127.0.0.1:{other} cannot be read: Redis refuses"
    )
    assert shard_post(found, WorkerOptions())  # of the home
    with pytest.raises(StoreError, match=rf"The shard redis://.*{other} \(2 of 2\): Redis refuses this user"):
        shard_post(found, WorkerOptions())


def test_an_old_shard_is_emptied_only_without_its_workers(home: Redis, redis_url: str) -> None:
    note(home, from_ms(1))
    last = every(home)[2]
    last.sadd(keys.PARKED, "GoneJob")
    last.lpush(keys.PARKED_JOBS + "GoneJob", json.dumps({"jid": "p1", "class": "GoneJob", "queue": "low"}))
    start_worker(last, "host:2:a")
    fewer = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    set_default(fewer)
    [left] = left_shards(fewer)

    with pytest.raises(ClockError, match="shop-2 still has workers: host:2:a"):
        list(empty_shard(fewer, left))
    last.delete("host:2:a", "processes")

    assert sum(empty_shard(fewer, left)) == 1
    assert [job.jid for job in Queue("low")] == ["p1"]
    assert "shop-2" not in " ".join(finding.found for finding in shards_findings(fewer))
    for place in (*every(fewer), left.redis):
        assert place is not None
        place.close()


def test_shards_with_workers_are_well(home: Redis) -> None:
    for number, place in enumerate(every(home)):
        start_worker(place, f"host:{number}:a")

    [found] = shards_findings(home)

    assert (found.grade, found.found) == (Grade.GOOD, "3, each with a worker")


def test_a_home_that_refuses_a_command_is_an_error_and_not_a_faulty_shard(redis: Redis, redis_url: str) -> None:
    redis.acl_setuser("counter", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-zcard"])
    url = redis_url.replace("//", "//counter:any@", 1)
    home = connected(Config(redis=url, namespace="shop", shards=3), 3)

    with pytest.raises(StoreError, match="zcard"):
        shard_views(home)
    for place in every(home):
        place.close()
    redis.acl_deluser("counter")
