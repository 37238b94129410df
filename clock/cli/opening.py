"""Opening what a command works with: Redis, if need be after some patience, and its time."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

from clock.cli.options import Command, answering_settings, shared_options
from clock.clocks import SystemClock
from clock.config import BY_NAME, Config
from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.store import Redis, keys
from clock.store.server.embedded.files import files_of
from clock.store.server.opening import connected, redis_clock
from clock.store.wrong_type import wrong_keys

START_SECONDS = 10.0  # a starting process waits this long for Redis: a restart or a fail-over takes a few seconds
RETRY_SECONDS = 0.5
T = TypeVar("T")

logger = logging.getLogger("clock.cli")


def identity() -> str:
    """This process's name in Redis, in Sidekiq's form: host, process id, 12 hex digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


def patiently(start: Callable[[], T]) -> T:
    """Return what `start` returns. If a fault of Redis may pass, call `start` again for `START_SECONDS`.

    Raises what `start` raises: a StoreUnavailable only if Redis has been away for that long.
    """
    clock, never, is_logged = SystemClock(), threading.Event(), False
    give_up = clock.monotonic() + START_SECONDS
    while True:
        try:
            return start()
        except StoreUnavailable as error:
            if clock.monotonic() >= give_up:
                raise
            if not is_logged:
                logger.error("%s Trying again for %g s.", error, START_SECONDS)
            is_logged = True
        clock.wait(never, RETRY_SECONDS)


@dataclass(frozen=True)
class Opened:
    """The settings of a command that reads or repairs, its connection to Redis, and Redis's time.

    The first use opens them. So a command that checks its words first reports wrong words without a connection.
    """

    options: Mapping[str, Any]

    @cached_property
    def config(self) -> Config:
        """The settings. Raises ConfigurationError."""
        return answering_settings(**self.options)

    @property
    def redis(self) -> Redis:
        """The connection. Raises as `opened`."""
        return self._opened[0]

    @property
    def clock(self) -> SystemClock:
        """Redis's time. Raises as `opened`."""
        return self._opened[1]

    @cached_property
    def _opened(self) -> tuple[Redis, SystemClock]:
        return opened(self.config)


def with_redis(command: Command) -> Command:
    """Add the options of all commands that use Redis; the command receives what they open, and its own options."""

    @wraps(command)
    def opening(*args: Any, **options: Any) -> Any:
        given = {name: options.pop(name) for name in ("config", *BY_NAME) if name in options}
        return command(Opened(given), *args, **options)

    return shared_options(opening)


def opened(config: Config, *, names_wrong_keys: bool = True) -> tuple[Redis, SystemClock]:
    """A connection for a command that reads or repairs, and Redis's time.

    With `names_wrong_keys`, a warning names keys of a wrong type, which commands skip. Raises StoreUnavailable,
    and ConfigurationError in a folder without an application: no embedded server is started there.
    """
    if not (config.redis or config.schedule):
        here = Path.cwd()
        parts = (config.clock_file, *config.require, files_of(here).home)
        if not any(path.exists() for path in parts):
            raise ConfigurationError(
                f"no clock file, jobs or data in {here}: change to the application's folder, or set REDIS_URL"
            )
    redis = connected(config, 2)
    clock = redis_clock(redis)
    with suppress(StoreError):  # this user has no permission for it
        for wrong in wrong_keys(redis) if names_wrong_keys else ():
            if not wrong.name.startswith(keys.QUEUE):  # the lists of queues name those
                logger.warning("In Redis, %s: another program wrote it; rename or delete it", wrong)
    return redis, clock
