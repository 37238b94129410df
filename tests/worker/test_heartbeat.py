"""The heartbeat, the time after which a worker may declare others dead, and the description of running jobs."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis

from clock.clocks import SystemClock, to_ms
from clock.problems import Problems
from clock.store.jobs.moves import Claimed
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.testing import FakeClock
from clock.worker.heartbeat.heartbeat import GRACE_BEATS, SHOWN_BYTES, BeatTasks, Heartbeat, resident_kb, shown
from clock.worker.maintenance.duties import Duties
from clock.worker.options import MISSED_BEATS

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
