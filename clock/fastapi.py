"""FastAPI and Starlette: the lifespan of the connection for pushes, and a dependency that pushes.

    app = FastAPI(lifespan=clock_lifespan())

    @app.post("/signups")
    async def sign_up(email: str, push: Annotated[Push, Depends(pusher)]) -> str:
        return await push(SendWelcomeJob, email)

A push never blocks the event loop. `await SendWelcomeJob.aperform_async(email)` does this,
too; tests can replace the dependency.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ParamSpec, Protocol

from clock.config import add_to_application
from clock.errors import JobError, StoreUnavailable
from clock.job.push.job_methods import Performs
from clock.store.server.application import check_url
from clock.store.server.connection import default

P = ParamSpec("P")
SOURCE = "clock_lifespan(redis=...)"

logger = logging.getLogger("clock.redis")


class Push(Protocol):
    """Pushes a job and returns its jid, '' if client middleware stopped it."""

    async def __call__(self, job: type[Performs[P, object]], /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job for a worker. Raises ArgumentsError, StoreUnavailable; JobError without a job."""


def clock_lifespan(
    redis: str | None = None, *, needs_redis: bool = False
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """The lifespan of an application that pushes: `FastAPI(lifespan=clock_lifespan())`.

    It connects before the first request, which makes the first push as fast as the others, and disconnects at the
    end. `redis` is a URL; REDIS_URL overrides it. If Redis is away at the start, the application starts anyway and
    logs a warning; with `needs_redis`, it raises StoreUnavailable. Raises ConfigurationError for an invalid URL.
    """
    if redis is not None:
        check_url(redis, SOURCE)

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        if redis is not None:
            add_to_application("redis", redis, SOURCE)
        connection: Any = None
        try:
            connection = await asyncio.to_thread(default)
            await asyncio.to_thread(connection.ping)
        except StoreUnavailable as error:
            if needs_redis:
                raise
            logger.warning("Pushes fail for now: %s", error)
        yield
        if connection is not None:
            connection.connection_pool.disconnect()

    return lifespan


def pusher() -> Push:
    """The dependency: `push: Annotated[Push, Depends(pusher)]`, and then `await push(SendWelcomeJob, email)`."""
    return _push


async def _push(job: Any, /, *args: Any, **kwargs: Any) -> str:
    if not hasattr(job, "aperform_async"):
        raise JobError(f"push got {job!r:.60}; it must be a job class, or a function with @job")
    jid: str = await job.aperform_async(*args, **kwargs)
    return jid
