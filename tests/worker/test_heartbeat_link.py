"""What a worker knows of the heartbeats that another process has sent for it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta

import pytest

from clock.testing import FakeClock
from clock.worker.heartbeat import heartbeat_link
from clock.worker.heartbeat.heartbeat_link import RESTART_SECONDS, HeartbeatLink
from clock.worker.heartbeat.heartbeat_process import REPORT, Assignment
from tests.patience import eventually

EXPIRES_SECONDS = 20.0
PID = 2**22 + 1  # of no process


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, its = socket.socketpair()
    ours.setblocking(False)
    with ours, its:
        yield ours, its


@pytest.fixture
def link(ends: tuple[socket.socket, socket.socket], fake_clock: FakeClock) -> HeartbeatLink:
    found = HeartbeatLink(ends[0], clock=fake_clock)
    found.assign(Assignment("here:1:a", "redis://localhost", beat_seconds=5, frozen_seconds=1800))
    return found


def test_a_worker_was_heard_if_the_heartbeats_go_back_far_enough_and_on_until_now(
    link: HeartbeatLink, ends: tuple[socket.socket, socket.socket], fake_clock: FakeClock
) -> None:
    began = fake_clock.monotonic()
    fake_clock.advance(timedelta(seconds=100))
    now = fake_clock.monotonic()
    assert not link.has_beaten_since(began)

    for first, last, heard in [
        (began - 50, now - 4, True),
        (began + EXPIRES_SECONDS, now - EXPIRES_SECONDS, True),
        (began + EXPIRES_SECONDS + 1, now, False),  # a gap, after which jobs may have been given away
        (began, now - EXPIRES_SECONDS - 1, False),  # Redis gets no heartbeats now
    ]:
        message = REPORT.pack(PID, began, began) + REPORT.pack(PID, first, last)
        ends[1].send(message[:20])  # a message may arrive in pieces
        link.has_beaten_since(began)
        ends[1].send(message[20:])
        assert link.has_beaten_since(began) is heard


def test_a_heartbeat_process_that_has_ended_vouches_for_nothing(
    link: HeartbeatLink,
    ends: tuple[socket.socket, socket.socket],
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = fake_clock.monotonic()
    ends[1].send(REPORT.pack(PID, now, now))
    assert link.has_beaten_since(now)

    ends[1].close()

    assert not link.has_beaten_since(now)
    assert "has exited" in caplog.text
    link.sign()  # a sign that nobody gets is no error
    link.close()
    link.close()


def test_the_assignment_comes_before_the_signs(
    link: HeartbeatLink, ends: tuple[socket.socket, socket.socket]
) -> None:
    link.sign()

    line, _, signs = ends[1].recv(4096).partition(b"\n")

    assert Assignment.from_line(line).identity == "here:1:a"
    assert signs == b"."


def test_a_worker_without_descriptors_goes_on_without_a_heartbeat_process_and_tries_again(
    link: HeartbeatLink,
    ends: tuple[socket.socket, socket.socket],
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", refuse)
    ends[1].close()

    for tries in range(3):
        assert caplog.text.count("Too many open files") == tries
        fake_clock.advance(timedelta(seconds=RESTART_SECONDS + 1))
        link.tend()


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The starts of heartbeat processes, which all fail."""
    found: list[str] = []

    def refuse() -> None:
        found.append("start")
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", refuse)
    return found


def test_a_heartbeat_process_that_runs_is_not_replaced(
    link: HeartbeatLink, starts: list[str], fake_clock: FakeClock
) -> None:
    for _ in range(3):
        fake_clock.advance(timedelta(seconds=100))
        link.tend()

    assert starts == []


def test_a_heartbeat_process_is_started_again_after_five_seconds(
    link: HeartbeatLink, ends: tuple[socket.socket, socket.socket], starts: list[str], fake_clock: FakeClock
) -> None:
    fake_clock.advance(timedelta(seconds=100))
    ends[1].close()
    seen = []

    for seconds in (0, 4.5, 1, 4.5, 1):
        fake_clock.advance(timedelta(seconds=seconds))
        link.tend()
        seen.append(len(starts))

    assert seen == [1, 1, 2, 2, 3]


def test_without_an_assignment_no_heartbeat_process_is_started(starts: list[str], fake_clock: FakeClock) -> None:
    link = HeartbeatLink(None, clock=fake_clock)
    fake_clock.advance(timedelta(seconds=100))

    link.tend()
    link.close()

    assert starts == []


@pytest.mark.parametrize(("first", "last", "heard"), [(0.0, 0.0, True), (0.5, 0.0, False), (0.0, -0.5, False)])
def test_before_its_assignment_a_heartbeat_process_must_have_sent_heartbeats_all_the_time(
    ends: tuple[socket.socket, socket.socket], fake_clock: FakeClock, first: float, last: float, heard: bool
) -> None:
    fake_clock.advance(timedelta(seconds=100))
    now = fake_clock.monotonic()
    link = HeartbeatLink(ends[0], clock=fake_clock)
    ends[1].send(REPORT.pack(PID, now + first, now + last))

    assert link.has_beaten_since(now) is heard


def test_a_heartbeat_process_is_killed_at_the_end_if_its_id_is_known(
    link: HeartbeatLink, ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    ends[1].send(REPORT.pack(PID, 0.0, 0.0))

    link.close()
    link.close()

    assert killed == [(PID, signal.SIGKILL)]
    assert ends[0].fileno() == -1


def test_a_heartbeat_process_that_has_sent_nothing_ends_with_its_channel(
    link: HeartbeatLink, ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nobody knows its id"))

    link.close()

    assert ends[0].fileno() == -1


def test_a_heartbeat_process_whose_program_cannot_be_started_is_tried_again(
    link: HeartbeatLink,
    ends: tuple[socket.socket, socket.socket],
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "run", refuse)
    ends[1].close()
    fake_clock.advance(timedelta(seconds=RESTART_SECONDS + 1))

    link.tend()

    assert "Could not start a heartbeat process; retrying: [Errno 12] Cannot allocate memory" in caplog.text


def test_a_worker_that_cannot_fork_goes_on_without_a_heartbeat_process(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)

    with heartbeat_link.heartbeat_link(clock=fake_clock) as link:
        link.sign()
        assert not link.has_beaten_since(fake_clock.monotonic())

    assert "Could not start a heartbeat process: [Errno 11] Resource temporarily unavailable" in caplog.text
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_heartbeat_process_that_fails_ends_and_returns_into_no_code_of_the_worker(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("it cannot run")

    monkeypatch.setattr(heartbeat_link, "run_beside", fail)

    with heartbeat_link.heartbeat_link(clock=fake_clock) as link:

        def has_ended() -> bool:
            link.tend()
            return "has exited" in caplog.text

        eventually(has_ended, "the end of the heartbeat process")
