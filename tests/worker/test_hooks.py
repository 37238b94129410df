"""Hooks of an application in its workers: life-cycle events, error handlers, death handlers; bursts and limits."""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from redis import Redis

from clock import Limit, death_handler, on, worker_error_handler, worker_hooks
from clock.clocks import SystemClock, to_ms
from clock.errors import ConfigurationError, DeclarationError, HookFailed, JobError
from clock.store import keys
from clock.testing import FakeClock
from clock.timetable import load
from clock.worker import Queue, Worker, WorkerOptions
from clock.worker.callbacks import Callbacks
from clock.worker.limits import check_memory
from clock.worker.maintenance.recovery import WorkerKilled, recover
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.patience import PATIENCE_SECONDS, eventually
from tests.worker import jobs
from tests.worker.conftest import Bench
from tests.worker.jobs import BreakThingJob, HoldThingJob, NoteThingJob

Reported = list[tuple[str, Mapping[str, Any]]]
Died = list[tuple[dict[str, Any], BaseException]]


@pytest.fixture(autouse=True)
def _no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.ran.clear()
    jobs.let_go.clear()
    monkeypatch.setattr(worker_hooks, "_hooks", {event: [] for event in worker_hooks.WORKER_EVENTS})
    monkeypatch.setattr(worker_hooks, "_error_handlers", [])
    monkeypatch.setattr(worker_hooks, "_death_handlers", [])


@pytest.fixture
def reported() -> Reported:
    found: Reported = []
    worker_error_handler(lambda error, context: found.append((f"{type(error).__name__}: {error}", context)))
    return found


@pytest.fixture
def died() -> Died:
    found: Died = []
    death_handler(lambda payload, error: found.append((payload, error)))
    return found


def worker_of(redis: Redis, **options: Any) -> Worker:
    chosen = WorkerOptions((Queue("default"),), 2, **{"stop_timeout_seconds": PATIENCE_SECONDS, **options})
    return Worker(redis, chosen, identity="here:1:a", clock=SystemClock())


class Work:
    """A worker that runs on a thread."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.thread = threading.Thread(target=worker.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        jobs.let_go.set()
        self.worker.stop()
        self.wait()

    def wait(self) -> None:
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive()


class Connection:
    """Something that a hook has open."""


def test_a_hook_that_raises_leaves_nothing_that_holds_what_it_had_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cycle would keep it open until the next garbage collection."""
    silent = logging.Logger("silent")  # pytest keeps the records of other loggers, and their exceptions
    silent.addHandler(logging.NullHandler())
    monkeypatch.setattr(worker_hooks, "logger", silent)
    held: list[weakref.ref[Connection]] = []

    def fail(*_: object) -> None:
        connection = Connection()
        held.append(weakref.ref(connection))
        raise SystemExit(3)

    on("heartbeat")(fail)
    death_handler(fail)
    worker_error_handler(fail)
    gc.disable()
    try:
        worker_hooks.fire("heartbeat")
        worker_hooks.died({}, RuntimeError("boom"))
        assert [one() for one in held] == [None] * 4
    finally:
        gc.enable()


# Error handlers


def test_an_error_handler_gets_the_error_and_the_job(
    bench: Callable[..., Bench], redis: Redis, reported: Reported
) -> None:
    jid = BreakThingJob.perform_async()

    bench().run_all()

    [(error, context)] = reported
    assert error == "RuntimeError: boom ß"
    assert context["context"] == "Job raised exception"
    assert (context["job"]["jid"], context["job"]["class"], context["queue"]) == (jid, "BreakThingJob", "default")


@pytest.mark.parametrize(
    ("payload", "error", "context"),
    [
        (b"{", "UnreadablePayload: not JSON", "Invalid JSON for job"),
        (
            b'{"class": "NoSuchJob", "args": [], "jid": "1"}',
            "UnknownJobClass: unknown job class",
            "Unknown job class",
        ),
        (b'{"class": "NoteThingJob", "args": [1, 2, 3], "jid": "1"}', "ArgumentsError", "Job cannot be run"),
    ],
)
def test_error_handlers_get_jobs_that_cannot_be_run(
    bench: Callable[..., Bench], redis: Redis, reported: Reported, payload: bytes, error: str, context: str
) -> None:
    redis.lpush("queue:default", payload)

    bench().run_all()

    [(told, found)] = reported
    assert told.startswith(error)
    assert found["context"] == context
    assert found.get("jobstr", payload.decode()) == payload.decode()


def test_an_error_handler_that_raises_changes_nothing(
    bench: Callable[..., Bench], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    after: list[str] = []

    @worker_error_handler
    def broken(error: BaseException, context: Mapping[str, Any]) -> None:
        context["job"].clear()
        raise SystemExit(3)

    worker_error_handler(lambda error, context: after.append(str(error)))
    BreakThingJob.perform_async()

    bench().run_all()

    assert redis.zcard("retry") == 1
    assert after == ["boom ß"]
    assert "broken failed: SystemExit: 3" in caplog.text


@pytest.mark.slow
def test_an_outage_is_reported_once(redis: Redis, reported: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = worker_of(redis)
    redis.set("queue:default", "not a list")

    work = Work(worker)
    try:
        eventually(lambda: reported, "a report of the fetcher")
        redis.delete("queue:default")
        NoteThingJob.perform_async(1)
        assert jobs.wait_until_begun(1)
    finally:
        work.stop()

    fetches = [context for _, context in reported if context["part"] == "fetching jobs"]
    assert fetches == [{"context": "Error in a part of the worker", "part": "fetching jobs"}]


# Death handlers


def test_a_death_handler_is_called_when_a_job_goes_to_dead(
    bench: Callable[..., Bench], redis: Redis, died: Died
) -> None:
    BreakThingJob.set(retry=0).perform_async()
    BreakThingJob.perform_async()  # this one is retried

    bench().run_all()

    [(payload, error)] = died
    assert str(error) == "boom ß"
    assert payload["error_class"] == "RuntimeError"
    assert "discarded_at" not in payload
    assert redis.zcard(keys.DEAD) == 1


@pytest.mark.parametrize("options", [{"retry": False}, {"retry": 0, "dead": False}])
def test_a_death_handler_is_called_for_a_dropped_job(
    bench: Callable[..., Bench], redis: Redis, died: Died, options: dict[str, Any]
) -> None:
    BreakThingJob.set(**options).perform_async()

    worker = bench()
    worker.run_all()

    [(payload, _)] = died
    assert payload["discarded_at"] == int(jobs_time(worker) * 1000)
    assert redis.zcard(keys.DEAD) == 0


def jobs_time(worker: Bench) -> float:
    return worker.processor._clock.now().timestamp()


def test_a_death_handler_is_called_for_a_payload_that_cannot_be_read(
    bench: Callable[..., Bench], redis: Redis, died: Died
) -> None:
    redis.lpush("queue:default", b"{")

    bench().run_all()

    assert [payload["args"] for payload, _ in died] == [["{"]]


def test_a_death_handler_is_called_for_a_job_that_kills_workers(
    bench: Callable[..., Bench], redis: Redis, died: Died, fake_clock: FakeClock
) -> None:
    redis.lpush("queue:default", '{"class":"NoteThingJob","args":[1],"jid":"1","worker_killed":2}')
    dead = bench("dead:1:a")
    dead.in_progress.mark(dead.take())
    redis.zadd(keys.WORKERS, {"dead:1:a": to_ms(fake_clock.now()) - 60_000})

    recover(redis, clock=fake_clock)

    [(payload, error)] = died
    assert isinstance(error, WorkerKilled)
    assert payload["args"] == [1]


def test_a_death_handler_that_raises_is_reported(
    bench: Callable[..., Bench], redis: Redis, reported: Reported
) -> None:
    @death_handler
    def broken(payload: dict[str, Any], error: BaseException) -> None:
        raise KeyError("x")

    BreakThingJob.set(retry=0).perform_async()

    bench().run_all()

    assert [context["context"] for _, context in reported] == [
        "Job raised exception",
        "Error calling death handler",
    ]
    assert redis.zcard(keys.DEAD) == 1


# Life cycle


def test_a_worker_calls_its_hooks_in_the_order_of_its_life(redis: Redis) -> None:
    seen: list[str] = []
    for event in worker_hooks.WORKER_EVENTS:
        for number in (1, 2):
            on(event)(lambda event=event, number=number: seen.append(f"{event} {number}"))
    worker = worker_of(redis, beat_seconds=0.05)
    HoldThingJob.perform_async("held")

    work = Work(worker)
    assert jobs.wait_until_begun(1)
    eventually(lambda: seen.count("beat 2") > 1, "two beats")
    at_begin = list(seen)
    worker.stop()
    eventually(lambda: "shutdown 1" in seen, "shutdown hooks while a job runs")
    work.stop()

    assert at_begin[:4] == ["startup 1", "startup 2", "heartbeat 1", "heartbeat 2"]
    without_beats = [hook for hook in seen if "beat" not in hook]  # a gap calls `heartbeat` again
    assert without_beats[2:] == ["quiet 2", "quiet 1", "shutdown 2", "shutdown 1", "exit 2", "exit 1"]


def test_a_startup_hook_that_raises_keeps_the_worker_from_starting(redis: Redis, reported: Reported) -> None:
    @on("startup")
    def warm_up() -> None:
        raise KeyError("model")

    NoteThingJob.perform_async(1)

    with pytest.raises(HookFailed, match=r"the startup hook .*warm_up failed: KeyError: 'model'"):
        worker_of(redis).run()

    assert jobs.ran == []
    assert [context for _, context in reported] == [
        {"context": "Exception during lifecycle event", "event": "startup"}
    ]


def test_a_slow_hook_delays_neither_heartbeat_nor_the_end_of_the_worker(redis: Redis) -> None:
    release = threading.Event()
    calls: list[str] = []

    @on("beat")
    def slow() -> None:
        calls.append("beat")
        release.wait(PATIENCE_SECONDS)

    on("shutdown")(lambda: calls.append("shutdown"))
    work = Work(worker_of(redis, beat_seconds=0.02, stop_timeout_seconds=0.1))
    try:
        eventually(lambda: calls, "the first beat")
        beats = redis.hget("here:1:a", "beat")
        eventually(lambda: redis.hget("here:1:a", "beat") != beats, "a further heartbeat")
        work.stop()
        assert calls == ["beat"]
    finally:
        release.set()


def test_exit_hooks_have_a_moment_though_jobs_may_run_no_longer(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.worker.worker.EXIT_HOOK_SECONDS", PATIENCE_SECONDS)
    calls: list[str] = []

    @on("exit")
    def slow() -> None:
        threading.Event().wait(0.02)
        calls.append("exit")

    worker = worker_of(redis)
    worker.stop_now()
    worker.run()

    assert calls == ["exit"]


def test_calls_behind_a_hook_that_hangs_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()
    on("quiet")(lambda: release.wait(PATIENCE_SECONDS))
    monkeypatch.setattr("clock.worker.callbacks.WAITING", 2)
    callbacks = Callbacks()

    fired = [callbacks.fire("quiet") for _ in range(5)]

    assert fired[-1].is_set()
    assert "Dropped a call of a hook" in caplog.text
    release.set()
    assert all(done.wait(PATIENCE_SECONDS) for done in fired)


def test_beat_hooks_run_again_after_a_call_of_them_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    release, beaten = threading.Event(), threading.Event()
    on("quiet")(lambda: release.wait(PATIENCE_SECONDS))
    on("beat")(beaten.set)
    monkeypatch.setattr("clock.worker.callbacks.WAITING", 2)
    callbacks, clock = Callbacks(), SystemClock()
    fired = [callbacks.fire("quiet") for _ in range(5)]

    callbacks.beat(clock, 20)
    release.set()
    assert all(done.wait(PATIENCE_SECONDS) for done in fired)
    callbacks.beat(clock, 20)

    assert beaten.wait(PATIENCE_SECONDS)


def test_a_hook_that_fails_keeps_no_other_of_its_event_from_running(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []

    @on("shutdown")
    def close_files() -> None:
        ran.append("files")

    @on("shutdown")
    def close_database() -> None:
        raise SystemExit("no database")

    worker_hooks.fire("shutdown")  # the last one first

    assert ran == ["files"]
    assert "close_database" in caplog.text


def test_the_hooks_of_a_heartbeat_are_called_after_the_first_one_and_after_a_gap(fake_clock: FakeClock) -> None:
    seen: list[str] = []
    on("heartbeat")(lambda: seen.append("heartbeat"))
    on("beat")(lambda: seen.append("beat"))
    callbacks = Callbacks()
    fake_clock.advance(timedelta(seconds=100))

    def has_beaten(count: int) -> bool:
        return seen.count("beat") == count

    for count, seconds in enumerate((0, 19.5, 20.5), 1):
        fake_clock.advance(timedelta(seconds=seconds))
        eventually(callbacks._beat_done.is_set, "the hooks of the last heartbeat")
        callbacks.beat(fake_clock, 20.0)
        eventually(partial(has_beaten, count), "the hooks of this heartbeat")

    assert seen == ["heartbeat", "beat", "beat", "heartbeat", "beat"]


def test_errors_and_deaths_of_the_worker_are_reported_on_the_thread_of_hooks(
    reported: Reported, died: Died
) -> None:
    callbacks, error = Callbacks(), WorkerKilled("it")
    threads: list[str] = []
    worker_error_handler(lambda *_: threads.append(threading.current_thread().name))

    callbacks.report(ValueError("no"), "fetching jobs")
    callbacks.died({"jid": "1"}, error)
    eventually(lambda: died, "the death handler")

    assert reported == [("ValueError: no", {"context": "Error in a part of the worker", "part": "fetching jobs"})]
    assert died == [({"jid": "1"}, error)]
    assert threads == ["hooks"]


def test_without_hooks_no_thread_is_started(fake_clock: FakeClock) -> None:
    callbacks = Callbacks()
    callbacks.report(ValueError("no"), "fetching jobs")
    callbacks.died({"jid": "1"}, WorkerKilled("it"))
    callbacks.beat(fake_clock, 20.0)

    assert callbacks.fire("quiet").is_set()
    assert callbacks._thread is None


# Mistakes


def test_a_hook_with_wrong_arguments_is_refused() -> None:
    async def later() -> None: ...

    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: on("startup")(lambda worker: None), r"on\('startup'\) got .*; it is called with \(\)"),
        (lambda: on("quiet")(later), "later, which is `async def`"),
        (lambda: worker_error_handler(lambda error: None), r"called with \(error, context\)"),
        (lambda: death_handler(7), "death_handler got 7; it must be a function"),  # type: ignore[type-var]
    ]
    for declare, message in wrong:
        with pytest.raises(JobError, match=message):
            declare()
    with pytest.raises(DeclarationError, match="did you mean 'startup'"):
        on("start_up")  # type: ignore[arg-type]


def test_a_built_in_function_whose_arguments_python_does_not_know_is_a_hook() -> None:
    assert death_handler(max) is max  # `inspect` finds no signature of it


def test_a_clock_file_may_not_declare_hooks_of_a_worker(tmp_path: Any) -> None:
    file = tmp_path / "clock.py"
    file.write_text("from clock import on\n\n@on('startup')\ndef warm_up(): ...\n")

    with pytest.raises(DeclarationError, match=r"clock\.py:3: on\('startup'\) is an event of the worker; move it"):
        load(file)


# Bursts and limits


def test_a_burst_runs_what_is_there_and_what_that_pushes_and_then_ends(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScheduledJobs, "run", lambda *_: None)  # this thread may begin after the others
    for number in range(5):
        NoteThingJob.perform_async(number)
    redis.zadd("schedule", {'{"class":"NoteThingJob","args":["due"],"jid":"1","queue":"default"}': 1.0})
    NoteThingJob.perform_in(3600, "later")
    BreakThingJob.perform_async()

    worker_of(redis, burst=True).run()

    assert sorted(str(thing) for _, thing in jobs.ran) == ["0", "1", "2", "3", "4", "due"]
    assert (redis.zcard("schedule"), redis.zcard("retry")) == (1, 1)
    assert redis.keys("clock:in_progress:*") == []


def test_a_burst_waits_for_a_job_that_runs_and_runs_what_it_pushes(redis: Redis) -> None:
    HoldThingJob.perform_async("held")
    work = Work(worker_of(redis, burst=True))
    assert jobs.wait_until_begun(1)
    NoteThingJob.perform_async("pushed")

    jobs.let_go.set()
    work.wait()

    assert [thing for _, thing in jobs.ran] == ["held", "pushed"]


def test_a_burst_runs_jobs_that_a_limit_held_back_behind_a_job_that_fails(redis: Redis) -> None:
    one_by_one = Limit("burst", 1)
    BreakThingJob.set(limits=one_by_one).perform_async()
    for number in range(3):
        NoteThingJob.set(limits=one_by_one).perform_async(number)

    worker_of(redis, burst=True).run()

    assert [thing for _, thing in jobs.ran] == [0, 1, 2]


def test_a_burst_ends_if_the_set_of_freed_jobs_has_a_wrong_type(redis: Redis) -> None:
    redis.set(keys.FREED, "of another program")
    NoteThingJob.perform_async(1)
    work = Work(worker_of(redis, burst=True))

    work.wait()

    assert [thing for _, thing in jobs.ran] == [1]


def test_a_worker_ends_after_its_number_of_jobs_and_leaves_the_others(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.worker.worker.WATCH_SECONDS", 0.01)
    for number in range(20):
        NoteThingJob.perform_async(number)
    worker = worker_of(redis, max_jobs=3)

    worker.run()

    assert worker.is_renewed
    assert 3 <= len(jobs.ran) <= 4  # one more thread may have a job
    assert redis.llen("queue:default") == 20 - len(jobs.ran)


def test_a_worker_over_its_memory_ends_when_its_jobs_have(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.worker.worker.WATCH_SECONDS", 0.01)
    HoldThingJob.perform_async("held")
    worker = worker_of(redis, max_memory_mb=1, stop_timeout_seconds=0.0)

    work = Work(worker)
    eventually(lambda: jobs.ran or worker.is_renewed, "the job or the limit")
    eventually(lambda: worker.is_renewed, "the limit")
    NoteThingJob.perform_async("for another process")
    jobs.let_go.set()
    work.wait()

    assert (redis.llen("queue:default"), redis.get("stat:processed")) in [(1, b"1"), (2, None)]


def test_a_limit_below_what_the_worker_needs_is_refused() -> None:
    check_memory(None)
    check_memory(1_000_000)
    with pytest.raises(ConfigurationError, match=r"max_memory is 1 MB, but this worker uses \d+ MB"):
        check_memory(1)
