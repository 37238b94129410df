"""A Redis Cluster is refused at the start, by all who would use it."""

from __future__ import annotations

import pytest
from redis import Redis

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect
from tests.process.conftest import App
from tests.servers import Servers, port_of

pytestmark = pytest.mark.process

SAID = "this is a Redis Cluster (cluster mode on); clock needs a server without cluster mode, or Sentinel: turn"


@pytest.fixture
def cluster(servers: Servers) -> Redis:
    """A server with cluster mode on, and users who may not ask what it is."""
    server = servers.start("--cluster-enabled", "yes")
    server.acl_setuser("blind", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"])
    return server


def test_a_clock_a_worker_and_a_push_end_with_one_line(app: App, cluster: Redis) -> None:
    app.environ["REDIS_URL"] = f"redis://127.0.0.1:{port_of(cluster)}/0"
    app.write("lib/clock.py", "from clock import every\n\nevery().second.do(print)\n")
    app.write("jobs/__init__.py", "")

    for words in (["lib/clock.py"], ["worker"], ["status"]):
        ended = app.clock(*words)
        assert ended.returncode == 1, words
        assert SAID in ended.stderr, words
        assert ended.stderr.count("\n") == 1, words
    push = "from clock import Job\nclass WorkJob(Job):\n    def perform(self): ...\nWorkJob.perform_async()"
    assert SAID in app.run("-c", push).stderr.splitlines()[-1]


def test_a_user_that_may_not_ask_for_info_is_refused_as_well(cluster: Redis, servers: Servers) -> None:
    with pytest.raises(StoreError) as caught:
        connect(f"redis://blind:x@127.0.0.1:{port_of(cluster)}/0")

    assert SAID in str(caught.value)
    assert caught.value.cause == "cluster"
    assert not isinstance(caught.value, StoreUnavailable)


def test_a_user_that_may_not_ask_for_info_may_use_a_server_that_is_no_cluster(servers: Servers) -> None:
    server = servers.start()
    for commands in (["-info"], ["-info", "-readwrite"]):
        server.acl_setuser("blind", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=commands)

        redis = connect(f"redis://blind:x@127.0.0.1:{port_of(server)}/0")

        assert redis.ping()
        redis.close()
