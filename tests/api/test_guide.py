"""`docs/api.md`: its code runs as it stands."""

import asyncio
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
from redis import Redis

from clock import api
from clock.api.job_ref import State
from tests.api.conftest import Payload

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_the_code_of_the_guide_runs(redis: Redis, payload: Payload, code: str) -> None:
    for name in ("schedule", "retry", "dead"):
        jobs = {payload(f"{n}", error_class="TimeoutError", error_message="timeout"): n for n in range(50)}
        redis.zadd(name, {member: at + 1_795_500_000 for member, at in jobs.items()})
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("2f9b51d4c0d3a86e7b1f0c5d"))
    names: dict[str, object] = {}

    exec(code, names)  # noqa: S102  # it is our own

    for value in names.values():
        if inspect.iscoroutinefunction(value):
            assert asyncio.run(value())


OBJECTS = ("Queue", "ScheduledSet", "RetrySet", "DeadSet", "Workers", "Clocks", "Stats", "Events", "JobRef")


def test_the_guide_names_every_object_and_every_condition() -> None:
    assert all(f"`{name}(" in GUIDE for name in OBJECTS)
    assert all(f"`{name}=" in GUIDE for name in api.Conditions.__optional_keys__)


def test_the_guide_names_every_state_of_a_job() -> None:
    [sentence] = re.findall(r"^`state` is (.*?)\.", GUIDE, re.MULTILINE | re.DOTALL)

    assert set(re.findall(r"`(\w+)`", sentence)) == set(get_args(State))
