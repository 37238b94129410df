"""The clock of `clock worker --with-clock`, on a thread of the test."""

import atexit
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from clock.cli.commands.running.run import standing_by
from clock.cli.stopping import Stopping
from clock.clocks import SystemClock
from clock.config import Config
from clock.errors import StoreError
from clock.store import keys
from tests.patience import PATIENCE_SECONDS
from tests.ticker import jobs


@pytest.fixture
def config(redis: Redis, redis_url: str, application: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(sys, "argv", ["clock"])  # the command replaces it
    file = application / "clock.py"
    file.write_text("from clock import every\nevery().second.named('tick').do(list)\n")
    return Config(clock_file=file, redis=redis_url)


def stopping() -> Stopping:
    return Stopping(lambda: None, lambda: None, clock=SystemClock())


def test_a_standby_clock_that_redis_refuses_ends_the_worker_with_the_refusal(
    config: Config, redis: Redis, redis_url: str
) -> None:
    failed = threading.Event()
    redis.acl_setuser("standby", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-xadd"])
    limited = Config(clock_file=config.clock_file, redis=redis_url.replace("//", "//standby:any@", 1))

    with (
        pytest.raises(StoreError, match="XADD"),
        standing_by(limited, None, stopping(), on_failure=failed.set),
    ):
        assert failed.wait(PATIENCE_SECONDS)
    redis.acl_deluser("standby")


@pytest.mark.slow  # the second that a clock waits for its last commit
def test_a_standby_clock_whose_action_does_not_end_gives_back_the_lease_before_its_worker_ends(
    config: Config, redis: Redis
) -> None:
    began, may_end = threading.Event(), threading.Event()

    def stuck() -> None:
        began.set()
        may_end.wait(PATIENCE_SECONDS)

    jobs.hooks["slow"] = stuck
    config.clock_file.write_text(
        "from clock import every\nfrom tests.ticker.jobs import slow\nevery().second.named('slow').do(slow)\n"
    )

    with standing_by(replace(config, stop_timeout=0), None, stopping(), on_failure=lambda: None):
        assert began.wait(PATIENCE_SECONDS)
    is_held = redis.exists(keys.LEASE)
    may_end.set()

    assert not is_held


@pytest.mark.slow
def test_a_clock_sends_its_decisions_to_statsd(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Callable[..., object]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE_SECONDS)
        monkeypatch.setenv("CLOCK_STATSD", f"127.0.0.1:{server.getsockname()[1]}")

        with standing_by(config, None, stopping(), on_failure=lambda: None):
            packet = server.recv(65_536)

    assert packet.startswith(b"clock_firings_total.tick.fired:1|c")
    assert [getattr(call, "__name__", "") for call in at_exit] == ["flush"]  # the last seconds are sent, too
