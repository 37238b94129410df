"""What a process imports with clock."""

import json
import resource

import pytest

import clock
from tests.process.conftest import App

pytestmark = pytest.mark.process

PUSHING = """
import json, sys
from clock import Job, client_middleware, death_handler, enqueue, job

class SendReceiptJob(Job):
    def perform(self, order_id): ...

@job(queue="mail")
def send_report(day): ...

SendReceiptJob.perform_async(7)
send_report.perform_async("today")
loaded = sorted(name for name in sys.modules if name.startswith("clock.") or "." not in name)

from clock import every
assert every.__module__.startswith("clock.timetable")
print(json.dumps(loaded))
"""


@pytest.mark.usefixtures("redis")
def test_a_process_that_pushes_jobs_loads_no_clock_no_worker_and_no_command_line(app: App, redis_url: str) -> None:
    app.environ["REDIS_URL"] = redis_url

    ended = app.run("-c", PUSHING)

    assert ended.returncode == 0, ended.stderr
    rooms = {name.split(".")[1] for name in json.loads(ended.stdout) if name.startswith("clock.")}
    assert "store" in rooms
    assert not rooms & {
        "ticker",
        "worker",
        "timetable",
        "cli",
        "rehearsal",
        "inspection",
        "testing",
        "web",
        "health",
    }
    assert not {"schedule", "click", "cronsim", "jinja2", "uvicorn"} & set(json.loads(ended.stdout))


#: redis-py alone, and the same with clock. Without OpenTelemetry, which redis-py imports if it is installed.
WITHOUT = "import os, sys; sys.modules['opentelemetry'] = None; import redis; "
BY_REDIS = WITHOUT + "redis.Redis.from_url(os.environ['REDIS_URL']).lpush('queue:default', '{}')"
BY_CLOCK = WITHOUT + "from clock import enqueue; enqueue('SendReceiptJob', [7])"
ROUNDS = 12  # at most: the fastest of each kind count, and the first rounds are enough on a quiet machine
LIMIT = 0.55  # of the CPU that redis-py needs; clock needs 0.4, and 0.75 if the timetable is imported, too


@pytest.mark.usefixtures("redis")
def test_a_process_that_pushes_needs_little_more_cpu_than_one_with_redis_alone(app: App, redis_url: str) -> None:
    app.environ["REDIS_URL"] = redis_url
    fastest = dict.fromkeys((BY_REDIS, BY_CLOCK), float("inf"))

    for _ in range(ROUNDS):
        for code in fastest:
            fastest[code] = min(fastest[code], cpu_seconds(app, code))
        if fastest[BY_CLOCK] < (1 + LIMIT) * fastest[BY_REDIS]:
            return

    pytest.fail(f"redis alone {fastest[BY_REDIS]:.3f} s of CPU, with clock {fastest[BY_CLOCK]:.3f} s")


def cpu_seconds(app: App, code: str) -> float:
    """The CPU time of a process that runs the code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = app.run("-c", code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0, ended.stderr
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_every_public_name_is_there() -> None:
    assert [name for name in clock.__all__ if not hasattr(clock, name)] == []
    assert set(clock.__all__) <= set(dir(clock))
    with pytest.raises(AttributeError, match="module 'clock' has no attribute 'evry'"):
        clock.evry  # type: ignore[attr-defined]  # noqa: B018  # the look-up is the test


def test_the_decorator_of_jobs_may_be_the_first_name_that_is_imported(app: App) -> None:
    """`clock.job` is also the name of a package, which is imported then."""
    code = "from clock import job\n@job\ndef add(n): return n + 1\nprint(add(1), add.perform_inline(1))\n"

    ended = app.run("-c", code)

    assert (ended.stdout, ended.stderr) == ("2 2\n", "")
