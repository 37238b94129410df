"""`clock check --against`: the report names the jobs that a worker could not run, and no others."""

import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from clock import IterableJob, Job
from clock.job import registry
from clock.job.encryption import new_key
from clock.lint.against_redis import StoredFinding, stored_jobs
from tests.worker.conftest import Bench

QUEUES = ("default", "low")
ROUNDS = 25


@pytest.fixture
def classes() -> Iterator[Callable[..., type[Job]]]:
    """Defines job classes, each replaced by the next one of its name; None as parameters removes it."""
    known: dict[str, type[Job]] = {}

    def define(name: str, parameters: str | None, base: type = Job, **attributes: object) -> type[Job]:
        if name in known:
            registry.forget(known.pop(name))
        if parameters is not None:
            scope: dict[str, object] = {}
            exec(f"def perform(self, {parameters}): pass", scope)  # noqa: S102  # signatures drawn at random
            known[name] = type(name, (base,), {"perform": scope["perform"], "__module__": __name__, **attributes})
        return known.get(name, Job)

    yield define
    for job in known.values():
        registry.forget(job)


def drawn_parameters(dice: random.Random) -> str:
    needed = [f"a{number}" for number in range(dice.randrange(3))]
    optional = [f"b{number}=None" for number in range(dice.randrange(3))]
    return ", ".join([*needed, *optional, *(["*rest"] if dice.random() < 0.15 else [])])


def fitting_arguments(dice: random.Random, parameters: str) -> list[Any]:
    needed, most = parameters.count("a"), parameters.count("a") + parameters.count("b")
    return [dice.randrange(9) for _ in range(dice.randint(needed, most + 2 * ("*" in parameters)))]


def reported(redis: Redis) -> list[StoredFinding]:
    found = [finding for finding in stored_jobs(redis, QUEUES) if isinstance(finding, StoredFinding)]
    return [finding for finding in found if finding.level == "error"]


def enqueue_what_waits(redis: Redis) -> None:
    for place in ("schedule", "retry"):
        waiting: Any = redis.zrange(place, 0, -1)
        for member in waiting:
            redis.lpush("queue:default", member)
        redis.delete(place)


@pytest.mark.slow
def test_the_report_is_what_happens_to_the_jobs_under_signatures_changed_at_random(
    redis: Redis, bench: Callable[..., Bench], classes: Callable[..., type[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, rules = [new_key(), new_key()], set[str]()
    for seed in range(ROUNDS):
        dice = random.Random(seed)  # noqa: S311  # a failure must be repeatable
        redis.flushall()
        monkeypatch.setitem(os.environ, "CLOCK_ENCRYPTION_KEYS", ",".join(keys))
        names = [f"Drawn{number}Job" for number in range(5)]
        for name in names:
            parameters = drawn_parameters(dice)
            job = classes(name, parameters, encrypt="a0" in parameters and dice.random() < 0.5)
            for _ in range(dice.randint(1, 4)):
                args = fitting_arguments(dice, parameters)
                args = [*args[:-1], {"n": 1}] if args else []
                job.set(queue=dice.choice(QUEUES)).perform_async(*args)
                if dice.random() < 0.4:
                    job.perform_in(60, *args)
        for name in names:
            classes(name, None if dice.random() < 0.2 else drawn_parameters(dice))
        if dice.random() < 0.3:
            monkeypatch.setitem(os.environ, "CLOCK_ENCRYPTION_KEYS", keys[1])

        findings = reported(redis)
        rules |= {finding.rule for finding in findings}
        predicted = {jid for finding in findings for jid in finding.jids}
        enqueue_what_waits(redis)
        bench(f"host:{seed}:abc").run_all()

        dead = redis.zrange("dead", 0, -1)
        parked = [job for key in redis.keys("clock:parked:*") for job in redis.lrange(key, 0, -1)]
        assert predicted == {json.loads(job)["jid"] for job in [*dead, *parked]}, f"seed {seed}"
    assert rules == {"unknown-class", "arguments", "encryption-key"}


def test_an_iteration_that_would_start_over_is_reported(redis: Redis, classes: Callable[..., type[Job]]) -> None:
    class ReadRowsJob(IterableJob):
        def items(self, *, cursor: object) -> Iterator[tuple[int, int]]:
            yield from ()

        def each(self, item: int) -> None: ...

    payload = {"class": "ReadRowsJob", "args": [], "jid": "a1", "queue": "low", "iteration": {"cursor": 7}}
    redis.zadd("schedule", {json.dumps(payload): 1})

    before = reported(redis)
    registry.forget(ReadRowsJob)
    classes("ReadRowsJob", "")
    [after] = reported(redis)

    assert (before, after.rule) == ([], "cursor")


def test_a_large_queue_is_sampled_over_its_whole_length_and_the_report_says_so(redis: Redis) -> None:
    def payload(number: int) -> str:
        return json.dumps({"class": f"Gone{number // 1000}Job", "args": [], "jid": f"{number}", "queue": "low"})

    redis.sadd("queues", "low")
    redis.rpush("queue:low", *map(payload, range(5_000)))

    found = list(stored_jobs(redis, QUEUES, most=500))

    assert {finding.text.split()[3] for finding in found if finding.rule == "unknown-class"} == {
        f"Gone{number}Job:" for number in range(5)
    }
    [sampled] = [finding for finding in found if finding.rule == "sampled"]
    assert "5,000 jobs, of which 5" in sampled.text


def test_jobs_of_queues_that_other_programs_work_on_are_left_out(redis: Redis) -> None:
    redis.sadd("queues", "ruby")
    redis.lpush("queue:ruby", json.dumps({"class": "Ruby::ChargeJob", "args": [], "jid": "a1", "queue": "ruby"}))

    found = list(stored_jobs(redis, QUEUES))

    assert [(finding.rule, finding.level, finding.source) for finding in found] == [
        ("queue", "warning", "queue ruby")
    ]
