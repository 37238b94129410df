"""How much pushes hold up an event loop: its lag at 1,000 pushes a second, beside bare redis.asyncio.

A ticker task sleeps 1 ms again and again; its lag is how much later than that it runs. The limit for a web
application is a p99 under 2 ms. Bare `redis.asyncio` sends the same payloads with LPUSH, without checks or JSON.
Threads send the pushes to clusters and shards, for example. On a busy machine all figures are those of the other
processes: compare them, or run it with `chrt -r 5`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from clock import Job
from clock.store.server.connection import DEFAULT_CONNECTIONS as CONNECTIONS
from clock.store.server.connection import connect, set_default
from clock.store.server.embedded import embedded
from clock.store.server.loop_link import OFTEN

PER_SECOND = 1_000
SECONDS = 3
TICK = 0.001
PAYLOAD = b'{"class":"SendReminderJob","args":[1,"weekly"],"queue":"default","retry":true,"jid":"x"}'
CLUMP = 10  # pushes that begin together, 100 times a second

Push = Callable[[int], Awaitable[object]]


class SendReminderJob(Job):
    """The job that is pushed."""

    def perform(self, number: int, kind: str) -> None:
        """Never run."""


async def lags_during(push: Push | None) -> list[float]:
    """The lags in ms while jobs are pushed."""
    lags: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            begun = perf_counter()
            await asyncio.sleep(TICK)
            lags.append((perf_counter() - begun - TICK) * 1000)

    ticking = asyncio.create_task(tick())
    tasks: set[asyncio.Task[object]] = set()
    begun = perf_counter()
    for number in range(0, PER_SECOND * SECONDS, CLUMP):
        if push is not None:
            tasks |= {asyncio.ensure_future(push(number + place)) for place in range(CLUMP)}  # type: ignore[arg-type]
        await asyncio.sleep(max(0.0, begun + (number + CLUMP) / PER_SECOND - perf_counter()))
    await asyncio.gather(*tasks)
    done.set()
    await ticking
    return lags


async def measure() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        url = embedded.start_or_join(Path(folder))
        set_default(connect(url, max_connections=CONNECTIONS, is_application=True))
        bare = AsyncRedis.from_pool(BlockingConnectionPool.from_url(url, max_connections=CONNECTIONS))

        async def by_clock(number: int) -> object:
            return await SendReminderJob.aperform_async(number, "weekly")

        async def by_asyncio(number: int) -> object:
            return await bare.execute_command("LPUSH", "queue:bare", PAYLOAD)  # type: ignore[no-untyped-call]

        for name, push in (("idle loop", None), ("bare redis.asyncio", by_asyncio), ("aperform_async", by_clock)):
            await measure_one(name, push)
        set_default(connect(url, max_connections=CONNECTIONS))  # not of an application: threads send all pushes
        await measure_one("aperform_async by threads", by_clock)
        with suppress(RedisError):  # its answer
            await bare.execute_command("SHUTDOWN", "NOSAVE")  # type: ignore[no-untyped-call]


async def measure_one(name: str, push: Push | None) -> None:
    """Print the lags during the pushes, after the first ones."""
    for number in range(2 * OFTEN if push is not None else 0):
        await push(number)  # type: ignore[misc]
    report(name, sorted(await lags_during(push)))


def report(name: str, lags: Sequence[float]) -> None:
    """Print the lags of a round, in order."""
    p99 = lags[int(len(lags) * 0.99)]
    print(f"{name:<25} p50 {statistics.median(lags):6.2f} ms   p99 {p99:6.2f} ms   worst {lags[-1]:6.2f} ms")


if __name__ == "__main__":
    asyncio.run(measure())
