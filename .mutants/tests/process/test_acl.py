"""The users of Redis that the deploying guide gives: each may do its work, and nothing else."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from clock.store.server.checks.permissions import of_clock, of_worker
from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

ADMIN = "user default off\nuser admin on >admin ~* &* +@all\n"


@pytest.fixture
def server(tmp_path: Path, repository: Path, free_port: int) -> Iterator[str]:
    """A server with the guide's users; its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server is installed")
    guide = (repository / "docs/deploying.md").read_text()
    [users] = re.findall(r"```text\n# users.acl\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "users.acl").write_text(ADMIN + users)
    address = f"127.0.0.1:{free_port}"
    options = ["--port", str(free_port), "--aclfile", str(tmp_path / "users.acl"), "--save", ""]
    popen = subprocess.Popen([program, *options, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    with Redis.from_url(f"redis://admin:admin@{address}") as admin:
        eventually(lambda: answers(admin), "the server")
    yield address
    popen.terminate()
    popen.wait()


def answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False


@pytest.fixture
def working(app: App) -> App:
    """An application with a job that works and one that fails."""
    app.write("jobs/__init__.py", "")
    app.write(
        "jobs/a_job.py",
        "from clock import Job\n"
        "class WorkJob(Job):\n    def perform(self) -> None: print('worked')\n"
        "class FailJob(Job):\n    def perform(self) -> None: raise ValueError('on purpose')\n",
    )
    app.write(
        "lib/clock.py",
        "from clock import every\nfrom jobs.a_job import FailJob, WorkJob\n"
        "every().second.do(WorkJob).named('work')\nevery().second.do(FailJob).named('fail')\n",
    )
    return app


def denied(server: str, user: str) -> set[str]:
    """What the server has refused to a user."""
    with Redis.from_url(f"redis://admin:admin@{server}", decode_responses=True) as admin:
        return {entry["object"] for entry in admin.acl_log() if entry["username"] == user}


def test_the_user_of_clock_and_worker_may_do_all_that_they_do(working: App, server: str) -> None:
    app = working
    app.environ["REDIS_URL"] = f"redis://clock:change-me@{server}/0"
    clock, worker = app.start("lib/clock.py"), app.start("worker")

    worker.wait_for("worked")
    worker.wait_for("(retry 1/25 in")
    commands = [["status"], ["list"], ["retry", "list"], ["queue", "list"], ["dead", "list"], ["doctor"]]
    commands += [["retry", "kill", "--class", "*", "--yes"], ["dead", "clear", "--yes"], ["pause", "work"]]
    outputs = {" ".join(words): app.clock(*words) for words in commands}
    codes = [clock.end(), worker.end()]

    assert codes == [0, 0]
    assert not [name for name, ended in outputs.items() if ended.stderr], outputs
    assert denied(server, "clock") <= {"config|get"}  # the doctor asks, and does without an answer


def test_clocks_and_workers_use_no_command_but_those_that_they_ask_for_at_their_start(
    working: App, server: str
) -> None:
    needed = {command[0] for command in [*of_clock(), *of_worker("host:1:a", ["default"])]}
    rules = [
        "on",
        ">secret",
        "~*",
        "&*",
        "+@connection",
        "+evalsha",
        "+script|load",
        *(f"+{name}" for name in needed),
    ]
    with Redis.from_url(f"redis://admin:admin@{server}") as admin:
        admin.execute_command("ACL", "SETUSER", "least", *rules)
    working.environ["REDIS_URL"] = f"redis://least:secret@{server}/0"

    clocks = [working.start("lib/clock.py"), working.start("lib/clock.py")]
    worker = working.start("worker")
    for clock in clocks:
        clock.wait_for("Starting clock")
    worker.wait_for("worked")
    worker.wait_for("(retry 1/25 in")
    codes = [process.end() for process in (*clocks, worker)]

    assert codes == [0, 0, 0]
    assert denied(server, "least") <= {"info"}  # they ask, and do without an answer


def test_a_program_that_only_pushes_can_do_nothing_else(app: App, server: str) -> None:
    app.environ["REDIS_URL"] = f"redis://pusher:change-me-too@{server}/0"
    app.write("a_job.py", "from clock import Job\nclass WorkJob(Job):\n    def perform(self) -> None: ...\n")

    pushed = app.run("-c", "from a_job import WorkJob; WorkJob.perform_async(); WorkJob.perform_in(0.1)")

    assert pushed.returncode == 0, pushed.stderr
    with Redis.from_url(app.environ["REDIS_URL"]) as pusher:
        for command in (
            ["LRANGE", "queue:default", "0", "-1"],
            ["FLUSHALL"],
            ["SET", "queue:x", "1"],
            ["KEYS", "*"],
            ["SADD", "queue:evil", "x"],
            ["ZADD", "queue:evil", "1", "x"],
            ["LPUSH", "queues", "x"],
            ["LPUSH", "schedule", "x"],
            ["SADD", "schedule", "x"],
            ["LPUSH", "clock:hand_over", "x"],
        ):
            with pytest.raises(NoPermissionError):
                pusher.execute_command(*command)
