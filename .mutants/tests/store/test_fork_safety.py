import os
import signal

import pytest
from redis import Redis

from clock.store.ledger import held_pushes
from clock.store.server.connection import connect, default, lent, set_default
from tests.patience import eventually

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def clients(redis: Redis) -> set[str]:
    return {client["id"] for client in redis.client_list()}


def test_a_forked_child_uses_connections_of_its_own(redis: Redis, redis_url: str) -> None:
    own = connect(redis_url)
    set_default(own)
    mine = own.client_id()
    child = os.fork()
    if child == 0:
        os._exit(not own.set("id", default().client_id()))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert redis.get("id") != str(mine).encode()
    assert own.client_id() == mine
    own.close()


def test_a_child_that_runs_on_keeps_no_connection_of_its_parent_open(redis: Redis, redis_url: str) -> None:
    """A claim that waits on such a connection would take a job for a worker that is dead."""
    before = clients(redis)
    own = connect(redis_url)
    with lent(own) as link:
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        assert len(clients(redis) - before) == 1
        link._sock.close()  # without the library's shutdown, as the kernel does for a parent that was killed
        link._sock = None

    eventually(lambda: not clients(redis) - before, "the end of the connection")
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_what_a_child_pushes_while_an_event_fires_is_not_held() -> None:
    with held_pushes.holding("nightly", 0, None) as held:
        child = os.fork()
        if child == 0:
            os._exit(held_pushes.current() is not None)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert held_pushes.current() is held
