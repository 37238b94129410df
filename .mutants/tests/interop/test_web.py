"""Sidekiq's own page and API over what we write, and their buttons over what we do."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from tests.interop.conftest import Ruby
from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App, Running

pytestmark = [pytest.mark.interop, pytest.mark.process, pytest.mark.slow]

FAILING = '{"class":"BreakThingJob","args":[1,"x"],"jid":"f1","queue":"default","retry":5,"created_at":1.5}'


def push(redis: Redis, payload: str) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload)


@pytest.fixture
def worker(app: App, redis: Redis) -> Running:
    """A worker that shows on Sidekiq's page."""
    running = app.start("worker", "-r", "shop", "-c", "3")
    eventually(lambda: redis.scard("processes"), "the worker shows")
    return running


@pytest.fixture
def failed(worker: Running, redis: Redis) -> str:
    """The key on Sidekiq's page of a job that has failed once."""
    push(redis, FAILING)
    eventually(lambda: redis.zcard("retry"), "the job fails")
    rows: Any = redis.zrange("retry", 0, -1, withscores=True)
    return f"{rows[0][1]!r}-f1"


def test_a_job_that_failed_here_shows_with_class_message_and_backtrace(failed: str, ruby: Ruby) -> None:
    page = ruby('get("/retries")')
    detail = ruby(f'get("/retries/{failed}")')
    backtrace = ruby("Sidekiq::RetrySet.new.first.error_backtrace")

    assert page["status"] == detail["status"] == 200
    for words in ("BreakThingJob", "ValueError", "broken in python: ß"):
        assert words in page["body"]
        assert words in detail["body"]
    assert backtrace[0].endswith("in perform")
    assert "jobs.py" in detail["body"]


def test_retry_now_makes_it_run_here(worker: Running, failed: str, ruby: Ruby, redis: Redis) -> None:
    redis.set("mended", 1)

    answer = ruby(f'post("/retries/{failed}", "retry" => "Retry")')

    assert answer["status"] == 302
    eventually(lambda: redis.lrange("ran", 0, -1) == [b"f1"], "it runs here")
    assert redis.zcard("retry") == 0


def test_kill_and_delete_take_it_away(failed: str, ruby: Ruby, redis: Redis) -> None:
    ruby(f'post("/retries/{failed}", "kill" => "Kill")')
    assert (redis.zcard("retry"), redis.zcard("dead")) == (0, 1)

    ruby('job = Sidekiq::DeadSet.new.first; post("/morgue/#{job.score}-#{job.jid}", "delete" => "Delete")')
    assert redis.zcard("dead") == 0


def test_a_dead_job_is_tried_again_by_the_page(worker: Running, ruby: Ruby, redis: Redis) -> None:
    push(redis, FAILING.replace('"retry":5', '"retry":0'))
    eventually(lambda: redis.zcard("dead"), "it dies")
    redis.set("mended", 1)

    ruby('job = Sidekiq::DeadSet.new.first; post("/morgue/#{job.score}-#{job.jid}", "retry" => "Retry")')

    eventually(lambda: redis.lrange("ran", 0, -1) == [b"f1"], "it runs here")


def test_quiet_and_stop_of_the_page_act_on_our_worker(worker: Running, ruby: Ruby, redis: Redis) -> None:
    identity = ruby("Sidekiq::ProcessSet.new.first.identity")

    ruby(f'post("/busy", "identity" => "{identity}", "quiet" => "1")')
    worker.wait_for("Draining")
    eventually(lambda: redis.hget(identity, "quiet") == b"true", "it tells that it is quiet")
    push(redis, '{"class":"NoteMatterJob","args":[],"jid":"n1"}')
    assert ruby("Sidekiq::ProcessSet.new.first.stopping?") is True

    ruby(f'post("/busy", "identity" => "{identity}", "stop" => "1")')
    assert worker.popen.wait(PATIENCE_SECONDS) == 0
    assert redis.llen("queue:default") == 1
    assert ruby("Sidekiq::ProcessSet.new.size") == 0


def test_every_page_shows_what_we_wrote(worker: Running, failed: str, ruby: Ruby, redis: Redis) -> None:
    push(redis, '{"class":"HoldThingJob","args":[],"jid":"h1","created_at":1.5,"enqueued_at":1.5}')
    push(redis, "nonsense")
    redis.zadd("schedule", {'{"class":"LaterJob","args":[],"jid":"s1","queue":"default","created_at":1.5}': 4e9})
    eventually(lambda: redis.zcard("dead"), "the nonsense is buried")
    eventually(lambda: redis.keys("*:work"), "the busy job shows")

    paths = ["/", "/busy", "/queues", "/queues/default", "/retries", "/scheduled", "/morgue", "/stats"]
    pages = dict(zip(paths, ruby(f"{paths!r}.map {{ |path| get(path) }}"), strict=True))
    redis.rpush("let go", 1)

    assert {path: page["status"] for path, page in pages.items()} == dict.fromkeys(paths, 200)
    assert "HoldThingJob" in pages["/busy"]["body"]
    assert "python" in pages["/busy"]["body"]
    assert "LaterJob" in pages["/scheduled"]["body"]
    assert "UnreadablePayload" in pages["/morgue"]["body"]
    assert re.search(r'"processed":1,"failed":1,"busy":1,"processes":1', pages["/stats"]["body"])


def test_rubys_api_reads_our_worker_and_the_job_it_runs(worker: Running, ruby: Ruby, redis: Redis) -> None:
    began = int(time.time())
    push(redis, '{"class":"HoldThingJob","args":[],"jid":"h1","created_at":1.5,"enqueued_at":1.5}')
    eventually(lambda: redis.keys("*:work"), "the busy job shows")

    seen = ruby(
        """
        process = Sidekiq::ProcessSet.new.first
        work = Sidekiq::Workers.new.map { |id, _, work| [id, *work.values_at("queue", "run_at", "payload")] }
        { "process" => %w[pid concurrency queues tag busy].to_h { |name| [name, process[name]] },
          "identity" => process.identity, "stopping" => process.stopping?, "work" => work }
        """
    )
    redis.rpush("let go", 1)

    assert seen["process"]["pid"] == worker.popen.pid
    assert (seen["process"]["concurrency"], seen["process"]["queues"]) == (3, ["default"])
    assert (seen["process"]["tag"], seen["process"]["busy"], seen["stopping"]) == ("python", 1, False)
    [[identity, queue, run_at, payload]] = seen["work"]
    assert (identity, queue, payload["jid"]) == (seen["identity"], "default", "h1")
    assert began <= run_at <= time.time()


def test_rubys_api_reads_our_queues_sets_and_counts(
    worker: Running, failed: str, ruby: Ruby, redis: Redis, app: App
) -> None:
    push(redis, "nonsense")
    push(redis, '{"class":"NoteMatterJob","args":[],"jid":"n1"}')
    eventually(lambda: redis.zcard("dead") and redis.llen("ran"), "both are done")
    assert worker.end() == 0
    program = (
        "from shop.jobs import NoteMatterJob as Job; Job.perform_async(1, 'ß'); Job.perform_in(3600, 2);"
        "Job.set(queue='low').perform_bulk([[3], [4]])"
    )
    assert app.run("-c", program).returncode == 0

    seen = ruby(
        """
        job, later = Sidekiq::Queue.new.first, Sidekiq::ScheduledSet.new.first
        retried, dead, stats = Sidekiq::RetrySet.new.first, Sidekiq::DeadSet.new.first, Sidekiq::Stats.new
        { "job" => [job.klass, job.args, job.queue], "since" => [job.created_at.to_f, job.enqueued_at.to_f],
          "latency" => job.latency, "queues" => stats.queues, "later" => [later.klass, later.args, later.at.to_f],
          "retried" => [retried.klass, retried["retry_count"], retried["error_class"], retried["failed_at"]],
          "at" => retried.at.to_f, "dead" => [dead.klass, dead["error_message"]],
          "stats" => [stats.processed, stats.failed, stats.retry_size, stats.dead_size, stats.scheduled_size],
          "days" => %w[processed failed].map { |name| Sidekiq::Stats::History.new(1).send(name).values } }
        """
    )

    now = time.time()
    assert seen["job"] == ["NoteMatterJob", [1, "ß"], "default"]
    assert all(now - 60 < since <= now for since in seen["since"])
    assert 0 <= seen["latency"] < 60
    assert seen["queues"] == {"default": 1, "low": 2}
    assert seen["later"][:2] == ["NoteMatterJob", [2]]
    assert now + 3500 < seen["later"][2] < now + 3601
    assert seen["retried"][:3] == ["BreakThingJob", 0, "ValueError"]
    assert seen["at"] - seen["retried"][3] >= 15
    assert seen["dead"][0] == "UnreadablePayload"
    assert seen["dead"][1].startswith("not JSON")
    assert seen["stats"] == [2, 1, 1, 1, 1]
    assert seen["days"] == [[2], [1]]


def test_a_process_that_was_killed_leaves_rubys_list_and_its_job_is_not_lost(
    worker: Running, app: App, ruby: Ruby, redis: Redis, start: Callable[[], Running]
) -> None:
    push(redis, '{"class":"HoldThingJob","args":[],"jid":"h1"}')
    eventually(lambda: redis.llen("ran") == 1, "it runs")
    worker.popen.kill()

    other = start()

    eventually(lambda: redis.llen("ran") == 2, "it runs again")
    assert ruby("Sidekiq::ProcessSet.new.map { |process| process['pid'] }") == [other.popen.pid]
    redis.rpush("let go", 1, 2)


@pytest.fixture
def start(app: App) -> Callable[[], Running]:
    """Starts another worker."""
    return lambda: app.start("worker", "-r", "shop")
