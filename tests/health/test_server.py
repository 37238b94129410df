import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request as UrlRequest
from urllib.request import urlopen

import pytest

from clock.cli.health_port import health_of_children
from clock.config import Config
from clock.errors import ConfigurationError, StoreUnavailable
from clock.health import probe_http
from clock.health.probes import Vitals, clock_complaints, complaints
from clock.health.server import ASKING, HealthServer
from clock.store import Redis, keys
from clock.store.ledger import next_due
from tests.patience import PATIENCE_SECONDS
from tests.servers import free_port


@dataclass
class Signs:
    """A process as its probes see it."""

    leads: bool = True
    problems: Sequence[str] = ()
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
    found = HealthServer("127.0.0.1", 0, lambda: vitals[-1], lambda: behind, None)
    found.start()
    yield found
    found.stop()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    return talk_to(server.port, path)


def talk_to(port: int | None, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as answer:  # our own server
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
    assert complaint.startswith("event 'nightly' is overdue: it was due 9")
    assert clock_complaints(redis, 600) == ()


def test_metrics_without_their_package_say_how_to_get_it(server: HealthServer) -> None:
    status, text = get(server, "/metrics")

    assert status == 501
    assert "pip install 'clockd[metrics]'" in text


def test_another_path_says_which_there_are(server: HealthServer) -> None:
    assert get(server, "/health") == (404, "Available: /live, /ready, /clock and /metrics.\n")


def test_a_port_that_is_taken_is_an_error_of_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"--health-port {port} cannot be used on 127.0.0.1: Address"):
            HealthServer("127.0.0.1", port, Vitals, list, None)


def test_an_address_that_is_not_this_machines_is_an_error_of_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be used on 192\.0\.2\.1: .*use another"):
        HealthServer("192.0.2.1", 0, Vitals, list, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])  # noqa: S104  # what containers need
def test_the_address_may_be_all_or_a_name(host: str) -> None:
    server = HealthServer(host, 0, Vitals, list, None)
    server.start()
    try:
        assert get(server, "/live") == (200, "ok\n")
    finally:
        server.stop()


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
        "the oldest overdue run was due 75 s ago; the limit is 60 s",
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


def talk(server: HealthServer, sent: bytes) -> bytes:
    """What the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(sent)
        with client.makefile("rb") as answer:
            return answer.read()


def test_no_answer_says_what_program_answers(server: HealthServer) -> None:
    assert b"Server:" not in talk(server, b"GET /live HTTP/1.1\r\n\r\n")
    assert b"Server:" not in talk(server, b"nonsense\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n", b"200 OK"),
        (b"GET http://x/live?full=1 HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /live HTTP/1.0\n\n", b"200 OK"),
        (b"HEAD /live HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /../live HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"GET /live\0 HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /live HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405 Method Not Allowed"),
        (b"GET http://[/live HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\r\n\r\n", b"400 Bad Request"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431 Request Header Fields Too Large"),
        (b"GET /live HTTP/1.1\r\n" + b"x-a: 0123456789\r\n" * 2_000 + b"\r\n", b"431 "),
    ],
)
def test_any_request_gets_an_answer(server: HealthServer, sent: bytes, answered: bytes) -> None:
    assert talk(server, sent).startswith(b"HTTP/1.1 " + answered)


def test_head_gets_no_body(server: HealthServer) -> None:
    assert talk(server, b"HEAD /live HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_a_client_has_a_deadline_for_its_whole_request(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_http, "CLIENT_SECONDS", 0.3)

    with socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as client:
        for sent in range(600):  # noqa: B007  # asserted below  # a byte each 0.05 s
            try:
                client.sendall(b"G")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                pass
            except ConnectionError:
                break

    assert 0 < sent < 599


def test_slow_clients_do_not_keep_a_probe_from_its_answer(server: HealthServer) -> None:
    before = threading.active_count()
    with ExitStack() as clients:
        for _ in range(probe_http.CONNECTIONS * 3):
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
            )
            client.sendall(b"GET /live HT")

        assert get(server, "/live") == (200, "ok\n")
        assert threading.active_count() <= before  # threads of earlier tests may end


def test_a_slow_page_holds_up_no_probe(vitals: list[Vitals]) -> None:
    release = threading.Event()
    server = HealthServer(
        "127.0.0.1", 0, lambda: vitals[-1], lambda: [] if release.wait(PATIENCE_SECONDS) else ["late"], None
    )
    server.start()
    before = threading.active_count()
    with ExitStack() as clients:
        for _ in range(probe_http.CONNECTIONS - 1):
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
            )
            client.sendall(b"GET /clock HTTP/1.1\r\n\r\n")

        assert get(server, "/live") == (200, "ok\n")
        assert threading.active_count() <= before + ASKING

        release.set()
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    server.stop()


def test_a_page_that_fails_is_answered(vitals: list[Vitals]) -> None:
    def fail() -> list[str]:
        raise ValueError("on purpose")

    server = HealthServer("127.0.0.1", 0, lambda: vitals[-1], fail, None)
    server.start()

    assert get(server, "/clock") == (500, "ValueError: on purpose\n")
    server.stop()


def test_the_application_of_the_metrics_gets_path_query_and_accepted_types(vitals: list[Vitals]) -> None:
    seen: dict[str, object] = {}

    def metrics(environ: dict[str, object], start: Callable[..., object]) -> list[bytes]:
        seen.update(environ)
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"clock_leader ", b"1"]

    found = HealthServer("127.0.0.1", 0, lambda: vitals[-1], list, metrics)
    found.start()
    try:
        request = UrlRequest(
            f"http://127.0.0.1:{found.port}/metrics?name[]=a", headers={"Accept": "text/plain", "X-Other": "b"}
        )
        with urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  # our own server
            assert (answer.read(), answer.headers["Content-Type"]) == (b"clock_leader 1", "text/plain")
    finally:
        found.stop()

    assert (seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/metrics", "name[]=a")
    assert seen["HTTP_ACCEPT"] == "text/plain"
    assert "HTTP_X_OTHER" not in seen


def test_a_client_that_gave_way_to_another_may_leave_while_its_page_is_made(
    server: HealthServer, behind: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), threading.Event()

    class Slow(list[str]):
        def __bool__(self) -> bool:
            asked.set()
            return not release.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(probe_http, "CONNECTIONS", 1)
    monkeypatch.setattr(server, "_clock", Slow)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(b"GET /clock HTTP/1.1\r\n\r\n")
        assert asked.wait(PATIENCE_SECONDS)
        assert get(server, "/live") == (200, "ok\n")
        assert client.recv(1) == b""  # it was the oldest
        release.set()

        assert get(server, "/clock") == (200, "ok\n")


def test_a_server_may_be_stopped_twice(server: HealthServer) -> None:
    server.stop()
    server.stop()

    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", server.port))


def test_a_redis_that_cannot_be_asked_about_the_clock_is_the_complaint(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Redis) -> None:
        raise StoreUnavailable("Redis is away")

    monkeypatch.setattr(next_due, "look", fail)

    assert clock_complaints(redis, 60) == ("Redis is away",)


def test_a_parent_without_the_package_for_metrics_still_serves_the_health_of_its_processes(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    config = Config(redis=redis_url, health_port=free_port())

    with health_of_children(config, str(tmp_path), list):
        status, _ = talk_to(config.health_port, "/metrics")

    assert status == 501
    assert "prometheus-client" in caplog.text
