"""Health as the process's own data tell it: through HTTP, with a real Redis that goes away."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

EVENT = "from clock import every\nevery().day.do(print).named('daily')\n"


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text; 0: nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as answer:  # our own server
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


def test_several_processes_are_told_of_on_one_port(app: App, free_port: int) -> None:
    app.environ["CLOCK_OVERDUE_AFTER"] = "2.5"
    app.write("lib/clock.py", "from clock import every\nevery().day.do(print).named('daily')\n")
    app.write("jobs/__init__.py", "")
    app.write("jobs/a_job.py", "from clock import Job\nclass AJob(Job):\n    def perform(self) -> None: ...\n")
    words = ["worker", "-p", "2", "--with-clock", "lib/clock.py", "--health-port", str(free_port)]
    worker = app.start(*words)
    eventually(lambda: get(free_port, "/ready") == (200, "ok\n"), "both processes")
    assert app.run("-c", "from jobs.a_job import AJob; AJob.perform_bulk([[]] * 400)").returncode == 0

    eventually(
        lambda: (
            'clock_jobs_total{job="AJob",outcome="done",queue="default"} 400.0' in get(free_port, "/metrics")[1]
        ),
        "the sum of both",
    )
    eventually(lambda: "\nclock_leader 1.0" in get(free_port, "/metrics")[1], "one of the clocks leads")
    assert get(free_port, "/clock") == (200, "ok\n")

    child = int(worker.output.partition("Starting worker ")[2].split(":")[1])
    os.kill(child, signal.SIGSTOP)
    eventually(lambda: f"process {child}: the clock's last tick" in get(free_port, "/ready")[1], "it hangs")
    assert get(free_port, "/live") == (200, "ok\n")
    os.kill(child, signal.SIGCONT)
    eventually(lambda: get(free_port, "/ready") == (200, "ok\n"), "it goes on")

    os.kill(child, signal.SIGKILL)
    worker.wait_for("starting another")
    eventually(lambda: get(free_port, "/ready") == (200, "ok\n"), "its replacement")
    assert worker.end() == 0


def test_a_port_that_is_taken_is_told_in_one_line(app: App, free_port: int) -> None:
    app.write("lib/clock.py", EVENT)
    first = app.start("run", "--health-port", str(free_port))
    first.wait_for("Health on port")

    second = app.clock("run", "--health-port", str(free_port))

    assert second.returncode == 1
    assert (
        second.stderr == f"clock: --health-port {free_port} cannot be used on 127.0.0.1: Address already in use; "
        "use another port or --health-host\n"
    )
    first.end()


def test_a_stuck_loop_is_alive_but_not_ready_until_it_comes_round_again(app: App, free_port: int) -> None:
    app.environ["CLOCK_OVERDUE_AFTER"] = "1.5"
    app.write(
        "lib/clock.py",
        "import threading\nfrom clock import every\n"
        "every().second.do(print, 'tick').named('tick')\n"
        "waits = [6]  # once\n"
        "every(2).seconds.do(lambda: waits and threading.Event().wait(waits.pop())).named('slow')\n",
    )
    clock = app.start("run", "--health-port", str(free_port))
    clock.wait_for("Triggering 'tick'")

    reasons: list[str] = []

    def is_stuck() -> bool:
        status, reason = get(free_port, "/ready")
        reasons.append(reason)
        return status == 503

    eventually(is_stuck, "the loop to be stuck")
    assert get(free_port, "/live") == (200, "ok\n")
    eventually(lambda: get(free_port, "/ready")[0] == 200, "the loop to come round")

    assert "the limit is 1.5 s" in reasons[-1]
    clock.end()


def test_slow_clients_of_the_health_port_do_not_hurt_a_worker(app: App, free_port: int) -> None:
    app.write("jobs/__init__.py", "")
    app.write(
        "jobs/a_job.py",
        "from clock import Job\nclass AJob(Job):\n    def perform(self) -> None: print('did it')\n",
    )
    words = ["worker", "--health-port", str(free_port)]
    worker = app.start_program("sh", "-c", f"ulimit -n 128; exec {sys.executable} -u -m clock {shlex.join(words)}")
    worker.wait_for("Health on port")
    with ExitStack() as clients, app.redis() as redis:
        for _ in range(250):
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", free_port), timeout=PATIENCE_SECONDS)
            )
            client.sendall(b"GET /live HT")
        redis.client_kill_filter(_type="normal", skipme=True)  # the worker has to connect again
        assert app.run("-c", "from jobs.a_job import AJob; AJob.perform_async()").returncode == 0

        worker.wait_for("did it")
        assert get(free_port, "/live") == (200, "ok\n")
    assert worker.end() == 0


def test_a_worker_that_redis_has_left_is_not_ready_until_it_is_back(app: App, free_port: int) -> None:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server is installed")
    address = app.folder / "redis.sock"
    words = [program, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(app.folder)]
    app.environ |= {"CLOCK_OVERDUE_AFTER": "2", "REDIS_URL": f"unix://{address}"}
    app.write("jobs/__init__.py", "")
    redis = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    eventually(address.exists, "the server")
    worker = app.start("worker", "--health-port", str(free_port))
    eventually(lambda: get(free_port, "/ready") == (200, "ok\n"), "the worker")

    redis.terminate()
    redis.wait()
    eventually(lambda: "Redis last answered a fetch" in get(free_port, "/ready")[1], "the complaint")
    assert get(free_port, "/live") == (200, "ok\n")
    redis = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    eventually(lambda: get(free_port, "/ready") == (200, "ok\n"), "the worker's recovery")

    worker.end()
    redis.terminate()
    redis.wait()
