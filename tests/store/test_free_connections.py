import sys
import threading
from queue import Empty, Full

import pytest

from clock.store.server.free_connections import FreeConnections
from tests.patience import PATIENCE_SECONDS, eventually


def filled(*links: str) -> FreeConnections:
    free = FreeConnections(max(1, len(links)))
    for link in links:
        free.put_nowait(link)
    return free


def test_the_connection_that_was_returned_last_is_given_first() -> None:
    free = filled("first", "last")

    assert [free.get_nowait(), free.get(timeout=0)] == ["last", "first"]


def test_none_is_given_if_none_is_free() -> None:
    free = filled()

    with pytest.raises(Empty):
        free.get_nowait()
    with pytest.raises(Empty):
        free.get(timeout=0.01)


def test_one_too_many_is_refused() -> None:
    free = filled("a", "b")

    with pytest.raises(Full):
        free.put_nowait("c")


def test_each_thread_that_waits_gets_the_next_one_that_is_returned() -> None:
    free, got = filled(), list[str]()

    for link in ("a", "b"):
        thread = threading.Thread(target=lambda: got.append(free.get(timeout=PATIENCE_SECONDS)))
        thread.start()
        eventually(lambda: free._waiting, "the thread that waits")
        free.put_nowait(link)
        thread.join(PATIENCE_SECONDS)

    assert got == ["a", "b"]


def test_no_connection_is_lost_or_given_twice_among_many_threads() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    free, in_use, wrong = filled("a", "b"), set[str](), []
    lock = threading.Lock()

    def use() -> None:
        for _ in range(500):
            link = free.get(timeout=PATIENCE_SECONDS)
            with lock:
                if link in in_use:
                    wrong.append(link)
                in_use.add(link)
            with lock:
                in_use.remove(link)
            free.put_nowait(link)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE_SECONDS)
    sys.setswitchinterval(interval)

    assert not wrong
    assert sorted(free.queue) == ["a", "b"]
