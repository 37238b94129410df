"""A planned fail-over: the name of the server leads to another one, and the old one answers on as its replica."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis

from clock.errors import StoreUnavailable
from clock.store.server.connection import connect
from tests.patience import eventually
from tests.process.conftest import App
from tests.process.moving_address import MovingAddress
from tests.servers import Servers, port_of, push

pytestmark = [pytest.mark.process, pytest.mark.slow]

CLOCK_FILE = """
from clock import DUE_AT, every
from jobs.note_job import NoteJob

every(1).seconds.catch_up("all").named("each-second").do(NoteJob, DUE_AT)  # a retry may come a second later
"""
NOTE_JOB = """
from pathlib import Path
from clock import Job

class NoteJob(Job):
    def perform(self, what):
        with Path("notes").open("a") as notes:
            notes.write(f"{what}\\n")
"""
FIRINGS = 8  # on the new server, before all is looked at


class Pushes:
    """A thread that pushes the whole time, and what it has pushed."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url, max_connections=4, is_application=True)
        self._stop = threading.Event()
        self.done: list[str] = []
        self.failed: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._redis.close()

    def push(self, redis: Redis, what: str) -> None:
        """Push one job. Raises StoreUnavailable."""
        push(redis, f'{{"class":"NoteJob","args":["{what}"],"jid":"{what}","queue":"default","retry":true}}')

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            what = f"push {len(self.done) + len(self.failed)}"
            try:
                self.push(self._redis, what)
            except StoreUnavailable:
                self.failed.append(what)
            else:
                self.done.append(what)


@pytest.fixture
def old(servers: Servers) -> Redis:
    return servers.start("--repl-diskless-sync-delay", "0")


@pytest.fixture
def new(servers: Servers) -> Redis:
    return servers.start("--repl-diskless-sync-delay", "0")


@pytest.fixture
def address(old: Redis) -> Iterator[MovingAddress]:
    found = MovingAddress(port_of(old))
    yield found
    found.close()


def clients(redis: Redis) -> list[str]:
    """The connections to a server, but for replication and the test's own."""
    mine = redis.client_id()
    return [
        f"{client['name']} {client['cmd']}"
        for client in redis.client_list()
        if int(client["id"]) != mine and not set(client["flags"]) & set("MS")
    ]


def switch(old: Redis, new: Redis, address: MovingAddress) -> None:
    """Let `new` be the primary and `old` its replica, without a lost write; then change the name."""
    old.execute_command("FAILOVER", "TO", "127.0.0.1", port_of(new), "TIMEOUT", 10_000)  # type: ignore[no-untyped-call]  # untyped there
    eventually(lambda: new.info("replication")["role"] == "master", "the new primary")
    address.target = port_of(new)


def test_after_a_planned_fail_over_everybody_works_on_the_new_server_and_has_left_the_old_one(
    app: App, old: Redis, new: Redis, address: MovingAddress
) -> None:
    new.replicaof("127.0.0.1", port_of(old))
    eventually(lambda: new.info("replication")["master_link_status"] == "up", "the replica")
    app.environ["REDIS_URL"] = f"redis://127.0.0.1:{address.port}/0"
    app.write("lib/clock.py", CLOCK_FILE)
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    processes = [app.start(), app.start(), app.start("worker", "-r", "jobs", "-q", "default", "-q", "other")]
    pushes = Pushes(app.environ["REDIS_URL"])
    notes = app.folder / "notes"
    eventually(lambda: notes.exists() and len(notes.read_text().splitlines()) > 20, "jobs on the old server")

    switch(old, new, address)
    before = len(firings(notes))
    eventually(lambda: len(firings(notes)) >= before + FIRINGS, "firings on the new server")
    eventually(lambda: not clients(old), "an old server without clients")

    pushes.stop()
    eventually(lambda: not new.llen("queue:default"), "an empty queue")
    for process in processes:
        process.end()
    counts = Counter(notes.read_text().splitlines())
    assert [what for what, count in counts.items() if count > 1] == []
    assert set(pushes.done) <= set(counts), "a push was lost"
    assert not set(pushes.failed) & set(counts), "a push that was refused has run"
    assert gaps(firings(notes)) == []


def firings(notes: Path) -> list[int]:
    """The due instants that were noted, in seconds of the day."""
    times = [line[11:19].split(":") for line in notes.read_text().splitlines() if line.startswith("20")]
    return sorted(int(hours) * 3600 + int(minutes) * 60 + int(seconds) for hours, minutes, seconds in times)


def gaps(found: list[int]) -> list[int]:
    """The instants between which one is missing."""
    return [earlier for earlier, later in pairwise(found) if later - earlier not in (1, -86_399)]
