"""`durable`: what a replica has not confirmed is reported; what it has survives a fail-over by real sentinels."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from clock import Job
from clock.errors import StoreUnavailable
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import connect, using_default
from clock.store.server.sending import ask
from tests.clusters import Cluster
from tests.patience import eventually
from tests.process.conftest import App
from tests.process.moving_address import MovingAddress
from tests.process.test_fail_over import CLOCK_FILE, NOTE_JOB, Pushes, firings, gaps
from tests.servers import Servers, port_of, push
from tests.store.test_sentinels import monitoring

pytestmark = pytest.mark.process

NOON = 1_795_521_600_000


class KeptJob(Job):
    """A job that is only pushed."""

    def perform(self) -> None:
        """Never runs."""


@pytest.fixture
def primary(servers: Servers) -> Redis:
    return servers.start("--repl-diskless-sync-delay", "0")


@pytest.fixture
def replica(servers: Servers, primary: Redis) -> Redis:
    found = servers.start("--replicaof", f"127.0.0.1 {port_of(primary)}")
    eventually(lambda: found.info("replication")["master_link_status"] == "up", "the replica")
    return found


def process_of(server: Redis) -> int:
    return int(server.info("server")["process_id"])


@contextmanager
def stopped(server: Redis) -> Iterator[None]:
    """Stop a server's process for the block, as a machine that hangs: its connections stay open."""
    pid = process_of(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_it_a_fail_over_loses_a_push_that_succeeded(primary: Redis, replica: Redis) -> None:
    redis = connect(f"redis://127.0.0.1:{port_of(primary)}")

    with stopped(replica):
        primary.client_kill_filter(_type="replica")  # what follows does not even reach its machine
        push(redis)
        os.kill(process_of(primary), signal.SIGKILL)
    replica.replicaof("no", "one")

    assert replica.llen("queue:default") == 0
    redis.close()


def test_a_push_that_no_replica_has_is_reported_and_can_be_repeated(primary: Redis, replica: Redis) -> None:
    redis = connect(f"redis://127.0.0.1:{port_of(primary)}", durable=1)
    plain = connect(f"redis://127.0.0.1:{port_of(primary)}")

    push(redis)
    with stopped(replica):
        with pytest.raises(StoreUnavailable, match="Too few replicas") as caught:
            push(redis)
        assert caught.value.cause == "not_replicated"
        with using_default(plain):
            KeptJob.perform_async()
            with pytest.raises(StoreUnavailable, match="0 of 1"):
                KeptJob.set(durable=1).perform_async()
            with pytest.raises(StoreUnavailable, match="Too few replicas"):
                KeptJob.set(durable=1).perform_bulk([[], []])
            for _ in range(2):  # the second time the job holds its lock, and nothing is written
                with pytest.raises(StoreUnavailable, match="0 of 1"):
                    KeptJob.set(durable=1, unique=True).perform_async()
        with using_default(redis), pytest.raises(StoreUnavailable, match="0 of 1"):
            KeptJob.set(unique=True, queue="other").perform_async()
    eventually(lambda: replica.llen("queue:default") == 7, "all pushes on the replica")
    for connection in (redis, plain):
        connection.close()


def test_a_firing_that_no_replica_has_is_decided_again_once(primary: Redis, replica: Redis) -> None:
    ledger = RedisLedger(connect(f"redis://127.0.0.1:{port_of(primary)}", durable=1))
    [entry] = ledger.declare([("event", "every second")], NOON)
    decision = Decision(
        "event", "every second", entry.decided_ms, NOON, DecisionKind.FIRED, pushes=[Push("{}", "default")]
    )

    with stopped(replica):
        for _ in range(2):  # also when it is decided already, and the script writes nothing
            with pytest.raises(StoreUnavailable, match="0 of 1 confirmed it"):
                ledger.commit([decision])

    assert ledger.commit([decision]) == [Verdict.DECIDED_ALREADY]
    assert replica.llen("queue:default") == 1


def test_the_next_command_after_a_refused_durable_one_gets_its_own_answer(primary: Redis) -> None:
    primary.acl_setuser("half", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-set"])
    redis = connect(f"redis://half:x@127.0.0.1:{port_of(primary)}", durable=1)

    with pytest.raises(NoPermissionError):
        ask(redis, "RPUSH", "list", 1, 2, 3)()

    assert redis.llen("list") == 3
    redis.close()


def test_a_primary_that_loses_its_role_before_a_replica_has_the_push_does_not_confirm_it(
    primary: Redis, servers: Servers
) -> None:
    new, address = servers.start("--repl-diskless-sync-delay", "0"), MovingAddress(port_of(primary))
    redis = connect(f"redis://127.0.0.1:{address.port}", durable=1)

    def fail_over() -> None:
        eventually(lambda: primary.llen("queue:default") == 1, "the push on the old primary")
        address.target = port_of(new)
        primary.replicaof("127.0.0.1", port_of(new))

    with ThreadPoolExecutor() as threads:
        failed_over = threads.submit(fail_over)
        with pytest.raises(StoreUnavailable) as caught:
            push(redis)
        failed_over.result()

    assert caught.value.cause == "not_replicated"
    assert new.llen("queue:default") == 0
    redis.close()
    address.close()


@pytest.mark.slow
def test_a_fail_over_by_sentinels_loses_nothing_that_was_confirmed(
    app: App, servers: Servers, primary: Redis, replica: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentinel = servers.start_sentinel(monitoring(primary))
    service = f"127.0.0.1:{port_of(sentinel)}/main"
    eventually(lambda: sentinel.sentinel_slaves("main"), "the sentinel knows the replica")
    monkeypatch.setenv("CLOCK_DURABLE", "1")
    app.environ |= {"REDIS_URL": f"redis+sentinel://{service}", "CLOCK_DURABLE": "1"}
    app.write("lib/clock.py", CLOCK_FILE.replace(".do(", '.catch_up("all").do('))
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    processes = [app.start(), app.start("worker")]
    pushes = Pushes(app.environ["REDIS_URL"])
    notes = app.folder / "notes"
    eventually(lambda: notes.exists() and len(firings(notes)) >= 3, "firings before the fail-over")

    os.kill(process_of(primary), signal.SIGKILL)
    eventually(lambda: replica.info("replication")["role"] == "master", "the new primary")
    spare = servers.start("--replicaof", f"127.0.0.1 {port_of(replica)}")
    eventually(lambda: spare.info("replication")["master_link_status"] == "up", "another replica")
    before, done = len(set(firings(notes))), len(pushes.done)
    eventually(lambda: len(set(firings(notes))) >= before + 3, "firings after the fail-over")
    eventually(lambda: len(pushes.done) > done + 10, "pushes after the fail-over")

    pushes.stop()
    eventually(lambda: not replica.llen("queue:default"), "an empty queue")
    ended = [process.end() for process in processes]
    ran = set(notes.read_text().splitlines())
    assert ended == [0, 0]
    assert set(pushes.done) <= ran, "a confirmed push was lost"
    assert gaps(sorted(set(firings(notes)))) == []


def test_a_push_to_a_moving_slot_must_be_confirmed_on_both_nodes(servers: Servers) -> None:
    cluster = Cluster(servers, replicas=1)
    target = cluster.nodes[0]  # the one with a replica
    space = next(name for name in ("shop", "mail", "news", "blog") if cluster.owner(name) is not target)
    push(connect(cluster.url, namespace=space), "{}")
    source, _ = cluster.begin_move(space, target)
    source.migrate("127.0.0.1", port_of(target), f"{{{space}}}:queues", 0, 5_000)

    with pytest.raises(StoreUnavailable, match="0 of 1 confirmed it"):
        push(connect(cluster.url, namespace=space, durable=1), "{}")
