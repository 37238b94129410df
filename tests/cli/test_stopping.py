"""How a command stops: in order, at once, and within a limit. Real processes are stopped in tests/process."""

import logging
import math
import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from clock.cli import app
from clock.cli.stopping import DOUBLED_SECONDS, Stopping, leave
from clock.rehearsal.fake_clock import FakeClock
from tests.patience import PATIENCE_SECONDS

START = datetime(2026, 11, 24, 6, tzinfo=UTC)


class _Left(BaseException):
    """The process would have ended."""


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes with which the process would have ended."""
    found: list[int] = []

    def end(code: int) -> None:
        found.append(code)
        raise _Left

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    return found


def stopping(
    clock: FakeClock, calls: list[str], *, patience_seconds: float = math.inf, by_launcher: bool = False
) -> Stopping:
    return Stopping(
        lambda: calls.append("stop"),
        lambda: calls.append("stop now"),
        clock=clock,
        patience_seconds=patience_seconds,
        by_launcher=by_launcher,
    )


@pytest.mark.parametrize(
    ("signals", "calls"),
    [
        (["SIGTERM", "SIGTERM"], ["stop", "stop now"]),
        (["SIGTERM", "SIGTERM", "SIGQUIT", "SIGINT"], ["stop", "stop now"]),
        (["SIGTERM", "SIGHUP"], ["stop"]),
        (["SIGHUP", "SIGINT"], ["stop", "stop now"]),
        (["SIGQUIT"], ["stop now"]),
    ],
)
def test_the_first_signal_stops_in_order_and_the_second_at_once(signals: list[str], calls: list[str]) -> None:
    clock, found = FakeClock(START), list[str]()
    handlers = stopping(clock, found).handlers()

    for name in signals:
        handlers[signal.Signals[name]]()
        clock.advance(timedelta(seconds=1))

    assert found == calls


def test_a_signal_that_arrives_twice_is_one_request() -> None:
    clock, calls = FakeClock(START), list[str]()
    parts = stopping(clock, calls)

    parts.ask()
    clock.advance(timedelta(seconds=DOUBLED_SECONDS / 2))
    parts.ask()

    assert calls == ["stop"]


def test_a_process_of_a_launcher_stops_at_once_only_by_quit() -> None:
    clock, calls = FakeClock(START), list[str]()
    parts = stopping(clock, calls, by_launcher=True)

    parts.ask()
    clock.advance(timedelta(seconds=1))
    parts.ask()
    assert calls == ["stop"]
    parts.ask_now()

    assert calls == ["stop", "stop now"]


def test_a_process_that_has_not_exited_within_its_limit_is_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, left = FakeClock(START), threading.Event()
    monkeypatch.setattr("clock.cli.stopping.leave", left.set)

    stopping(clock, [], patience_seconds=10).ask()
    clock.block_until(1)
    clock.advance(timedelta(seconds=13))
    assert not left.is_set()
    clock.advance(timedelta(seconds=1))

    assert left.wait(PATIENCE_SECONDS)
    assert "The process did not exit within 14 s of the signal; killing it" in caplog.text


def test_a_process_leaves_with_its_exit_code_and_ends_its_own_processes(
    monkeypatch: pytest.MonkeyPatch, ended: list[int]
) -> None:
    terminated: list[str] = []
    child = SimpleNamespace(terminate=lambda: terminated.append("child"))
    monkeypatch.setitem(sys.modules, "multiprocessing", SimpleNamespace(active_children=lambda: [child]))

    with pytest.raises(_Left):
        leave(3)

    assert (ended, terminated) == ([3], ["child"])


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["status", "--intervall", "1"], 2)])
def test_a_thread_of_a_clock_file_that_still_runs_does_not_hold_up_the_exit(
    monkeypatch: pytest.MonkeyPatch, ended: list[int], words: list[str], code: int
) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    monkeypatch.setattr(app, "left_running", {thread})
    monkeypatch.setattr(app, "THREAD_SECONDS", 0.01)
    monkeypatch.setattr(sys, "argv", ["clock", *words])

    thread.start()
    with pytest.raises(_Left):
        app.main()
    release.set()
    thread.join()
    with pytest.raises(SystemExit):
        app.main()

    assert ended == [code]
