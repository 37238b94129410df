"""What a process imports with clock."""

import json

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


def test_every_public_name_is_there() -> None:
    assert [name for name in clock.__all__ if not hasattr(clock, name)] == []
    assert set(clock.__all__) <= set(dir(clock))
    with pytest.raises(AttributeError, match="module 'clock' has no attribute 'evry'"):
        clock.evry  # type: ignore[attr-defined]  # noqa: B018  # the look-up is the test
