"""The sample application with real processes, killed for real."""

import json
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App

pytestmark = pytest.mark.process


def mails(app: App) -> Counter[str]:
    """How often each mail is in the outbox."""
    path = app.folder / "tmp" / "outbox"
    return Counter(str(message["Message-ID"]) for message in Maildir(path)) if path.exists() else Counter()


def sent(app: App) -> int:
    with closing(sqlite3.connect(app.folder / "db" / "app.sqlite3")) as connection:
        count: int = connection.execute("SELECT count(*) FROM reminders").fetchone()[0]
    return count


def due(app: App) -> int:
    code = (
        "from datetime import UTC, datetime; from db.reminders import due_reminders;"
        "print(len(due_reminders(datetime.now(UTC))))"
    )
    return int(app.run("-c", code).stdout)


def make_all_due(app: App, count: int) -> None:
    """Make `count` assignments due tomorrow."""
    code = (
        "import sys; from datetime import datetime, timedelta; from db.database import SCHOOL_ZONE, transaction\n"
        "tomorrow = (datetime.now(SCHOOL_ZONE).date() + timedelta(days=1)).isoformat()\n"
        "with transaction() as c:\n"
        "    c.execute('UPDATE assignments SET completed = id > ?, due_on = ?', [int(sys.argv[1]), tomorrow])\n"
    )
    done = app.run("-c", code, str(count))
    assert done.returncode == 0, done.stderr


def test_the_daily_reminders_are_mailed_once_each_and_not_again_the_same_day(sample: App) -> None:
    wanted = due(sample)
    both = sample.start("dev")
    for _ in range(2):
        fired = sample.clock("fire", "assignment.reminders")
        assert fired.returncode == 0, fired.stdout + fired.stderr
    eventually(lambda: both.output.count("SendAssignmentReminderJob") == 2 * wanted, "all reminders to run twice")

    assert both.end(signal.SIGINT) == 0, both.output
    assert sent(sample) == wanted > 100
    assert set(mails(sample).values()) == {1}
    assert len(mails(sample)) == wanted
    assert "worker |" in both.output
    assert "clock  |" in both.output


PAUSE = """
import os
import threading
from clock import server_middleware

begun = threading.Semaphore(int(os.environ.get("PAUSE_AFTER", 10**6)))

@server_middleware.add
def pause(job, payload, queue):
    begun.acquire()
"""


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_300_reminders_loses_none(sample: App) -> None:
    make_all_due(sample, 300)
    sample.write("jobs/pause.py", PAUSE)
    sample.environ["PAUSE_AFTER"] = "200"
    worker = sample.start("worker", "-r", "jobs")
    sample.clock("fire", "assignment.reminders")
    eventually(lambda: len(mails(sample)) > 100, "a third of the mails")
    worker.end(signal.SIGKILL)
    before = sent(sample)

    del sample.environ["PAUSE_AFTER"]
    again = sample.start("worker", "-r", "jobs")
    eventually(
        lambda: sent(sample) == 300, lambda: f"all reminders, {before} before the kill:\n{again.output[-2000:]}"
    )

    again.end()
    twice = {name: count for name, count in mails(sample).items() if count > 1}
    assert len(mails(sample)) == 300
    assert len(twice) <= 1, "more than the one that was between its mail and its note"
    assert 0 < before < 300


def test_a_payload_pushed_by_hand_in_sidekiqs_format_is_run(sample: App) -> None:
    make_all_due(sample, 300)
    worker = sample.start("worker", "-r", "jobs")
    payload = {
        "class": "SendAssignmentReminderJob",
        "args": [7, "due_tomorrow"],
        "jid": "b9b4c6dded71b38868804f3a",
    }
    with sample.redis() as redis:
        redis.lpush("queue:default", json.dumps(payload))

    worker.wait_for("SendAssignmentReminderJob b9b4c6dded71b38868804f3a done")
    assert len(mails(sample)) == 1


def test_a_payload_under_the_jobs_old_name_is_run(sample: App) -> None:
    make_all_due(sample, 300)
    worker = sample.start("worker", "-r", "jobs")
    with sample.redis() as redis:
        redis.lpush(
            "queue:default", '{"class":"SendAssignmentNotificationJob","args":[7,"due_tomorrow"],"jid":"x"}'
        )

    worker.wait_for("SendAssignmentNotificationJob x done")
    assert len(mails(sample)) == 1


class Inbox(MessageHandler):
    """What an SMTP server has been given."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)


@pytest.fixture
def inbox(free_port: int) -> Iterator[tuple[Inbox, str]]:
    handler = Inbox()
    server = Controller(handler, hostname="127.0.0.1", port=free_port, ready_timeout=PATIENCE_SECONDS)
    server.start()
    yield handler, f"smtp://127.0.0.1:{free_port}"
    server.stop()


@pytest.mark.slow
def test_mails_go_to_an_smtp_server_where_one_is_named(sample: App, inbox: tuple[Inbox, str]) -> None:
    handler, sample.environ["SMTP_URL"] = inbox
    wanted = due(sample)
    worker = sample.start("worker", "-r", "jobs")
    sample.clock("fire", "assignment.reminders")

    eventually(lambda: sent(sample) == wanted, lambda: f"all reminders:\n{worker.output[-2000:]}")
    assert len({message["Message-ID"] for message in handler.messages}) == len(handler.messages) == wanted
    assert not mails(sample)
    assert "is due" in handler.messages[0].get_payload()


@pytest.fixture
def redis_server(tmp_path: Path, free_port: int) -> Iterator[str]:
    """Debian's redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    server = subprocess.Popen(
        [program, "--port", str(free_port), "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "Ready to accept connections" in line:
            break
    drain = threading.Thread(target=server.stdout.read, daemon=True)
    drain.start()
    yield f"redis://127.0.0.1:{free_port}/0"
    server.terminate()
    server.wait()
    drain.join()
    server.stdout.close()


def test_the_application_runs_on_a_real_redis_named_by_redis_url(sample: App, redis_server: str) -> None:
    sample.environ["REDIS_URL"] = redis_server
    wanted = due(sample)
    both = sample.start("dev")
    sample.clock("fire", "assignment.reminders")

    eventually(lambda: sent(sample) == wanted, lambda: f"all reminders:\n{both.output[-2000:]}")
    assert both.end(signal.SIGINT) == 0
    assert not (sample.folder / ".clock").exists()
    assert len(mails(sample)) == wanted
