import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from clock.store.jobs.moves import Claimed
from clock.worker.fetching.handoff import MOST_AT_ONCE, Handoff, Pace, Slot
from tests.patience import PATIENCE_SECONDS, eventually

SHORT, LONG = 0.00001, 0.02  # seconds per job


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
        (0.0045, 10, 22, 22),
        (0.02, 10, 0, 0),
        (10.0, 10, 0, 0),
    ],
)
def test_as_many_jobs_are_claimed_as_can_be_done_in_ten_milliseconds(
    seconds: float, threads: int, at_least: int, at_most: int
) -> None:
    assert at_least <= paced(seconds).how_many(threads) <= at_most


def test_jobs_that_take_no_time_are_claimed_as_many_at_once_as_possible() -> None:
    assert paced(0.0, 10_000).how_many(10) == MOST_AT_ONCE


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
        assert pace.how_many(1) > 5
        for _ in range(250):
            pace.note(0.00002)

    assert pace.is_short


def left_when_called() -> int:
    """How many jobs are left when a fetcher runs that was called for half of them; one thread takes them all."""
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
    return left[0]


def test_the_fetcher_can_claim_while_a_thread_runs_jobs_that_never_wait() -> None:
    tries = 50  # a busy machine may run the fetcher's thread too late

    assert any(left_when_called() > 0 for _ in range(tries))


def some(*numbers: int) -> list[Claimed]:
    return [Claimed(number, "default", b"{}") for number in numbers]


class Threads:
    """Threads that take jobs. Each job is held until `go_on`, so it seems to be long."""

    def __init__(self, count: int, seconds: float) -> None:
        self.handoff = Handoff(count)
        self.handoff.pace = paced(seconds)
        self.slots = [Slot(f"job-{number}") for number in range(count)]
        self.taken: SimpleQueue[tuple[str, int | None]] = SimpleQueue()  # None: the thread waits in Redis
        self._held = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._run, args=[slot]) for slot in self.slots]
        for thread in self._threads:
            thread.start()
        self.rest(count)

    def rest(self, count: int) -> None:
        """Wait until so many threads rest."""
        eventually(lambda: self.handoff.resting == count, f"{count} resting threads")

    def take(self, count: int) -> list[tuple[str, int | None]]:
        """The next jobs that threads take, each with its thread."""
        return [self.taken.get(timeout=PATIENCE_SECONDS) for _ in range(count)]

    def go_on(self, count: int) -> None:
        for _ in range(count):
            self._held.release()

    def end(self) -> None:
        self.handoff.stop()
        self.go_on(100)
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, slot: Slot) -> None:
        while (job := self.handoff.take(slot)) is not None or slot.waits_idle:
            slot.waits_idle = False
            self.taken.put((slot.tid, job.number if job else None))
            self._held.acquire()


@pytest.fixture
def threads() -> Iterator[Callable[[int, float], Threads]]:
    started: list[Threads] = []

    def start(count: int, seconds: float) -> Threads:
        started.append(Threads(count, seconds))
        return started[-1]

    yield start
    for each in started:
        each.end()


Start = Callable[[int, float], Threads]


def test_short_jobs_are_run_by_one_thread_in_their_order(threads: Start) -> None:
    crew = threads(3, SHORT)

    crew.handoff.add(some(1, 2))
    crew.go_on(2)
    first = crew.take(2)
    crew.rest(3)
    crew.handoff.add(some(3))
    [third] = crew.take(1)
    crew.handoff.add(some(4))
    crew.rest(2)
    crew.go_on(2)
    fourth = crew.take(1)[0]

    assert [number for _, number in (*first, third, fourth)] == [1, 2, 3, 4]
    assert len({tid for tid, _ in first}) == 1
    assert third[0] == fourth[0]


def test_long_jobs_are_run_by_as_many_threads_as_there_are_jobs(threads: Start) -> None:
    crew = threads(3, LONG)

    crew.handoff.add(some(1, 2))
    taken = crew.take(2)
    crew.rest(1)

    assert len({tid for tid, _ in taken}) == 2


def test_jobs_that_wait_behind_a_long_one_are_spread_over_other_threads(threads: Start) -> None:
    crew = threads(4, SHORT)
    crew.handoff.add(some(1, 2, 3))
    crew.take(1)
    crew.rest(3)
    assert len(crew.handoff) == 2

    crew.handoff.pace.note_stall()
    crew.handoff.spread()

    assert {number for _, number in crew.take(2)} == {2, 3}
    crew.rest(1)


def test_a_thread_that_is_woken_while_another_runs_short_jobs_rests_again(threads: Start) -> None:
    crew = threads(3, SHORT)
    crew.handoff.add(some(1, 2))
    crew.take(1)
    crew.rest(2)

    crew.handoff.spread()

    crew.rest(2)
    assert len(crew.handoff) == 1


def test_one_thread_that_rests_waits_in_redis(threads: Start) -> None:
    crew = threads(2, LONG)

    assert crew.handoff.let_one_wait_idle()

    assert [number for _, number in crew.take(1)] == [None]
    crew.rest(1)
    assert crew.taken.empty()


def test_no_thread_waits_in_redis_if_none_rests_or_the_worker_stops(threads: Start) -> None:
    crew = threads(1, LONG)
    crew.handoff.add(some(1))
    crew.take(1)
    assert not crew.handoff.let_one_wait_idle()
    crew.go_on(1)
    crew.rest(1)

    crew.end()

    assert not crew.handoff.let_one_wait_idle()


def test_after_a_stop_waiting_jobs_are_not_handed_out() -> None:
    handoff = Handoff(1)
    handoff.add(some(1))
    handoff.stop()

    assert handoff.take(Slot("job-1")) is None
    assert handoff.take_all() == some(1)


def test_the_fetcher_is_called_when_few_jobs_wait_and_a_thread_rests(threads: Start) -> None:
    crew = threads(2, SHORT)
    assert crew.handoff.wait_for_call(0, PATIENCE_SECONDS)

    crew.handoff.add(some(1, 2))
    crew.take(1)

    assert crew.handoff.wait_for_call(1, PATIENCE_SECONDS)
    assert not crew.handoff.wait_for_call(0, 0.001)


def test_the_fetcher_is_called_by_a_thread_that_takes_one_of_the_last_jobs() -> None:
    handoff, slot, called = Handoff(1), Slot("job-1"), threading.Event()
    handoff.add(some(1))

    def work() -> None:
        while not called.is_set():
            handoff.add(some(2))
            handoff.take(slot)

    thread = threading.Thread(target=work)
    thread.start()
    assert handoff.wait_for_call(1, PATIENCE_SECONDS)
    called.set()
    thread.join()


def test_the_fetcher_is_called_by_a_thread_that_begins_to_rest(threads: Start) -> None:
    crew = threads(1, LONG)
    crew.handoff.add(some(1))
    crew.take(1)

    threading.Timer(0.02, crew.go_on, [1]).start()  # as soon as the fetcher waits

    assert crew.handoff.wait_for_call(0, PATIENCE_SECONDS)


def test_an_earlier_call_does_not_end_a_later_wait_of_the_fetcher() -> None:
    handoff = Handoff(1)
    handoff.call()
    handoff.call()

    assert not handoff.wait_for_call(0, 0.001)


class Empty(deque[Claimed]):
    """Has no job for a thread, and at the next moment something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens
        self._is_over = False

    def popleft(self) -> Claimed:
        if self._is_over:
            return super().popleft()
        self._is_over = True
        self._happens()
        raise IndexError


def test_a_thread_does_not_rest_if_a_job_comes_just_before() -> None:
    handoff = Handoff(1)
    handoff._jobs = Empty(lambda: handoff.add(some(1)))

    assert handoff.take(Slot("job-1")) == some(1)[0]


def test_a_thread_does_not_rest_if_the_worker_stops_just_before() -> None:
    handoff = Handoff(1)
    handoff._jobs = Empty(handoff.stop)

    assert handoff.take(Slot("job-1")) is None


def test_the_only_thread_that_works_takes_a_short_job_that_comes_just_before_it_rests() -> None:
    handoff = Handoff(2)
    handoff.pace = paced(SHORT)
    other = threading.Thread(target=handoff.take, args=[Slot("job-2")])
    other.start()
    eventually(lambda: handoff.resting == 1, "a resting thread")
    handoff._jobs = Empty(lambda: handoff.add(some(1)))

    assert handoff.take(Slot("job-1")) == some(1)[0]

    handoff.stop()
    other.join(PATIENCE_SECONDS)
