import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest

from clock.errors import Outranked, StoreError, StoreUnavailable
from clock.problems import MOST, Part, Problem, Problems, published
from clock.testing import FakeClock

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
AWAY = StoreUnavailable("Redis is away.", cause="unreachable")
REFUSED = StoreError("Redis refuses a command to this user.", cause="no_permission")
MAIL = Problem("no_worker:mail", "Nobody takes from 'mail'.", blocks=False)


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock(SIX)


@pytest.fixture
def problems(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> Problems:
    caplog.set_level(logging.INFO)
    return Problems(clock=fake_clock)


def pass_seconds(problems: Problems, clock: FakeClock, seconds: int, part: Part | None = None) -> None:
    """Let time pass, a second at a time; a `part` fails in each."""
    for _ in range(seconds):
        clock.advance(timedelta(seconds=1))
        if part:
            part.failed(AWAY)
        problems.watch()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_a_problem_is_logged_at_once_with_what_it_holds_up(
    problems: Problems, caplog: pytest.LogCaptureFixture
) -> None:
    problems.part("lease").failed(AWAY)

    assert errors(caplog) == ["Redis is away. Held up: lease. Nothing is lost; trying again."]
    assert problems.blocking == ["Redis is away."]


def test_several_parts_with_one_cause_share_one_line(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lease, ledger = problems.part("lease"), problems.part("ledger")
    for _ in range(61):
        ledger.failed(AWAY)
        pass_seconds(problems, fake_clock, 1, lease)

    assert errors(caplog)[1:] == [
        "Redis is away. Held up: lease, ledger. Nothing is lost; trying again. For 60 s so far."
    ]


def test_a_problem_that_lasts_is_repeated_every_minute(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    pass_seconds(problems, fake_clock, 200, problems.part("lease"))

    assert len(errors(caplog)) == 4


def test_one_line_says_that_it_is_over(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    part = problems.part("lease")
    part.failed(AWAY)
    pass_seconds(problems, fake_clock, 20, part)

    part.works()
    pass_seconds(problems, fake_clock, 10)

    assert caplog.messages[-1] == "Resolved after 23 s: Redis is away."
    assert problems.blocking == []


def test_what_fails_every_other_second_is_one_problem(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    part = problems.part("lease")
    for _ in range(15):
        part.failed(AWAY)
        pass_seconds(problems, fake_clock, 1)
        part.works()
        pass_seconds(problems, fake_clock, 1)

    assert len(caplog.messages) == 1
    assert problems.blocking


def test_a_part_that_works_does_not_end_the_problem_of_another(problems: Problems, fake_clock: FakeClock) -> None:
    lease, ledger = problems.part("lease"), problems.part("ledger")
    lease.failed(AWAY)
    ledger.failed(AWAY)

    ledger.works()
    pass_seconds(problems, fake_clock, 30)

    assert problems.blocking == ["Redis is away."]


def test_an_answer_that_does_not_come_is_a_problem_before_it_fails(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with problems.part("lease"):
        pass_seconds(problems, fake_clock, 3)
        assert not errors(caplog)
        pass_seconds(problems, fake_clock, 1)

    assert errors(caplog)[0].startswith("Redis does not answer: no reply for 4 s.")


def test_a_process_that_did_not_run_does_not_blame_redis(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    pass_seconds(problems, fake_clock, 2)
    part = problems.part("fetching jobs")
    with part:
        fake_clock.advance(timedelta(seconds=600))
        problems.watch()
    pass_seconds(problems, fake_clock, 2)

    assert errors(caplog) == []


def test_a_block_reports_its_error_and_raises_it(problems: Problems) -> None:
    with pytest.raises(StoreUnavailable), problems.part("lease"):
        raise AWAY

    assert problems.blocking == ["Redis is away."]


def test_a_refusal_at_the_start_ends_the_process(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    problems = Problems(clock=fake_clock, on_fatal=ended.set)

    problems.part("lease").failed(REFUSED)

    assert ended.is_set()
    assert not errors(caplog)  # the command line prints the one line
    with pytest.raises(StoreError, match="refuses a command"):
        problems.raise_fatal()


def test_a_refusal_after_the_start_is_waited_out(fake_clock: FakeClock) -> None:
    problems = Problems(clock=fake_clock, on_fatal=pytest.fail)
    part = problems.part("lease")
    part.works()

    part.failed(REFUSED)

    problems.raise_fatal()
    assert problems.blocking == ["Redis refuses a command to this user."]


def test_a_problem_that_does_not_block_is_logged_and_leaves_the_process_ready(
    problems: Problems, caplog: pytest.LogCaptureFixture
) -> None:
    problems.part("queues").found(MAIL)

    assert errors(caplog) == ["Nobody takes from 'mail'."]
    assert problems.blocking == []


def test_a_bug_is_logged_once_with_its_traceback(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    part = problems.part("rows")
    for _ in range(10):
        part.failed(ValueError("unequal"))
        pass_seconds(problems, fake_clock, 1)

    assert errors(caplog) == [
        "An error in clock (rows): ValueError: unequal Held up: rows. Nothing is lost; trying again."
    ]
    assert caplog.records[0].exc_info


def test_a_newer_release_that_leads_is_no_problem(problems: Problems) -> None:
    problems.part("ledger").failed(Outranked())

    assert problems.lasting == []


def test_other_processes_read_since_when_it_lasts(problems: Problems, fake_clock: FakeClock) -> None:
    problems.part("queues").found(MAIL)
    pass_seconds(problems, fake_clock, 30)

    assert published(problems, fake_clock.now()) == [
        {"cause": "no_worker:mail", "text": "Nobody takes from 'mail'.", "since": int(SIX.timestamp() * 1000)}
    ]


def test_a_problem_that_nobody_reports_again_is_repeated_every_minute_until_it_is_over(
    problems: Problems, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    problems.meet(Problem("full_disk", "The disk is full.", calm_seconds=150))

    pass_seconds(problems, fake_clock, 160)

    assert [line.split(" Held")[0] for line in errors(caplog)] == [
        "The disk is full.",
        "The disk is full. For 60 s so far.",
        "The disk is full. For 120 s so far.",
    ]
    assert problems.lasting == []


def test_only_so_many_problems_of_entries_are_kept(problems: Problems) -> None:
    for number in range(MOST + 5):
        problems.entry("the key %d has the wrong type", number)

    assert len(problems.lasting) == MOST


def test_a_process_that_is_interrupted_does_not_blame_redis(problems: Problems) -> None:
    with pytest.raises(KeyboardInterrupt), problems.part("lease"):
        raise KeyboardInterrupt

    assert problems.lasting == []
