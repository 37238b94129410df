"""Who may write to Redis may run any registered job with any arguments, and nothing more (docs/security.md)."""

import base64
import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.worker import jobs
from tests.worker.conftest import Bench


class Bomb:
    """What runs a command where somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def push(redis: Redis, payload: bytes | dict[str, object]) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload if isinstance(payload, bytes) else json.dumps(payload))


def test_a_registered_job_runs_with_whatever_arguments_are_written(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    push(redis, {"class": "NoteThingJob", "args": ["anything"], "jid": "a"})

    bench().run_all()

    assert jobs.ran == [("a", "anything")]


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "__import__",
        "clock.job.Job",
        "Job",
        "tests.worker.jobs.NoteThingJob",
        "this",
        "../jobs/evil",
        "NoteThingJob\u200b",
    ],
)
def test_a_name_that_no_registered_job_has_runs_nothing_and_imports_nothing(
    redis: Redis, bench: Callable[..., Bench], tmp_path: Path, name: str
) -> None:
    worker = bench()
    modules = set(sys.modules)
    push(redis, {"class": name, "args": [f"touch {tmp_path}/evil"], "jid": "a"})

    worker.run_all()

    assert jobs.ran == []
    assert set(sys.modules) == modules
    assert not (tmp_path / "evil").exists()
    assert redis.smembers("clock:parked") == {name.encode()}


def test_what_is_no_json_is_never_unpickled_or_evaluated(
    redis: Redis, bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "evil"))
    evil = f"__import__('os').system('touch {tmp_path}/evil')"
    for payload in (
        bomb,
        base64.b64encode(bomb),
        evil.encode(),
        f"!!python/object/apply:os.system ['{evil}']".encode(),
    ):
        push(redis, payload)

    bench().run_all()

    assert not (tmp_path / "evil").exists()
    assert redis.zcard("dead") == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"retry_in": "os.system"},
        {"perform": "os.system"},
        {"wire_name": "other", "run": "os.system", "__class__": "os"},
        {"clock": {"event": "os.system", "due": "__import__('os')"}},
        {"retry": "os.system", "backtrace": "os.system", "timeout": "os.system"},
        {"error_backtrace": "eJwDAAAAAAE=", "tags": [["os.system"]]},
    ],
)
def test_fields_of_a_payload_are_data(redis: Redis, bench: Callable[..., Bench], fields: dict[str, Any]) -> None:
    worker = bench()
    modules = set(sys.modules)
    push(redis, {"class": "NoteThingJob", "args": ["once"], "jid": "a", **fields})

    worker.run_all()

    assert jobs.ran in ([("a", "once")], [])
    assert set(sys.modules) == modules


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"class":' * 50_000, b"1" * 1_000_000, b"\xff\xfe\x00", b"null", b""]
)
def test_a_payload_of_any_shape_is_buried_and_the_worker_goes_on(
    redis: Redis, bench: Callable[..., Bench], text: bytes
) -> None:
    push(redis, {"class": "NoteThingJob", "args": ["after"], "jid": "a"})
    redis.rpush("queue:default", text)

    assert bench().run_all() == 2
    assert jobs.ran == [("a", "after")]
    assert redis.zcard("dead") == 1
