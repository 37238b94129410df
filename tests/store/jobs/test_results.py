"""Results of jobs, which expire."""

from redis import Redis

from clock.store import keys
from clock.store.jobs import results
from tests.servers import lifetime


def test_fields_are_written_and_read_and_those_of_once_only_if_they_are_new(redis: Redis) -> None:
    first = results.write_task(redis, "j1", {"status": "new"}, seconds=60.5, once={"enqueued": "1"})
    second = results.write_task(redis, "j1", {"status": "done"}, seconds=30, once={"enqueued": "2"})

    assert first == {"enqueued": "1", "status": "new"}
    assert second == {"enqueued": "1", "status": "done"}
    assert results.read_task(redis, "j1") == second
    assert redis.pttl(keys.RESULT + "j1") in lifetime(30)


def test_a_result_is_kept_for_its_seconds_also_if_nothing_new_is_written(redis: Redis) -> None:
    results.write_task(redis, "j1", {"status": "new"}, seconds=10)

    assert results.write_task(redis, "j1", {}, seconds=6_000.5) == {"status": "new"}

    assert redis.pttl(keys.RESULT + "j1") in lifetime(6_000.5)


def test_a_result_that_is_missing_or_another_programs_is_empty(redis: Redis) -> None:
    redis.set(keys.RESULT + "j1", "foreign")
    redis.set(keys.JOB_RESULT + "j1", "foreign")
    redis.hset(keys.JOB_RESULT + "j2", mapping={b"caf\xe9": b"\xff"})

    assert [results.read_task(redis, jid) for jid in ("j1", "j2")] == [{}, {}]
    assert [results.read(redis, jid) for jid in ("j1", "j2")] == [{}, {"caf\ufffd": "\ufffd"}]
