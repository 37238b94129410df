import sys
import threading

import pytest

from clock.store.jobs.moves import Claimed
from clock.worker.fetching.handoff import MOST_AT_ONCE, Handoff, Pace, Slot


def paced(seconds: float, count: int = 200) -> Pace:
    pace = Pace()
    for _ in range(count):
        pace.note(seconds)
    return pace


@pytest.mark.parametrize(
    ("seconds", "threads", "at_least", "at_most"),
    [
        (0.000001, 10, MOST_AT_ONCE, MOST_AT_ONCE),
        (0.0001, 10, 90, 110),  # one thread runs them all
        (0.001, 10, 90, 110),
        (0.001, 1, 9, 11),
        (0.02, 10, 0, 0),
        (10.0, 10, 0, 0),
    ],
)
def test_as_many_jobs_are_claimed_as_can_be_done_in_ten_milliseconds(
    seconds: float, threads: int, at_least: int, at_most: int
) -> None:
    assert at_least <= paced(seconds).how_many(threads) <= at_most


def test_before_anything_was_measured_jobs_are_taken_for_long() -> None:
    assert Pace().how_many(10) == 0


def test_a_stall_makes_jobs_count_as_long_again() -> None:
    pace = paced(0.00001)

    pace.note_stall()

    assert (pace.is_short, pace.how_many(10)) == (False, 0)


def test_a_few_long_waits_for_pythons_lock_do_not_make_short_jobs_long() -> None:
    pace = paced(0.00002)

    for _ in range(4):
        pace.note(0.05)
        for _ in range(250):
            pace.note(0.00002)

    assert pace.is_short


def test_the_fetcher_can_claim_while_a_thread_runs_jobs_that_never_wait() -> None:
    handoff, slot, left = Handoff(1), Slot("job-1"), list[int]()
    handoff.pace = paced(0.000001)
    handoff.add([Claimed(number, "default", b"{}") for number in range(500)])

    def fetch() -> None:
        if handoff.wait_for_call(250, 60):
            left.append(len(handoff))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # only a thread that waits lets another one run
    try:
        fetcher = threading.Thread(target=fetch)
        fetcher.start()
        while len(handoff):
            handoff.take(slot)
    finally:
        sys.setswitchinterval(interval)
    fetcher.join()

    assert left[0] > 0
