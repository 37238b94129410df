"""The heartbeat, the time after which a worker may declare others dead, and the description of running jobs."""

import json
import resource
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.clocks import SystemClock, to_ms
from clock.job.context import RunState
from clock.problems import Problems
from clock.store.jobs.moves import Claimed
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.testing import FakeClock
from clock.worker.heartbeat import heartbeat as module
from clock.worker.heartbeat.heartbeat import (
    GRACE_BEATS,
    SHOWN_BYTES,
    BeatTasks,
    Heartbeat,
    WorkerDescription,
    resident_kb,
    shown,
)
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink
from clock.worker.heartbeat.heartbeat_process import REPORT, Assignment
from clock.worker.maintenance.duties import Duties
from clock.worker.options import MISSED_BEATS, Queue, WorkerOptions
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import NoteThingJob

BEAT_SECONDS = 5.0


@pytest.fixture
def stopped_in_beat() -> list[float]:
    """For how many seconds the process is stopped while it makes its next beat."""
    return []


def said(_rtt_us: int) -> Beat:
    return Beat(info={"concurrency": 1}, busy=0, beat=0.0, rtt_us=0, quiet=False, rss=0, work={}, fetched=0.0)


@pytest.fixture
def done() -> list[str]:
    return []


@pytest.fixture
def turn(
    redis: Redis, fake_clock: FakeClock, done: list[str], stopped_in_beat: list[float]
) -> Callable[[float], list[str]]:
    """Lets so many seconds pass, and the worker beat; what it did then."""

    def describe(rtt_us: int) -> Beat:
        while stopped_in_beat:
            fake_clock.advance(timedelta(seconds=stopped_in_beat.pop()))
        return said(rtt_us)

    heartbeat = Heartbeat(
        WorkerRegister(redis),
        "here:1:a",
        BeatTasks(describe, done.append, lambda: done.append("duties"), lambda: done.append("judged")),
        beat_seconds=BEAT_SECONDS,
        clock=fake_clock,
    )

    def after(seconds: float) -> list[str]:
        fake_clock.advance(timedelta(seconds=seconds))
        done.clear()
        heartbeat.turn()
        return list(done)

    return after


def test_a_worker_that_starts_judges_nobody_until_the_others_had_time_to_be_heard(
    turn: Callable[[float], list[str]],
) -> None:
    assert turn(0) == ["duties"]
    assert turn(GRACE_BEATS * BEAT_SECONDS - 1) == ["duties"]
    assert turn(1) == ["judged", "duties"]


def test_nor_does_one_that_was_cut_off(
    turn: Callable[[float], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    turn(0)
    assert turn(MISSED_BEATS * BEAT_SECONDS) == ["judged", "duties"]

    assert turn(MISSED_BEATS * BEAT_SECONDS + 1) == ["duties"]
    assert "other workers may have taken over jobs" in caplog.text
    assert turn(GRACE_BEATS * BEAT_SECONDS) == ["judged", "duties"]


def test_nor_does_one_that_was_stopped_before_its_first_beat(
    turn: Callable[[float], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    assert turn(MISSED_BEATS * BEAT_SECONDS + 1) == ["duties"]
    assert "other workers may have taken over jobs" in caplog.text


def test_nor_does_one_that_was_stopped_in_the_middle_of_a_beat(
    turn: Callable[[float], list[str]], stopped_in_beat: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    turn(0)
    stopped_in_beat.append(MISSED_BEATS * BEAT_SECONDS + 1)

    assert turn(0) == ["duties"]
    assert "other workers may have taken over jobs" in caplog.text
    assert turn(GRACE_BEATS * BEAT_SECONDS) == ["judged", "duties"]


def test_it_beats_on_whatever_nonsense_it_comes_upon(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    stop, judged = threading.Event(), []
    clock = SystemClock()

    def judge() -> None:
        judged.append(1)
        if len(judged) == 3:
            stop.set()
        raise ValueError("a mistake of ours")

    heartbeat = Heartbeat(
        WorkerRegister(redis),
        "here:1:a",
        BeatTasks(said, on_signal=lambda _: None, duties=lambda: None, judge=judge),
        beat_seconds=0.01,
        clock=clock,
    )

    heartbeat.run(stop)

    assert len(judged) == 3
    assert "An error in clock (heartbeat)" in caplog.text


def test_a_heartbeat_is_sent_though_what_the_worker_does_cannot_be_described(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.lpush("here:1:a-signals", "TSTP")
    signals: list[str] = []

    def fail(_rtt_us: int) -> Beat:
        raise MemoryError

    def unwritable(rtt_us: int) -> Beat:
        return replace(said(rtt_us), info={"concurrency": {1}})

    for describe in (fail, unwritable):
        Heartbeat(
            WorkerRegister(redis),
            "here:1:a",
            BeatTasks(describe, signals.append, duties=lambda: None, judge=lambda: None),
            beat_seconds=BEAT_SECONDS,
            clock=fake_clock,
        ).turn()

    assert redis.zscore("clock:workers", "here:1:a") == to_ms(fake_clock.now()) + 20_000
    assert signals == ["TSTP"]
    assert caplog.text.count("An error in clock (description)") == 2


def test_a_payload_is_shown_as_it_is() -> None:
    payload = b'{"class":"A","args":["\xff"]}'

    assert shown(Claimed(1, "default", payload)) == payload.decode(errors="replace")


def test_a_large_payload_is_shown_without_its_arguments() -> None:
    payload = {"class": "SendMailJob", "jid": "abc", "created_at": 1795479891.5, "args": ["x" * SHOWN_BYTES]}
    text = json.dumps(payload).encode()

    told = json.loads(shown(Claimed(1, "default", text)))

    assert told == {
        "class": "SendMailJob",
        "jid": "abc",
        "created_at": 1795479891.5,
        "enqueued_at": None,
        "queue": "default",
        "args": [f"{len(text)} bytes, not shown"],
    }


@pytest.mark.parametrize(
    "payload",
    [b"\xff" * 20_000, b"[" * 100_000, b'{"class":1,"jid":[' + b"1," * 9_000 + b"1]}", b"7" + b" " * 20_000],
)
def test_a_large_payload_that_is_no_job_is_shown_by_its_size(payload: bytes) -> None:
    told = json.loads(shown(Claimed(1, "default", payload)))

    assert (told["class"], told["args"]) == ("", [f"{len(payload)} bytes, not shown"])


def test_the_memory_of_the_process_is_known_although_it_may_open_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resident_kb() > 1_000

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("builtins.open", refuse)

    assert resident_kb() > 1_000


def test_on_a_system_without_proc_the_memory_is_the_most_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise FileNotFoundError("/proc/self/statm")

    module._statm.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr("os.open", refuse)
        most = resident_kb()
    module._statm.cache_clear()

    assert 0 < resident_kb() <= most * 1.1


def test_a_duty_that_raises_is_reported_and_the_others_are_done(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    problems = Problems(clock=fake_clock)
    named: dict[str, Callable[[], object]] = {"first": lambda: [][1], "second": lambda: done.append("second")}
    duties = Duties(redis, named, problems=problems, clock=fake_clock)

    duties.do()

    assert done == ["second"]
    assert "An error in clock (first): IndexError" in caplog.text


def test_a_key_of_a_wrong_type_is_logged_once_a_minute(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("retry", "a text")
    duties = Duties(redis, {}, problems=Problems(clock=fake_clock), clock=fake_clock)
    counts: list[int] = []

    for _ in range(4):
        duties.do()
        counts.append(caplog.text.count("another program wrote it; rename or delete it"))
        fake_clock.advance(timedelta(seconds=31))

    assert counts == [1, 1, 2, 2]


class SlowAnswers(FakeClock):
    """Two seconds pass with each look at the time."""

    def monotonic(self) -> float:
        self.advance(timedelta(seconds=2))
        return super().monotonic()


def test_a_description_has_the_round_trip_time_of_the_last_heartbeat(redis: Redis) -> None:
    times: list[int] = []

    def describe(rtt_us: int) -> Beat:
        times.append(rtt_us)
        return said(rtt_us)

    tasks = BeatTasks(describe, lambda _: None, lambda: None, lambda: None)
    heartbeat = Heartbeat(WorkerRegister(redis), "here:1:a", tasks, beat_seconds=1000, clock=SlowAnswers(NOW))

    heartbeat.beat()
    heartbeat.beat()

    assert times == [0, 2_000_000]


@pytest.fixture
def channel() -> Any:
    ours, its = socket.socketpair()
    ours.setblocking(False)
    with ours, its:
        yield ours, its


def test_the_heartbeat_process_knows_of_a_heartbeat_and_vouches_for_those_of_its_own(
    redis: Redis,
    fake_clock: FakeClock,
    channel: tuple[socket.socket, socket.socket],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, its = channel
    link = HeartbeatLink(ours, clock=fake_clock)
    link.assign(Assignment("here:1:a", "redis://", beat_seconds=BEAT_SECONDS, frozen_seconds=0))
    its.recv(4096)
    judged: list[int] = []
    tasks = BeatTasks(said, lambda _: None, lambda: None, lambda: judged.append(1))
    heartbeat = Heartbeat(
        WorkerRegister(redis), "here:1:a", tasks, beat_seconds=BEAT_SECONDS, clock=fake_clock, link=link
    )

    heartbeat.turn()
    assert its.recv(4096) == b".b"
    fake_clock.advance(timedelta(seconds=100))
    its.send(REPORT.pack(1, 7.5, 97.5))
    heartbeat.turn()
    assert (caplog.messages, judged) == ([], [])

    fake_clock.advance(timedelta(seconds=100))
    heartbeat.turn()
    assert "No heartbeat for 100 s" in caplog.text


@pytest.fixture
def working(bench: Callable[..., Bench], fake_clock: FakeClock) -> tuple[Bench, WorkerDescription]:
    """A worker that has begun a job 100 seconds after its clock started, and its description."""
    fake_clock.advance(timedelta(seconds=100))
    worker = bench(concurrency=2)
    options = WorkerOptions((Queue("default", 2), Queue("low", 1)), concurrency=2)
    description = WorkerDescription(worker.fetcher, options, identity="here:1:a", clock=fake_clock)
    NoteThingJob.perform_async(1)
    worker.take()
    return worker, description


def test_a_worker_is_described_with_its_running_jobs(
    working: tuple[Bench, WorkerDescription], fake_clock: FakeClock
) -> None:
    worker, description = working
    began = fake_clock.now().timestamp()
    fake_clock.advance(timedelta(seconds=7))

    beat = description.beat(4711)

    [(tid, work)] = beat.work.items()
    assert tid == worker.fetcher.slots[0].tid
    assert (work["queue"], work["run_at"], "progress" in work) == ("default", int(began), False)
    assert json.loads(str(work["payload"]))["class"] == "NoteThingJob"
    assert (beat.busy, beat.rtt_us, beat.quiet) == (1, 4711, False)
    assert (beat.beat, beat.fetched) == (began + 7, began)
    assert (beat.info["embedded"], beat.info["weights"]) == (False, [{"default": 2, "low": 1}])


def test_the_progress_of_a_job_is_shown(working: tuple[Bench, WorkerDescription]) -> None:
    worker, description = working
    state = RunState()
    worker.fetcher.slots[0].state = state
    assert "progress" not in description.beat(0).work["job-1"]

    state.progress = {"done": 1}

    assert description.beat(0).work["job-1"]["progress"] == {"done": 1}


def test_a_payload_is_prepared_once_for_each_job(
    working: tuple[Bench, WorkerDescription], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, description = working
    prepared: list[Claimed] = []

    def show(job: Claimed) -> str:
        prepared.append(job)
        return f"shown {len(prepared)}"

    monkeypatch.setattr(module, "shown", show)
    found = [description.beat(0).work["job-1"]["payload"] for _ in range(2)]
    NoteThingJob.perform_async(2)
    second = worker.take()
    found += [description.beat(0).work["job-1"]["payload"] for _ in range(2)]

    assert found == ["shown 1", "shown 1", "shown 2", "shown 2"]
    assert prepared[1:] == [second]


def test_a_payload_of_the_longest_shown_length_is_shown_whole() -> None:
    payload = b'{"class":"A","args":["' + b"x" * (SHOWN_BYTES - 25) + b'"]}'
    assert len(payload) == SHOWN_BYTES

    assert shown(Claimed(1, "default", payload)) == payload.decode()


def test_the_memory_of_the_process_is_what_the_system_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Path("/proc/self/status").read_text().splitlines()
    [reported] = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    assert resident_kb() == pytest.approx(reported, rel=0.1)

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    monkeypatch.setattr(module, "_statm", lambda: None)
    assert resident_kb() == pytest.approx(peak, rel=0.01)
    monkeypatch.setattr(sys, "platform", "darwin")  # which reports bytes
    assert resident_kb() == pytest.approx(peak / 1024, abs=1)
