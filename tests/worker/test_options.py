from collections import Counter

from clock.worker.options import Queue, WorkerOptions

DRAWS = 4_000


def test_without_weights_the_order_is_the_one_given() -> None:
    options = WorkerOptions((Queue("b"), Queue("a"), Queue("c")))

    assert {tuple(options.order()) for _ in range(100)} == {("b", "a", "c")}


def test_a_queue_comes_first_as_often_as_its_weight_says() -> None:
    options = WorkerOptions((Queue("a", 5), Queue("b", 2), Queue("c", 1)))

    first = Counter(options.order()[0] for _ in range(DRAWS))

    for name, weight in (("a", 5), ("b", 2), ("c", 1)):
        assert abs(first[name] - DRAWS * weight / 8) < DRAWS * 0.05


def test_one_weight_makes_all_weighted_and_the_others_count_as_one() -> None:
    options = WorkerOptions((Queue("critical", 3), Queue("default")))

    first = Counter(options.order()[0] for _ in range(DRAWS))

    assert abs(first["default"] - DRAWS / 4) < DRAWS * 0.05


def test_each_order_holds_every_queue_once() -> None:
    options = WorkerOptions((Queue("a", 2), Queue("b", 1), Queue("a", 2)))

    assert {tuple(sorted(options.order())) for _ in range(100)} == {("a", "b")}


def test_a_worker_waits_on_one_queue_for_two_threads_and_first_on_the_latest() -> None:
    queues = tuple(map(Queue, ("critical", "default", "low")))

    assert WorkerOptions(queues, concurrency=10).watched("low") == ["low", "critical", "default"]
    assert WorkerOptions(queues, concurrency=4).watched("default") == ["default", "critical"]
    assert WorkerOptions(queues, concurrency=1).watched("critical") == ["critical"]
    assert [WorkerOptions(queues, concurrency=count).watches_all for count in (6, 5)] == [True, False]


def test_a_worker_counts_as_dead_after_four_missed_heartbeats() -> None:
    assert WorkerOptions(beat_seconds=2.5).expires_seconds == 10
