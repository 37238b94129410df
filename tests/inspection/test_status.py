import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import StoreError, StoreUnavailable
from clock.inspection.doctor.doctor import Circumstances, examine
from clock.inspection.events.shown_actions import shown_fields
from clock.inspection.jobs.busy import Progress
from clock.inspection.processes import LATE_SECONDS
from clock.inspection.status import Status, status
from clock.store import listing
from clock.store.ledger.clock_register import ClockRegister
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import connect
from clock.timetable import Timetable, load
from tests.inspection.conftest import NOW, NOW_SECONDS, Payload

NO_ANSWER = {"cause": "no_answer", "text": "Redis does not answer: no reply for 4 s.", "since": 0}


@pytest.fixture
def worker(redis: Redis) -> Callable[..., None]:
    """A worker that has just beaten."""

    def beat(*queues: str, quiet: bool = False) -> None:
        info = {"hostname": "web1", "queues": queues, "concurrency": 5, "started_at": NOW_SECONDS - 60}
        redis.sadd("processes", "web1:1:a")
        redis.hset("web1:1:a", mapping={"info": json.dumps(info), "busy": 2, "beat": NOW_SECONDS - 3, "rss": 1024})
        redis.hset("web1:1:a", "quiet", "true" if quiet else "false")

    return beat


@pytest.fixture
def clock(redis: Redis) -> Callable[..., None]:
    """A clock that has just beaten."""

    def beat(
        *,
        leads: bool = True,
        last_round: float = 0,
        oldest_undecided: float | None = None,
        problems: Sequence[object] = (),
    ) -> None:
        ms = to_ms(NOW)
        undecided = None if oldest_undecided is None else ms - int(oldest_undecided * 1000)
        told = {"host": "web1", "release": "v7", "events": 3, "last_round": ms - int(last_round * 1000)}
        ClockRegister(redis).beat(
            "web1:2:b", {**told, "oldest_undecided": undecided, "problems": problems}, now=NOW, seconds=20
        )
        if leads:
            redis.hset("clock:lease", mapping={"identity": "web1:2:b", "release": "v7"})

    return beat


@pytest.fixture
def timetable(tmp_path: Path) -> Timetable:
    path = tmp_path / "clock.py"
    path.write_text(
        "from clock import configure, every\n"
        "configure(tz='UTC')\n"
        "every().day.at('06:00').do(print).named('daily')\n"
    )
    return load(path)


def declare(redis: Redis, timetable: Timetable, ago: timedelta) -> None:
    ledger = RedisLedger(redis)
    ledger.declare([(event.name, event.declaration) for event in timetable.events], to_ms(NOW - ago))


def look(redis: Redis, timetable: Timetable | None = None) -> Status:
    return status(redis, NOW, timetable)


def test_all_is_well_where_a_clock_leads_and_a_worker_takes_the_queues(
    redis: Redis, worker: Callable[..., None], clock: Callable[..., None], payload: Payload
) -> None:
    worker("default", "low")
    clock(oldest_undecided=-3600)
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("a"))

    found = look(redis)

    assert found.problems == []
    assert (found.clocks[0].release, found.clocks[0].leads) == ("v7", True)
    assert (found.workers[0].busy, found.workers[0].concurrency, found.workers[0].beat_age) == (2, 5, 3.0)


@contextmanager
def user_without(redis: Redis, redis_url: str, commands: str) -> Iterator[Redis]:
    """A connection of a user that may not run these commands."""
    redis.acl_setuser("reader", enabled=True, nopass=True, keys=["*"], commands=["+@all", f"-{commands}"])
    connection = connect(redis_url.replace("//", "//reader:any@", 1))
    yield connection
    connection.close()
    redis.acl_deluser("reader")


@pytest.fixture
def reader(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """A connection of a user that may not write."""
    with user_without(redis, redis_url, "@write") as connection:
        yield connection


def test_a_missing_permission_is_a_problem_once_a_process_is_late(
    reader: Redis, worker: Callable[..., None], clock: Callable[..., None]
) -> None:
    worker("default")
    clock()
    fresh = look(reader).problems
    clock(last_round=LATE_SECONDS + 1)

    late = look(reader).problems

    assert fresh == []
    assert [problem for problem in late if "docs/deploying.md lists the permissions" in problem] == late


@pytest.mark.usefixtures("needs_redis_7")
def test_a_missing_permission_is_a_problem_if_no_process_is_left(reader: Redis) -> None:
    refused, none = look(reader).problems

    assert "Redis refuses a command to this user" in refused
    assert none == "no clock and no worker is running"


def test_a_user_who_may_not_ask_the_server_about_itself_sees_that_and_the_rest(
    redis: Redis, redis_url: str, worker: Callable[..., None]
) -> None:
    worker("default")

    with user_without(redis, redis_url, "info") as limited:
        found = look(limited)

    assert [fault for fault in found.faults if "Redis refuses a command to this user" in fault] == found.faults
    assert found.workers


def test_a_server_that_stops_answering_is_an_error_and_not_one_fault_of_many(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Redis) -> None:
        raise StoreUnavailable("Redis does not answer: no reply for 4 s.")

    monkeypatch.setattr(listing, "server", fail)

    with pytest.raises(StoreUnavailable, match="no reply"):
        look(redis)


def test_a_user_who_may_not_read_the_ledger_is_told_so(redis: Redis, redis_url: str) -> None:
    with user_without(redis, redis_url, "hlen") as limited, pytest.raises(StoreError, match="hlen"):
        look(limited)


def test_nothing_that_runs_is_a_problem(redis: Redis) -> None:
    assert look(redis).problems == ["no clock and no worker is running"]


def test_no_clock_is_a_problem_where_there_are_events(
    redis: Redis, worker: Callable[..., None], timetable: Timetable
) -> None:
    worker("default")

    assert look(redis).problems == []
    declare(redis, timetable, timedelta(0))
    assert look(redis).problems == ["no clock is running"]


def test_a_frozen_worker_is_a_problem(redis: Redis, worker: Callable[..., None]) -> None:
    worker("default")

    redis.hset("web1:1:a", "frozen", 30)
    assert not any("frozen" in problem for problem in look(redis).problems)

    redis.hset("web1:1:a", "frozen", 31)
    assert "worker web1:1:a has been frozen for 31 s: a job holds the interpreter lock" in look(redis).problems


def test_no_worker_is_a_problem_where_jobs_wait(
    redis: Redis, clock: Callable[..., None], payload: Payload
) -> None:
    clock()
    redis.sadd("queues", "default")

    assert look(redis).problems == []
    redis.lpush("queue:default", payload("a"))
    assert look(redis).problems == ["no worker is running, and jobs are waiting"]


def test_clocks_of_which_none_leads_are_a_problem(redis: Redis, clock: Callable[..., None]) -> None:
    clock(leads=False)

    assert look(redis).problems == ["no clock is the leader"]


def test_a_stuck_loop_is_a_problem_though_its_heart_beats(redis: Redis, clock: Callable[..., None]) -> None:
    clock(last_round=61, oldest_undecided=90)

    assert look(redis).problems == [
        "clock web1:2:b is stuck: its last tick was 61 s ago",
    ]


@pytest.mark.parametrize(("ago", "problems"), [(59, 0), (61, 1)])
def test_an_event_overdue_beyond_the_limit_is_a_problem(
    redis: Redis, worker: Callable[..., None], timetable: Timetable, ago: int, problems: int
) -> None:
    worker("default")
    declare(redis, timetable, timedelta(hours=1))

    found = status(redis, NOW + timedelta(seconds=ago), timetable)

    overdue = [problem for problem in found.problems if "overdue" in problem]
    assert overdue == [f"event 'daily' is overdue: it was due {ago} s ago and has not run"] * problems


def test_an_event_of_a_database_that_is_overdue_is_a_problem_though_no_clock_file_is_at_hand(
    redis: Redis, worker: Callable[..., None]
) -> None:
    worker("default")
    RedisLedger(redis).mark_next_due("weekly", to_ms(NOW) - 61_000)

    assert "event 'weekly' is overdue: it was due 61 s ago and has not run" in look(redis).problems


def test_an_event_whose_action_runs_on_a_thread_is_not_overdue(redis: Redis, timetable: Timetable) -> None:
    declare(redis, timetable, timedelta(hours=1))
    RedisLedger(redis).mark_next_due("daily", to_ms(NOW + timedelta(days=1)))

    assert status(redis, NOW + timedelta(minutes=5), timetable).overdue == []


def test_an_event_that_no_clock_has_seen_yet_is_not_overdue(redis: Redis, timetable: Timetable) -> None:
    found = look(redis, timetable)

    assert found.overdue == []
    assert found.events is not None
    assert found.events[0].next_due == NOW + timedelta(days=1)


def test_a_queue_that_no_worker_takes_from_is_a_problem(
    redis: Redis, worker: Callable[..., None], payload: Payload
) -> None:
    worker("default")
    redis.sadd("queues", "forgotten")
    redis.lpush("queue:forgotten", payload("a"))

    assert look(redis).problems == [
        "no worker processes the queue 'forgotten' (jobs waiting: 1; start a worker: clock worker -q forgotten)"
    ]


def test_one_cause_that_several_processes_report_is_one_problem(
    redis: Redis, worker: Callable[..., None], clock: Callable[..., None], payload: Payload
) -> None:
    worker("default")
    redis.sadd("queues", "low")
    redis.lpush("queue:low", payload("a"))
    low = {"cause": "no_worker:low", "text": "Jobs wait in the queue 'low' (1).", "since": 0}
    redis.hset("web1:1:a", "problems", json.dumps([NO_ANSWER, low]))
    clock(problems=[{**NO_ANSWER, "text": "Redis does not answer: no reply for 5 s."}, low])

    assert look(redis).problems == [
        "worker web1:1:a, clock web1:2:b: Redis does not answer: no reply for 4 s.",
        "no worker processes the queue 'low' (jobs waiting: 1; start a worker: clock worker -q low)",
    ]


def test_the_doctor_repeats_no_queue_without_a_worker_and_points_to_no_log_if_a_problem_has_its_cure(
    redis: Redis, worker: Callable[..., None]
) -> None:
    worker("default")
    low = {"cause": "no_worker:low", "text": "Jobs wait in the queue 'low' (1).", "since": 0}
    redis.hset("web1:1:a", "problems", json.dumps([NO_ANSWER, low]))

    found = examine(redis, Circumstances("unix://", timedelta(0), connections_per_worker=12))

    assert [(one.found, one.advice) for one in found if one.subject == "processes"] == [
        ("worker web1:1:a: Redis does not answer: no reply for 4 s.", "")
    ]


def test_parked_jobs_are_a_problem(redis: Redis, worker: Callable[..., None], payload: Payload) -> None:
    worker("default")
    redis.sadd("clock:parked", "GoneJob")
    redis.lpush("clock:parked:GoneJob", payload("a"))

    assert look(redis).problems == ["jobs are parked, because no worker has their class: GoneJob (1)"]


def test_a_worker_that_is_no_longer_heard_of_is_a_problem(redis: Redis, worker: Callable[..., None]) -> None:
    worker("default")
    redis.hset("web1:1:a", "beat", NOW_SECONDS - 31)

    assert look(redis).problems == ["worker web1:1:a sent its last heartbeat 31 s ago"]


@pytest.mark.parametrize("info", ["no JSON", "[]", '{"queues": 5, "concurrency": "many", "started_at": null}'])
def test_a_heartbeat_that_is_none_is_a_worker_not_heard_of(redis: Redis, info: str) -> None:
    redis.sadd("processes", "web1:1:a")
    redis.hset("web1:1:a", mapping={"info": info, "beat": "nan", "busy": "x", "rss": ""})

    found = status(redis, NOW)

    assert [(worker.identity, worker.busy, worker.queues) for worker in found.workers] == [("web1:1:a", 0, ())]
    assert any("worker web1:1:a sent its last heartbeat" in problem for problem in found.problems)


WRONG = [
    *("clock:ledger:anchor", "clock:ledger:declaration", "clock:ledger:decided", "clock:ledger:counted"),
    *(
        "clock:ledger:orphaned",
        "clock:ledger:renamed",
        "clock:lease",
        "clock:clocks",
        "clock:paused",
        "clock:next_due",
        "clock:parked",
    ),
    *("clock:workers", "processes", "queues", "queue:default", "schedule", "retry", "dead", "stat:processed"),
]


@pytest.mark.parametrize("key", WRONG)
def test_a_key_of_a_wrong_type_is_named_and_the_rest_is_shown(
    redis: Redis, worker: Callable[..., None], clock: Callable[..., None], timetable: Timetable, key: str
) -> None:
    worker("default")
    clock()
    declare(redis, timetable, timedelta(0))
    redis.sadd("queues", "default")
    redis.set(key, "nonsense")

    found = look(redis, timetable)

    assert any(f"the key {key} holds" in fault for fault in found.faults)
    assert found.workers or key == "processes"
    assert found.clocks or key == "clock:clocks"
    assert not any("is running" in problem for problem in found.problems), "what cannot be read is not denied"


@pytest.mark.parametrize("problems", ["{", "5", "[5]"])
def test_a_worker_whose_problems_cannot_be_read_is_shown(
    redis: Redis, worker: Callable[..., None], problems: str
) -> None:
    worker("default")
    redis.hset("web1:1:a", "problems", problems)

    assert [view.identity for view in look(redis).workers] == ["web1:1:a"]


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(50), "50"),
        (Progress(0, 200, 25.0), "0 of 200 (0 %)"),
        (Progress(0, 0), "0 of 0"),
        (Progress(50, None, 25.0, "page 3"), "50, 2 a second, page 3"),
        (Progress(200, 200, 100.0), "200 of 200 (100 %), 2 a second"),
    ],
)
def test_progress_is_shown_as_far_as_the_job_has_reported_it(progress: Progress, text: str) -> None:
    assert str(progress) == text


@pytest.mark.parametrize(("args", "shown"), [("odd", ["[hidden]"]), ([7, 8], ["[hidden]", "[hidden]"])])
def test_the_arguments_of_a_schedule_whose_job_is_unknown_here_are_hidden(args: object, shown: list[str]) -> None:
    assert shown_fields({"job": "UnheardOfJob", "args": args})["args"] == shown
