import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clock.clocks import SystemClock
from clock.health.probes import Vitals
from clock.health.systemd import Notifier, notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        yield listener


def received(systemd: socket.socket) -> str:
    return systemd.recv(1_000).decode()


def new(systemd: socket.socket, vitals: Vitals, limit_seconds: float | None = None) -> Notifier:
    return Notifier(systemd.getsockname(), lambda: vitals, clock=SystemClock(), limit_seconds=limit_seconds)


def test_systemd_receives_ready_then_signs_of_life_then_stopping(systemd: socket.socket) -> None:
    part = new(systemd, Vitals(), limit_seconds=0.03)

    part.start()
    told = [received(systemd) for _ in range(4)]
    part.stop()
    part.stop()

    assert told == ["READY=1", *["STATUS=ready\nWATCHDOG=1"] * 3]
    while (last := received(systemd)) != "STOPPING=1":
        assert last == told[-1]
    assert [thread.name for thread in threading.enumerate()].count("systemd") == 0


def test_a_process_that_only_waits_for_redis_is_alive(systemd: socket.socket) -> None:
    new(systemd, Vitals((), ("Redis does not\nanswer",)), 60).notify()

    assert received(systemd) == "STATUS=Redis does not answer\nWATCHDOG=1"


def test_a_process_that_is_not_alive_sends_no_sign_of_life(systemd: socket.socket) -> None:
    new(systemd, Vitals(("the last tick was 400 s ago",), ("another",)), 60).notify()

    assert received(systemd) == "STATUS=the last tick was 400 s ago"


def test_without_a_watchdog_it_sends_only_the_state(systemd: socket.socket) -> None:
    new(systemd, Vitals()).notify()

    assert received(systemd) == "STATUS=ready"


def test_a_missing_socket_is_one_warning_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = Notifier(str(tmp_path / "none"), Vitals, clock=SystemClock())

    part.notify()
    part.notify()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "systemd does not receive the state of this process" in caplog.text


def test_an_abstract_socket_is_used() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0clock-test-{os.getpid()}")
        listener.settimeout(30)

        Notifier(f"@clock-test-{os.getpid()}", Vitals, clock=SystemClock()).notify()

        assert received(listener) == "STATUS=ready"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),  # that of a parent
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_limit_is_that_of_this_process(environ: dict[str, str], seconds: float | None) -> None:
    given = {"NOTIFY_SOCKET": "/run/notify", **environ}

    part = notifier(Vitals, clock=SystemClock(), environ=given)

    assert part is not None
    assert part._has_watchdog == (seconds is not None)
    assert seconds is None or part._seconds == seconds / 3
    assert given == {}, "a process that a job starts inherits none of them"


@pytest.mark.parametrize("address", ["", "tcp:1", "relative"])
def test_without_a_socket_of_systemd_nothing_is_sent(address: str) -> None:
    assert notifier(Vitals, clock=SystemClock(), environ={"NOTIFY_SOCKET": address}) is None
