"""Encrypted jobs in a worker: decrypted only for `perform`, parked without their key."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock import Job, server_middleware
from clock.inspection.status import status
from clock.job.encryption import VARIABLE, key_ids, new_key
from clock.store.jobs.delayed import Delayed
from clock.worker.maintenance.recovery import unpark
from tests.job.redis_rows import waiting
from tests.worker.conftest import NOW, Bench

Build = Callable[..., Bench]
SECRET: dict[str, object] = {"ssn": "078-05-1120"}
seen: list[object] = []


class SecretThingJob(Job):
    encrypt = True

    def perform(self, number: int, secret: dict[str, object]) -> None:
        seen.append((number, dict(secret)))
        secret.clear()
        if number < 0:
            raise RuntimeError("boom")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    seen.clear()
    key = new_key()
    monkeypatch.setenv(VARIABLE, key)
    return key


def list_of(members: Any) -> list[bytes]:
    return list(members)


def test_perform_gets_the_dict_and_the_middleware_the_payload_as_it_is_in_redis(bench: Build) -> None:
    payloads: list[str] = []
    middleware = server_middleware.add(lambda job, payload, queue: payloads.append(str(payload)))
    try:
        SecretThingJob.perform_async(7, SECRET)
        bench().run_all()
    finally:
        server_middleware.remove(middleware)

    assert seen == [(7, SECRET)]
    assert "v1:" in payloads[0]
    assert "078-05" not in payloads[0]


def test_a_retry_stays_encrypted_and_can_be_decrypted(bench: Build, redis: Redis) -> None:
    SecretThingJob.perform_async(-1, SECRET)
    worker = bench()
    worker.run_all()

    [member] = list_of(redis.zrange("retry", 0, -1))
    assert b"078-05" not in member
    redis.lpush("queue:default", member)
    worker.run_all()
    assert seen == [(-1, SECRET)] * 2


def test_without_its_key_a_job_is_parked_until_a_worker_has_the_key(
    bench: Build, redis: Redis, key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    SecretThingJob.perform_async(7, SECRET)
    [key_id] = key_ids()
    for keys in ("", new_key()):
        monkeypatch.setenv(VARIABLE, keys)
        bench().run_all()
        assert unpark(Delayed(redis)) == 0
        redis.rpoplpush(f"clock:parked:encryption key {key_id}", "queue:default")
    bench().run_all()

    assert f"cannot decrypt with the key {key_id}: add it to CLOCK_ENCRYPTION_KEYS" in caplog.text
    assert [line for line in status(redis, NOW).problems if "parked" in line] == [
        f"jobs are parked, because no worker has their encryption key: {key_id} (1)"
    ]
    monkeypatch.setenv(VARIABLE, f"{new_key()},{key}")
    assert unpark(Delayed(redis)) == 1
    bench().run_all()
    assert seen == [(7, SECRET)]


def test_a_copied_argument_goes_to_dead_unread(bench: Build, redis: Redis) -> None:
    SecretThingJob.perform_async(7, SECRET)
    payload = waiting(redis, "default")[0]
    redis.delete("queue:default")
    redis.lpush("queue:default", json.dumps({**payload, "jid": "another"}))

    bench().run_all()

    assert seen == []
    [dead] = list_of(redis.zrange("dead", 0, -1))
    assert json.loads(dead)["error_class"] == "UndecryptableArgument"


def test_jobs_that_were_pushed_before_the_class_had_the_option_run(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", json.dumps({"class": "SecretThingJob", "args": [7, SECRET], "jid": "1"}))

    bench().run_all()

    assert seen == [(7, SECRET)]
