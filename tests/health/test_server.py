import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from clock.errors import ConfigurationError
from clock.health import HealthServer, Vitals, clock_complaints, complaints
from clock.health.server import _QuietHandler
from clock.store import Redis, keys


@dataclass
class Signs:
    """A process as its probes see it."""

    leads: bool = True
    seconds_since_look: float = 0
    seconds_since_round: float = 0
    seconds_overdue: float = 0
    seconds_since_fetch: float = 0


@pytest.fixture
def vitals() -> list[Vitals]:
    return [Vitals()]


@pytest.fixture
def behind() -> list[str]:
    """What is wrong with the clock."""
    return []


@pytest.fixture
def server(vitals: list[Vitals], behind: list[str]) -> Iterator[HealthServer]:
    found = HealthServer(0, lambda: vitals[-1], lambda: behind, None)
    found.start()
    yield found
    found.stop()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30) as answer:  # our own server
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_healthy_process_is_alive_and_ready(server: HealthServer) -> None:
    assert get(server, "/live") == (200, "ok\n")
    assert get(server, "/ready") == (200, "ok\n")


def test_what_is_wrong_is_told(server: HealthServer, vitals: list[Vitals]) -> None:
    vitals.append(Vitals((), ("Redis is away",)))

    assert get(server, "/live") == (200, "ok\n")
    assert get(server, "/ready") == (503, "Redis is away\n")


def test_a_clock_that_is_behind_is_told_by_every_process_and_makes_none_unready(
    server: HealthServer, behind: list[str]
) -> None:
    assert get(server, "/clock") == (200, "ok\n")

    behind.append("'nightly' is not decided")

    assert get(server, "/clock") == (503, "'nightly' is not decided\n")
    assert get(server, "/ready") == (200, "ok\n")


def test_what_the_clock_owes_is_read_from_redis(redis: Redis) -> None:
    now_ms = redis.time()[0] * 1000

    assert clock_complaints(redis, 60) == ()
    redis.hset(keys.NEXT_DUE, mapping={"event": "nightly", "due": now_ms - 90_000})

    [complaint] = clock_complaints(redis, 60)
    assert complaint.startswith("'nightly' is not decided, no clock leads; it was due 9")
    assert clock_complaints(redis, 600) == ()


def test_metrics_without_their_package_say_how_to_get_it(server: HealthServer) -> None:
    status, text = get(server, "/metrics")

    assert status == 501
    assert "pip install 'clockd[metrics]'" in text


def test_another_path_says_which_there_are(server: HealthServer) -> None:
    assert get(server, "/health") == (404, "There are /live, /ready, /clock and /metrics.\n")


def test_a_port_that_is_taken_is_an_error_of_one_line() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"--health-port {port} cannot be used: Address"):
            HealthServer(port, Vitals, list, None)


@pytest.mark.parametrize(
    ("signs", "live", "ready"),
    [
        (Signs(), True, True),
        (Signs(leads=False), True, True),
        (Signs(seconds_since_look=299, seconds_since_round=59, seconds_overdue=59), True, True),
        (Signs(seconds_since_round=61), True, False),
        (Signs(seconds_overdue=61), True, False),
        (Signs(seconds_since_look=301), False, False),
    ],
)
def test_a_clock_is_judged_by_its_loop_and_by_what_is_overdue(signs: Signs, live: bool, ready: bool) -> None:
    found = complaints(signs, None, 60)

    assert (not found.not_live, not found.not_ready) == (live, ready)


@pytest.mark.parametrize(
    ("signs", "live", "ready"),
    [
        (Signs(), True, True),
        (Signs(seconds_since_fetch=61), True, False),
        (Signs(seconds_since_look=301), False, False),
    ],
)
def test_a_worker_is_judged_by_its_fetches(signs: Signs, live: bool, ready: bool) -> None:
    found = complaints(None, signs, 60)

    assert (not found.not_live, not found.not_ready) == (live, ready)


def test_a_complaint_says_how_long_and_what_the_limit_is() -> None:
    assert complaints(Signs(seconds_overdue=75), None, 60).not_ready == (
        "the oldest undecided firing was due 75 s ago; the limit is 60 s",
    )


def test_a_worker_with_a_clock_beside_it_is_judged_by_both() -> None:
    found = complaints(Signs(seconds_overdue=75), Signs(seconds_since_fetch=90), 60)

    assert len(found.not_ready) == 2
    assert not found.not_live


def test_a_client_that_hangs_up_leaves_no_traceback(
    server: HealthServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for sent in (b"", b"GET /live HTTP/1.0\r\n", b"GET /live HTTP/1.0\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no farewell
            client.sendall(sent)
    assert get(server, "/live") == (200, "ok\n")

    assert capsys.readouterr().err == ""


def test_a_client_that_says_nothing_is_left(server: HealthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.health.server._QuietHandler.timeout", _QuietHandler.timeout / 1_000)

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        assert client.recv(1) == b""
