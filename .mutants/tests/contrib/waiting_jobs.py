"""Jobs that wait in Redis."""

from redis import Redis

from clock.job.payload import Payload, decode
from tests.worker.conftest import Bench


def pushed(redis: Redis) -> Payload:
    """The job that was pushed first."""
    [text] = redis.lrange("queue:default", -1, -1)
    assert isinstance(text, bytes)
    found = decode(text)
    assert isinstance(found, dict)
    return found


def retry_all(redis: Redis, bench: Bench) -> None:
    """Run the failed jobs again."""
    for text in redis.zrange("retry", 0, -1):
        assert isinstance(text, bytes)
        redis.zrem("retry", text)
        redis.lpush("queue:default", text)
    bench.run_all()
