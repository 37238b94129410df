"""An event loop's own connection to real servers with TLS, and to the primary that a sentinel names."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from clock import Job
from clock.errors import StoreUnavailable
from clock.store.server.connection import connect, using_default
from clock.store.server.loop_link import OFTEN
from tests.patience import PATIENCE_SECONDS, eventually
from tests.servers import Servers, certificates, port_of
from tests.store.test_sentinels import fails_over, monitoring

pytestmark = pytest.mark.process
QUEUE = "queue:default"


class SealNoteJob(Job):
    def perform(self, number: int, text: str = "") -> None: ...


async def push_many(count: int, text: str = "") -> set[str]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return set(await asyncio.gather(*(SealNoteJob.aperform_async(n, text) for n in range(count))))


async def new_threads(count: int, text: str = "") -> set[int | None]:
    """The threads that start while so many jobs are pushed, with a loop that has its own connection."""
    before = {thread.ident for thread in threading.enumerate()}
    assert len(await push_many(count, text)) == count
    return {thread.ident for thread in threading.enumerate()} - before


async def get_connection() -> None:
    for _ in range(OFTEN):
        await push_many(1)


@pytest.fixture
def tls(servers: Servers, tmp_path: Path) -> tuple[Redis, str]:
    """A server with TLS, and its URL with our authority."""
    authority = certificates(tmp_path)
    files = {"--tls-cert-file": "server.crt", "--tls-key-file": "server.key", "--tls-ca-cert-file": "ca.crt"}
    words = [word for option, file in files.items() for word in (option, str(tmp_path / file))]
    server = servers.start(
        *words, "--tls-auth-clients", "no", tls=True, ssl=True, ssl_ca_certs=str(authority), decode_responses=True
    )
    return server, f"rediss://127.0.0.1:{port_of(server)}?ssl_ca_certs={authority}"


def test_a_loop_pushes_over_tls_without_threads(tls: tuple[Redis, str]) -> None:
    server, url = tls

    async def body() -> None:
        await get_connection()
        assert await new_threads(50) == set()
        assert await new_threads(20, "x" * 300_000) == set()  # more than the socket holds
        server.client_kill_filter(_type="normal", skipme=True)
        await push_many(3)  # a closed connection costs no push

    with closing(connect(url, is_application=True)) as ours, using_default(ours):
        asyncio.run(body())

    assert server.llen(QUEUE) == OFTEN + 73
    assert [len(one) > 300_000 for one in server.lrange(QUEUE, 3, 22)] == [True] * 20


@pytest.mark.slow
def test_a_loop_follows_the_primary_of_a_sentinel(servers: Servers) -> None:
    old = servers.start()
    new = servers.start("--replicaof", "127.0.0.1", str(port_of(old)))
    sentinel = servers.start_sentinel(monitoring(old))
    url = f"redis+sentinel://127.0.0.1:{port_of(sentinel)}/main"

    async def body() -> None:
        await get_connection()
        assert await new_threads(20) == set()
        await asyncio.to_thread(eventually, lambda: fails_over(sentinel), "a replica that the sentinel knows")
        await asyncio.to_thread(eventually, lambda: new.info("replication")["role"] == "master", "a new primary")
        while not await pushed_to(new):
            await asyncio.sleep(0.1)
        await get_connection()
        assert await new_threads(20) == set()

    with closing(connect(url, is_application=True)) as ours, using_default(ours):
        asyncio.run(asyncio.wait_for(body(), 2 * PATIENCE_SECONDS))

    assert new.llen(QUEUE) >= OFTEN + 20  # the replica may have missed those before


async def pushed_to(new: Redis) -> bool:
    before = new.llen(QUEUE)
    try:
        await push_many(1)
    except StoreUnavailable:
        return False
    return bool(new.llen(QUEUE) > before)
