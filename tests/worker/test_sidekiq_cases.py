"""Where failed jobs go: payloads as Ruby writes them, and what Sidekiq does with them, as one table."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from clock.job import Job, server_middleware
from clock.job.payload import Payload
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import BreakThingJob, ExitThingJob

Build = Callable[..., Bench]
SECOND = NOW.timestamp()


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("this error has no text")


class RaiseNamedErrorJob(Job):
    """Raises an error of the kind that its argument names."""

    def perform(self, kind: str) -> None:
        raise {
            "mute": MuteError(),
            "bytes": ValueError(b"\xff".decode(errors="surrogateescape")),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "long": ValueError("x" * 100_000),
            "generator": GeneratorExit(),
        }[kind]


#: fields of the payload -> the set that gets it ("": it is gone), and its count of retries there
PLACES: list[tuple[dict[str, Any], str, int | None]] = [
    ({}, "retry", 0),
    ({"retry": True}, "retry", 0),
    ({"retry": True, "retry_count": 0}, "retry", 1),
    ({"retry": True, "retry_count": 23}, "retry", 24),
    ({"retry": True, "retry_count": 24}, "dead", 25),
    ({"retry": 10, "retry_count": 8}, "retry", 9),
    ({"retry": 10, "retry_count": 9}, "dead", 10),
    ({"retry": 0}, "dead", 0),
    ({"retry": 1}, "retry", 0),
    ({"retry": 1, "retry_count": 0}, "dead", 1),
    ({"retry": 2, "retry_count": 0}, "retry", 1),
    ({"retry": False}, "", None),
    ({"retry": False, "dead": True}, "", None),
    ({"retry": 0, "dead": False}, "", None),
    ({"retry": True, "retry_count": 24, "dead": False}, "", None),
    ({"retry": True, "retry_for": 3600}, "retry", 0),
    ({"retry_for": 3600, "retry_count": 50, "failed_at": SECOND - 60}, "retry", 51),
    ({"retry_for": 3600, "retry_count": 50, "failed_at": int((SECOND - 60) * 1000)}, "retry", 51),
    ({"retry_for": 3600, "retry_count": 1, "failed_at": SECOND - 3601}, "dead", 2),
    ({"retry_for": 3600, "retry_count": 1, "failed_at": int((SECOND - 3601) * 1000)}, "dead", 2),
    ({"retry_for": 3600, "retry_count": 1, "failed_at": SECOND - 3601, "dead": False}, "", None),
    ({"retry_count": "many"}, "retry", 0),
    ({"retry_count": None}, "retry", 0),
]


def push(redis: Redis, job: type[Job], args: list[object], **fields: object) -> None:
    payload = {"class": job.wire_name, "args": args, "jid": "0" * 24, "queue": "default", **fields}
    redis.lpush("queue:default", json.dumps({"created_at": SECOND, "enqueued_at": SECOND, **payload}))


def found(redis: Redis) -> tuple[str, dict[str, Any]]:
    for place in ("retry", "dead"):
        rows: Any = redis.zrange(place, 0, -1)
        if rows:
            return place, json.loads(rows[0])
    return "", {}


@pytest.mark.parametrize(("fields", "place", "count"), PLACES)
def test_a_failed_job_goes_where_sidekiq_sends_it(
    fields: dict[str, Any], place: str, count: int | None, bench: Build, redis: Redis
) -> None:
    push(redis, BreakThingJob, [], bid="b1", trace_id="t1", **fields)

    bench().run_all()

    there, payload = found(redis)
    assert (there, payload.get("retry_count")) == (place, count)
    if there:
        assert (payload["bid"], payload["trace_id"], payload["args"]) == ("b1", "t1", [])
        assert payload["error_class"]


def test_a_job_that_its_middleware_skips_counts_as_done(bench: Build, redis: Redis) -> None:
    @contextmanager
    def skip(job: Job, payload: Payload, queue: str) -> Iterator[None]:
        yield from ()

    push(redis, BreakThingJob, [])
    server_middleware.add(skip)
    try:
        bench().run_all()
    finally:
        server_middleware.remove(skip)

    assert (found(redis), redis.llen("queue:default")) == (("", {}), 0)
    assert (redis.get("stat:processed"), redis.get("stat:failed")) == (b"1", None)


@pytest.mark.parametrize("kind", ["mute", "bytes", "exit", "interrupt", "long", "generator"])
def test_any_error_is_a_failure_with_a_text_that_redis_can_hold(kind: str, bench: Build, redis: Redis) -> None:
    push(redis, RaiseNamedErrorJob, [kind])
    push(redis, ExitThingJob, [])

    assert bench().run_all() == 2  # the worker goes on

    rows: Any = redis.zrange("retry", 0, -1)
    payloads = [json.loads(row) for row in rows]
    assert len(payloads) == 2
    assert all(payload["error_message"].encode() is not None for payload in payloads)


@pytest.mark.parametrize(("asked", "most"), [(True, 99), (1, 1), (2, 2), (0, 0), (False, 0)])
def test_a_backtrace_has_as_many_lines_as_the_payload_asks_for(
    asked: object, most: int, bench: Build, redis: Redis
) -> None:
    push(redis, BreakThingJob, [], backtrace=asked)

    bench().run_all()

    packed = found(redis)[1].get("error_backtrace")
    lines = json.loads(zlib.decompress(base64.b64decode(packed))) if packed else []
    assert len(lines) <= most
    assert bool(lines) is bool(most)


@pytest.mark.parametrize("queue", ["low", None, ""])
def test_a_retry_goes_to_the_queue_that_the_payload_names(queue: str | None, bench: Build, redis: Redis) -> None:
    push(redis, BreakThingJob, [], retry_queue=queue)

    bench().run_all()

    assert found(redis)[1]["queue"] == (queue or "default")
