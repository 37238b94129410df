"""StatsD by UDP, to a socket of the test."""

import socket
from collections.abc import Callable, Iterator

import pytest

from clock.clocks import SystemClock
from clock.errors import ConfigurationError
from clock.health.statsd import PACKET, Statsd, statsd_in
from clock.job.context import JobRun
from clock.store.ledger.decision import Decision, DecisionKind

RUN = JobRun({"class": "Send:Mail|Job"}, "default", "done", 0.25)
FIRED = Decision("nightly mail", "", 0, 1, DecisionKind.FIRED, {"late_ms": 3})


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(30)
        yield found


@pytest.fixture
def client(server: socket.socket) -> Callable[[str], Statsd]:
    def connect(scheme: str) -> Statsd:
        found = statsd_in({"CLOCK_STATSD": f"{scheme}127.0.0.1:{server.getsockname()[1]}"}, SystemClock())
        assert found is not None
        return found

    return connect


def test_plain_statsd_has_labels_in_the_name(server: socket.socket, client: Callable[[str], Statsd]) -> None:
    statsd = client("")
    statsd.note_run(RUN)
    statsd.note_decision(FIRED)
    statsd.flush()

    assert server.recv(PACKET).decode().splitlines() == [
        "clock_jobs_total.Send_Mail_Job.default.done:1|c",
        "clock_job_run_seconds.Send_Mail_Job:250.0|ms",
        "clock_firings_total.nightly_mail.fired:1|c",
        "clock_firing_lateness_seconds:3.0|ms",
    ]


def test_dogstatsd_has_tags(server: socket.socket, client: Callable[[str], Statsd]) -> None:
    statsd = client("dogstatsd://")
    statsd.note_run(RUN)
    statsd.note_decision(FIRED)
    statsd.flush()

    assert server.recv(PACKET).decode().splitlines() == [
        "clock_jobs_total:1|c|#job:Send_Mail_Job,queue:default,outcome:done",
        "clock_job_run_seconds:0.25|h|#job:Send_Mail_Job",
        "clock_firings_total:1|c|#event:nightly_mail,outcome:fired",
        "clock_firing_lateness_seconds:0.003|h",
    ]


def test_many_lines_are_one_packet_and_none_is_lost(
    server: socket.socket, client: Callable[[str], Statsd]
) -> None:
    statsd = client("")
    for _ in range(100):
        statsd.note_run(RUN)
    statsd.flush()

    packets: list[bytes] = []
    while sum(packet.count(b"\n") + 1 for packet in packets) < 200:
        packets.append(server.recv(65_536))
    assert len(packets) < 20
    assert max(map(len, packets)) <= PACKET


@pytest.mark.parametrize("given", ["http://x:1", "x:port", "dogstatsd://"])
def test_an_invalid_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CLOCK_STATSD is .*it must be like host:8125"):
        statsd_in({"CLOCK_STATSD": given}, SystemClock())


def test_without_an_address_nothing_is_sent() -> None:
    assert statsd_in({}, SystemClock()) is None


def test_a_run_that_was_missed_has_no_lateness_and_a_payload_that_is_no_job_counts_nowhere(
    server: socket.socket, client: Callable[[str], Statsd]
) -> None:
    statsd = client("")
    statsd.note_run(JobRun({}, "default", "unfit"))
    statsd.note_decision(Decision("nightly", "", 0, 1, DecisionKind.MISSED, {"late_ms": 3}))
    statsd.flush()

    assert server.recv(PACKET) == b"clock_firings_total.nightly.missed:1|c"


def test_a_server_that_cannot_be_reached_costs_nothing() -> None:
    statsd = statsd_in({"CLOCK_STATSD": "nowhere.invalid:8125"}, SystemClock())
    assert statsd is not None
    statsd.note_run(RUN)

    statsd.flush()
