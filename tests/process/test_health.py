"""Health as the process's own data tell it: through HTTP, with a real Redis that goes away."""

from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.process.conftest import App, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text; 0: nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:  # our own server
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except URLError:
        return 0, ""


def test_a_clock_tells_that_it_is_ready_and_counts_its_firings(app: App, free_port: int) -> None:
    app.write("lib/clock.py", "from clock import every\nevery().second.do(print, 'tick').named('tick')\n")
    clock = app.start("run", "--health-port", str(free_port))

    clock.wait_for("Triggering 'tick'")

    assert get(free_port, "/live") == (200, "ok\n")
    assert get(free_port, "/ready") == (200, "ok\n")
    eventually(
        lambda: 'clock_firings_total{event="tick",outcome="fired"}' in get(free_port, "/metrics")[1], "count"
    )
    assert "clock_leader 1.0" in get(free_port, "/metrics")[1]
    assert clock.end() == 0


def test_a_worker_counts_its_jobs(app: App, free_port: int) -> None:
    app.write("jobs/__init__.py", "")
    app.write(
        "jobs/a_job.py",
        "from clock import Job\nclass AJob(Job):\n    def perform(self) -> None: print('did it')\n",
    )
    worker = app.start("worker", "--health-port", str(free_port))
    worker.wait_for("Starting worker")
    assert app.run("-c", "from jobs.a_job import AJob; AJob.perform_async()").returncode == 0

    worker.wait_for("did it")

    assert get(free_port, "/ready") == (200, "ok\n")
    eventually(
        lambda: 'clock_jobs_total{job="AJob",outcome="done",queue="default"} 1.0' in get(free_port, "/metrics")[1],
        "count",
    )
    assert worker.end() == 0


def test_a_port_that_is_taken_is_told_in_one_line(app: App, free_port: int) -> None:
    app.write("lib/clock.py", "")
    first = app.start("run", "--health-port", str(free_port))
    first.wait_for("Health on port")

    second = app.clock("run", "--health-port", str(free_port))

    assert second.returncode == 1
    assert second.stderr == f"clock: --health-port {free_port} cannot be used: Address already in use\n"
    first.end()
