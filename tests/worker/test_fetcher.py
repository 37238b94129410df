"""The fetcher's promises where it is cut off, or stopped, at an awkward moment."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import Clock
from clock.errors import StoreError, StoreUnavailable
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.testing import FakeClock
from clock.worker.fetching.fetcher import DRAIN_SECONDS, IDLE_SECONDS, Fetcher
from clock.worker.fetching.handoff import SOON_SECONDS, Handoff
from clock.worker.options import Queue, WorkerOptions
from tests.patience import PATIENCE_SECONDS, eventually
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import NoteThingJob


class LosesAnswers(InProgress):
    """Claims, but the answer is lost on its way, as often as `losses` says."""

    losses = 0

    def __init__(self, redis: Redis, identity: str) -> None:
        super().__init__(redis, identity)
        self.limits: list[int] = []  # of each claim

    @property
    def claims(self) -> int:
        """How many round trips were made."""
        return len(self.limits)

    def claim(self, *args: Any, **kwargs: Any) -> list[Claimed]:
        self.limits.append(args[1])
        found = super().claim(*args, **kwargs)
        if self.losses:
            self.losses -= 1
            raise StoreUnavailable("the answer was lost")
        return found


def fetcher_of(redis: Redis, clock: Clock, concurrency: int = 1) -> tuple[Fetcher, LosesAnswers]:
    in_progress = LosesAnswers(redis, "host:1:abc")
    options = WorkerOptions((Queue("default"),), concurrency)
    return Fetcher(in_progress, options=options, clock=clock), in_progress


def hash_size(redis: Redis) -> int:
    size: Any = redis.hlen("clock:in_progress:host:1:abc")
    return int(size)


def test_jobs_claimed_by_a_call_whose_answer_was_lost_are_found_and_those_that_run_are_not_run_twice(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(6)])
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    running, done = fetcher.handoff.take_all()
    fetcher.finish(fetcher.slots[0], done, 0.0)
    in_progress.losses = 1
    with pytest.raises(StoreUnavailable):
        fetcher.claim(2)

    fetcher.claim(1)

    found = fetcher.handoff.take_all()
    assert len(found) == 3
    assert not {running.number, done.number} & {job.number for job in found}
    assert hash_size(redis) == 4


def test_after_a_stop_nothing_more_is_claimed(redis: Redis, bench: Callable[..., Bench]) -> None:
    NoteThingJob.perform_async(1)
    fetcher = bench().fetcher
    fetcher.stop()

    assert fetcher.claim(1) == 0
    assert redis.llen("queue:default") == 1


def test_what_was_claimed_and_not_begun_when_a_worker_goes_quiet_is_for_others(
    redis: Redis, bench: Callable[..., Bench]
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    before = redis.lrange("queue:default", 0, -1)
    fetcher = bench().fetcher
    fetcher.claim(2)

    fetcher.stop()
    fetcher.run()

    assert redis.lrange("queue:default", 0, -1) == before
    assert hash_size(redis) == 0


def test_jobs_may_be_taken_by_a_thread_while_all_are_taken_back(bench: Callable[..., Bench]) -> None:
    class TakenFrom(deque[Claimed]):
        """One whose last job a thread takes just after somebody looked whether there is one."""

        def __len__(self) -> int:
            found = super().__len__()
            if found == 1:
                self.popleft()
            return found

    job = Claimed(1, "default", b"{}")
    handoff = bench().fetcher.handoff
    handoff._jobs = TakenFrom([job, job])

    assert handoff.take_all() in ([job], [job, job])


def test_an_acknowledgement_whose_answer_was_lost_is_given_again_and_counts_once(
    redis: Redis, fake_clock: FakeClock
) -> None:
    jobs.ran.clear()
    NoteThingJob.perform_async(1)
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    [job] = fetcher.handoff.take_all()
    fetcher.finish(fetcher.slots[0], job, 0.0)
    in_progress.losses = 1

    fetcher.acknowledge()
    fetcher.acknowledge()

    assert hash_size(redis) == 0
    assert redis.get("stat:processed") == b"1"


def test_at_the_end_all_jobs_are_given_back_in_their_order_also_those_whose_claims_answer_was_lost(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(4)])
    before = redis.lrange("queue:default", 0, -1)
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    in_progress.losses = 1
    with pytest.raises(StoreUnavailable):
        fetcher.claim(1)

    fetcher.give_back_all()

    assert redis.lrange("queue:default", 0, -1) == before
    assert hash_size(redis) == 0


def test_what_is_done_is_not_given_back_though_it_could_not_be_acknowledged(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    fetcher, _ = fetcher_of(redis, fake_clock)
    fetcher.claim(2)
    fetcher.finish(fetcher.slots[0], fetcher.handoff.take_all()[0], 0.0)

    fetcher.give_back_all()

    assert redis.llen("queue:default") == 1


def test_jobs_that_wait_for_a_thread_and_were_given_to_others_meanwhile_are_not_run_here(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(4)])
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(3)
    running, gone, kept = in_progress.all()
    fetcher.handoff.take(fetcher.slots[0])
    in_progress.put_back([Move(gone, "queue", "default", gone.payload)])
    fake_clock.advance(timedelta(seconds=fetcher._options.expires_seconds + 1))  # it was stopped, or cut off

    fetcher.claim(1)

    taken = [fetcher.take(fetcher.slots[0]) for _ in range(2)]
    assert [job and job.payload for job in taken] == [kept.payload, gone.payload]
    assert gone not in fetcher.claims
    assert running in fetcher.claims


class CutOff(Fetcher):
    """A fetcher of a worker that Redis answers when the test says so."""

    answers: Iterator[bool]

    def fetch(self) -> None:
        if not next(self.answers):
            raise StoreUnavailable("away")


class NotedWaits(FakeClock):
    """Time passes while somebody waits; `waits` are the seconds of each wait. After the last one, stops."""

    def __init__(self, count: int) -> None:
        super().__init__(NOW)
        self.waits: list[float] = []
        self._count = count

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if len(self.waits) == self._count:
            stop.set()
        self.advance(timedelta(seconds=seconds))
        return stop.is_set()


def test_while_redis_is_away_a_worker_tries_ever_more_rarely_and_after_an_answer_soon_again(redis: Redis) -> None:
    clock = NotedWaits(8)
    fetcher = CutOff(InProgress(redis, "host:1:abc"), options=WorkerOptions(concurrency=1), clock=clock)
    fetcher.answers = iter([False] * 7 + [True] + [False])

    fetcher.run()

    assert clock.waits == [0.5, 1, 2, 4, 8, 8, 8, 0.5]
    assert fetcher.last_look == sum(clock.waits[:-1])


def test_the_threads_of_a_worker_are_numbered_from_1(redis: Redis, fake_clock: FakeClock) -> None:
    fetcher, _ = fetcher_of(redis, fake_clock, concurrency=3)

    assert [slot.tid for slot in fetcher.slots] == ["job-1", "job-2", "job-3"]


def paced(fetcher: Fetcher, seconds: float) -> None:
    for _ in range(200):
        fetcher.handoff.pace.note(seconds)


@pytest.fixture
def _waits_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.worker.fetching.fetcher.IDLE_SECONDS", 0.001)
    monkeypatch.setattr("clock.worker.fetching.fetcher.SOON_SECONDS", 0.002)


@pytest.mark.usefixtures("_waits_are_short")
def test_no_job_is_claimed_while_all_threads_run_long_jobs(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_async(1)
    fetcher, _ = fetcher_of(redis, fake_clock)

    fetcher.fetch()

    assert redis.llen("queue:default") == 1


@pytest.mark.usefixtures("_waits_are_short")
def test_short_jobs_are_claimed_for_ten_milliseconds_and_again_when_half_of_them_is_left(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(100)])
    fetcher, _ = fetcher_of(redis, fake_clock)
    paced(fetcher, 0.000999)

    waiting = []
    for taken in (0, 4, 1, 0):
        for _ in range(taken):
            fetcher.take(fetcher.slots[0])
        fetcher.fetch()
        waiting.append(len(fetcher.handoff))

    assert waiting == [10, 6, 10, 10]


@pytest.mark.usefixtures("_waits_are_short")
@pytest.mark.parametrize(("seconds", "stay"), [(0.04, 9), (0.06, 0)])
def test_jobs_behind_a_job_that_takes_long_go_back_to_their_queue(
    redis: Redis, fake_clock: FakeClock, seconds: float, stay: int
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(10)])
    before = redis.lrange("queue:default", 0, -1)
    fake_clock.advance(timedelta(seconds=100))
    fetcher, _ = fetcher_of(redis, fake_clock)
    paced(fetcher, 0.000999)
    fetcher.fetch()
    fetcher.take(fetcher.slots[0])
    fetcher.fetch()  # jobs have finished since the last look

    fake_clock.advance(timedelta(seconds=seconds))
    fetcher.fetch()

    assert len(fetcher.handoff) == stay
    assert redis.lrange("queue:default", 0, -1) == ([] if stay else before[:-1])
    assert fetcher.handoff.pace.how_many(1) == 0


@pytest.mark.usefixtures("_waits_are_short")
def test_jobs_stay_while_others_finish(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(10)])
    fetcher, _ = fetcher_of(redis, fake_clock)
    paced(fetcher, 0.000999)
    fetcher.fetch()

    for _ in range(3):
        fake_clock.advance(timedelta(seconds=0.06))
        fetcher.handoff.pace.note(0.000999)
        fetcher.fetch()

    assert len(fetcher.handoff) == 10


@pytest.mark.usefixtures("_waits_are_short")
@pytest.mark.parametrize(("seconds", "ago"), [(4.9, 4.9), (5.1, 0)])
def test_a_worker_whose_threads_are_busy_makes_a_round_trip_every_five_seconds(
    redis: Redis, fake_clock: FakeClock, seconds: float, ago: float
) -> None:
    fake_clock.advance(timedelta(seconds=100))
    fetcher, _ = fetcher_of(redis, fake_clock)
    fake_clock.advance(timedelta(seconds=seconds))

    fetcher.fetch()

    assert fake_clock.monotonic() - fetcher.claims.last_round_trip == pytest.approx(ago)


@pytest.mark.usefixtures("_waits_are_short")
def test_a_finished_job_is_acknowledged_although_no_thread_wants_another(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    fetcher, _ = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    job = fetcher.take(fetcher.slots[0])
    assert job is not None
    fetcher.finish(fetcher.slots[0], job, 1.0)
    assert hash_size(redis) == 1

    fetcher.fetch()

    assert hash_size(redis) == 0


def test_an_acknowledgement_claims_nothing_and_is_sent_only_if_a_job_has_ended(
    redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    fetcher, in_progress = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    job = fetcher.take(fetcher.slots[0])
    assert job is not None
    assert fetcher.taken == [job]

    fetcher.finish(fetcher.slots[0], job, 0.0)
    for _ in range(2):
        fetcher.acknowledge()

    assert (fetcher.taken, in_progress.claims) == ([], 2)
    assert (redis.llen("queue:default"), hash_size(redis)) == (1, 0)


class NotedHandoff(Handoff):
    """Notes what the fetcher waits for. So many threads rest as the test says."""

    def __init__(self, rest: int) -> None:
        super().__init__(4)
        self.rest = rest
        self.waits: list[tuple[int, float]] = []
        self.idle_waits = 0
        self.is_called = False
        self.while_idle: Callable[[], object] = lambda: None

    @property
    def resting(self) -> int:
        return self.rest

    def wait_for_call(self, low: int, seconds: float) -> bool:
        self.waits.append((low, seconds))
        return self.is_called

    def let_one_wait_idle(self) -> bool:
        self.idle_waits += 1
        self.while_idle()
        return False


class Fetching:
    """A fetcher with four threads, its handoff and how often it claims."""

    def __init__(self, redis: Redis, clock: Clock, *, rest: int, seconds: float, burst: bool = False) -> None:
        self.handoff = handoff = NotedHandoff(rest)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("clock.worker.fetching.fetcher.Handoff", lambda _: handoff)
            self.in_progress = LosesAnswers(redis, "host:1:abc")
            options = WorkerOptions((Queue("default"),), concurrency=4, burst=burst)
            self.fetcher = Fetcher(self.in_progress, options=options, clock=clock)
        paced(self.fetcher, 4 * seconds)  # for one of four threads

    @property
    def waiting(self) -> int:
        return len(self.handoff)


LONG, SHORT = 10.0, 0.000999  # ten short jobs are done in ten milliseconds


def test_a_worker_claims_and_if_nothing_is_left_a_thread_waits_for_the_next_job(
    redis: Redis, fake_clock: FakeClock
) -> None:
    found = Fetching(redis, fake_clock, rest=1, seconds=LONG)

    for _ in range(3):
        found.fetcher.fetch()

    assert (found.in_progress.claims, found.handoff.idle_waits, found.handoff.waits) == (1, 3, [])


def test_a_job_that_ends_while_the_fetcher_waits_for_the_next_one_is_acknowledged_at_once(
    redis: Redis, fake_clock: FakeClock
) -> None:
    found = Fetching(redis, fake_clock, rest=1, seconds=LONG)
    slot, job = found.fetcher.slots[0], Claimed(1, "default", b"{}")
    seen: list[bool] = []

    def end_job() -> None:
        found.fetcher.finish(slot, job, 0.0)
        seen.append(found.fetcher.claims.has_done)

    found.handoff.while_idle = end_job
    found.fetcher.fetch()
    end_job()

    assert seen == [False, True]
    assert found.in_progress.limits == [1, 0]


def test_finished_jobs_are_acknowledged_before_the_fetcher_waits_for_the_next_one(
    redis: Redis, fake_clock: FakeClock
) -> None:
    found = Fetching(redis, fake_clock, rest=1, seconds=LONG)
    found.fetcher.fetch()
    found.fetcher.finish(found.fetcher.slots[0], Claimed(1, "default", b"{}"), 0.0)

    found.handoff.while_idle = lambda: seen.append(found.fetcher.claims.has_done)
    seen: list[bool] = []
    found.fetcher.fetch()

    assert seen == [False]
    assert found.in_progress.limits == [1, 0]


def test_after_a_claim_that_leaves_jobs_the_next_one_follows(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(3)])
    found = Fetching(redis, fake_clock, rest=1, seconds=LONG)

    for _ in range(2):
        found.fetcher.fetch()
        found.handoff.take_all()

    assert (found.in_progress.claims, found.handoff.idle_waits) == (2, 0)


@pytest.mark.parametrize("burst", [False, True])
def test_a_claim_that_gets_all_it_wants_is_not_followed_by_a_wait(
    redis: Redis, fake_clock: FakeClock, burst: bool
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(11)])
    found = Fetching(redis, fake_clock, rest=1, seconds=LONG, burst=burst)
    other = Fetching(redis, fake_clock, rest=0, seconds=SHORT, burst=burst)

    for each in (found, other):
        each.fetcher._fetch()

    assert (found.waiting, found.handoff.waits) == (1, [])
    assert (other.waiting, other.handoff.waits) == (10, [])


@pytest.mark.parametrize(
    ("rest", "seconds", "jobs", "waits"),
    [
        (0, LONG, 1, (0, IDLE_SECONDS)),  # until a thread is free
        (0, SHORT, 9, (0, SOON_SECONDS / 2)),  # until the jobs are taken
        (1, SHORT, 9, (0, SOON_SECONDS / 2)),
    ],
)
def test_a_worker_that_wants_no_more_jobs_waits_for_a_thread(
    redis: Redis, fake_clock: FakeClock, rest: int, seconds: float, jobs: int, waits: tuple[int, float]
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(jobs)])
    found = Fetching(redis, fake_clock, rest=rest, seconds=seconds)

    found.fetcher.fetch()
    again = [*found.handoff.waits]
    found.fetcher.fetch()

    assert again == [waits]
    assert found.handoff.idle_waits == 0


def test_a_worker_with_a_finished_job_soon_acknowledges_it(redis: Redis, fake_clock: FakeClock) -> None:
    found = Fetching(redis, fake_clock, rest=0, seconds=LONG)
    found.fetcher.finish(found.fetcher.slots[0], Claimed(1, "default", b"{}"), LONG)

    found.fetcher.fetch()

    assert found.handoff.waits == [(0, SOON_SECONDS / 2)]
    assert found.in_progress.claims == 1


@pytest.mark.parametrize(
    ("seconds", "jobs", "low"),
    [(LONG, 0, 0), (SHORT, 9, 5)],
)
def test_a_burst_looks_again_soon_if_fewer_jobs_wait_than_it_can_run(
    redis: Redis, fake_clock: FakeClock, seconds: float, jobs: int, low: int
) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(jobs)])
    found = Fetching(redis, fake_clock, rest=0, seconds=seconds, burst=True)

    found.fetcher.fetch_until_empty()

    assert found.handoff.waits == [(low, DRAIN_SECONDS)]


def test_a_burst_claims_no_more_than_its_threads_do_soon(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(50)])
    found = Fetching(redis, fake_clock, rest=0, seconds=SHORT, burst=True)

    for _ in range(2):
        found.fetcher.fetch_until_empty()

    assert (found.waiting, found.handoff.waits) == (10, [(5, DRAIN_SECONDS)])


@pytest.mark.parametrize("is_called", [False, True])
def test_a_burst_acknowledges_jobs_if_no_thread_calls_for_others(
    redis: Redis, fake_clock: FakeClock, is_called: bool
) -> None:
    found = Fetching(redis, fake_clock, rest=0, seconds=LONG, burst=True)
    found.handoff.is_called = is_called
    found.fetcher.finish(found.fetcher.slots[0], Claimed(1, "default", b"{}"), LONG)

    found.fetcher.fetch_until_empty()

    assert found.fetcher.claims.has_done is is_called


def test_jobs_that_cannot_go_back_wait_for_a_thread_again(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_async(1)
    fetcher, _ = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    redis.set("queue:default", "a string")

    with pytest.raises(StoreError):
        fetcher.give_back_ready()

    assert len(fetcher.handoff) == 1
    assert hash_size(redis) == 1


def test_a_fetcher_ends_although_its_jobs_cannot_go_back(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "clock.worker")
    NoteThingJob.perform_async(1)
    fetcher, _ = fetcher_of(redis, fake_clock)
    fetcher.claim(1)
    redis.set("queue:default", "a string")
    fetcher.stop()

    fetcher.run()

    assert "Jobs that have not started are put back at shutdown: " in caplog.text
    assert hash_size(redis) == 1


@contextmanager
def threads(fetcher: Fetcher, count: int) -> Iterator[None]:
    """So many of the worker's threads rest until there is a job, and hold it."""
    running = [threading.Thread(target=fetcher.take, args=[slot], daemon=True) for slot in fetcher.slots[:count]]
    for thread in running:
        thread.start()
    eventually(lambda: fetcher.handoff.resting == count, "resting threads")
    yield
    fetcher.stop()
    for thread in running:
        thread.join(PATIENCE_SECONDS)


def bursting(
    redis: Redis, clock: Clock, ends: list[str], *, concurrency: int = 1, drained: bool = True
) -> Fetcher:
    return Fetcher(
        InProgress(redis, "host:1:abc"),
        options=WorkerOptions((Queue("default"),), concurrency, burst=True),
        clock=clock,
        on_empty=lambda: ends.append("empty"),
        is_drained=lambda: drained,
    )


@pytest.mark.parametrize(
    ("rest", "waiting", "drained", "ends"),
    [(2, 0, True, ["empty"]), (2, 0, False, []), (1, 0, True, []), (2, 1, True, []), (0, 1, True, [])],
)
def test_a_burst_ends_when_no_job_waits_and_none_runs(
    redis: Redis, fake_clock: FakeClock, rest: int, waiting: int, drained: bool, ends: list[str]
) -> None:
    found: list[str] = []
    NoteThingJob.perform_bulk([[number] for number in range(waiting)])
    fetcher = bursting(redis, fake_clock, found, concurrency=2, drained=drained)

    with threads(fetcher, rest):
        fetcher.fetch_until_empty()

    assert found == ends
    assert redis.llen("queue:default") == (waiting if rest == 0 else 0)


def test_a_burst_ends_after_its_last_job(redis: Redis, fake_clock: FakeClock) -> None:
    ends: list[str] = []
    NoteThingJob.perform_async(1)
    fetcher = bursting(redis, fake_clock, ends)

    def work() -> None:
        while (job := fetcher.take(fetcher.slots[0])) is not None:
            fetcher.finish(fetcher.slots[0], job, 0.0)

    thread = threading.Thread(target=work)
    thread.start()
    while not ends:
        fetcher.fetch_until_empty()
    fetcher.stop()
    thread.join(PATIENCE_SECONDS)

    assert redis.llen("queue:default") == 0
    assert hash_size(redis) == 0
