from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.inspection.doctor import doctor
from clock.inspection.doctor.doctor import Circumstances, adopt_jobs, examine, forget_events
from clock.inspection.doctor.finding import Finding, Grade
from clock.store import listing
from clock.store.ledger.ledger import RedisLedger
from clock.store.repairs import forget_event
from tests.inspection.conftest import NOW

HERE = Circumstances("redis://127.0.0.1:6379", timedelta(0), connections_per_worker=12)


@pytest.fixture
def configured(redis: Redis) -> Iterator[Redis]:
    """A Redis whose settings may be changed; they are put back."""
    names = ("maxmemory-policy", "maxmemory", "appendonly", "appendfsync", "save")
    before = {name: redis.config_get(name)[name] for name in names}
    yield redis
    for name, value in before.items():
        redis.config_set(name, str(value))


def finding(redis: Redis, subject: str, around: Circumstances = HERE) -> Finding:
    [found] = [item for item in examine(redis, around) if item.subject == subject]
    return found


def test_without_redis_nothing_is_examined() -> None:
    with closing(Redis(port=1, retry=Retry(NoBackoff(), 0))) as none, pytest.raises(StoreUnavailable):
        examine(none, HERE)


@pytest.mark.parametrize(("policy", "grade"), [("noeviction", Grade.GOOD), ("allkeys-lru", Grade.BAD)])
def test_a_policy_that_throws_keys_away_is_bad(configured: Redis, policy: str, grade: Grade) -> None:
    configured.config_set("maxmemory-policy", policy)

    found = finding(configured, "eviction")

    assert found.grade is grade
    assert ("noeviction" in found.advice) is (grade is Grade.BAD)


def test_no_persistence_is_bad(configured: Redis) -> None:
    configured.config_set("appendonly", "no")
    configured.config_set("save", "")

    found = finding(configured, "persistence")

    assert found.grade is Grade.BAD
    assert found.found == "none: a restart loses every job and the clock's state"
    assert "appendonly yes" in found.advice


@pytest.mark.parametrize(
    ("fsync", "grade", "says"),
    [
        ("always", Grade.GOOD, "nothing"),
        ("everysec", Grade.GOOD, "a second"),
        ("no", Grade.WARNING, "half a minute"),
    ],
)
def test_an_append_only_file_says_what_a_crash_loses(
    configured: Redis, fsync: str, grade: Grade, says: str
) -> None:
    configured.config_set("appendonly", "yes")
    configured.config_set("appendfsync", fsync)

    found = finding(configured, "persistence")

    assert found.grade is grade
    assert says in found.found


def test_a_server_near_its_limit_of_memory_is_bad(configured: Redis) -> None:
    configured.config_set("maxmemory-policy", "noeviction")
    configured.config_set("maxmemory", int(configured.info("memory")["used_memory"] * 1.1))

    assert finding(configured, "memory").grade is Grade.BAD


@pytest.mark.parametrize(
    ("url", "grade"),
    [
        ("unix:///tmp/x.sock", Grade.GOOD),
        ("redis://localhost:6379", Grade.GOOD),
        ("rediss://cache.example.com:6379", Grade.GOOD),
        ("rediss://cache.example.com:6379?ssl_cert_reqs=none", Grade.WARNING),
        ("redis://cache.example.com:6379", Grade.WARNING),
    ],
)
def test_a_connection_that_can_be_read_is_warned_about(redis: Redis, url: str, grade: Grade) -> None:
    assert finding(redis, "network", Circumstances(url, timedelta(0), 12)).grade is grade


@pytest.mark.parametrize(("offset", "grade"), [(0.4, Grade.GOOD), (-0.6, Grade.WARNING), (90, Grade.WARNING)])
def test_a_clock_that_is_off_is_warned_about(redis: Redis, offset: float, grade: Grade) -> None:
    around = Circumstances(HERE.url, timedelta(seconds=offset), 12)

    assert finding(redis, "clock skew", around).grade is grade


def test_a_server_with_room_for_less_than_two_workers_is_warned_about(redis: Redis) -> None:
    assert finding(redis, "connections").grade is Grade.GOOD
    assert finding(redis, "connections", Circumstances(HERE.url, timedelta(0), 9_000)).grade is Grade.WARNING


def test_jobs_of_a_worker_on_no_register_are_found_and_given_to_the_living(redis: Redis) -> None:
    redis.hset("clock:in_progress:gone:1:x", "1", "default\n{}")
    redis.hset("clock:in_progress:here:1:x", "1", "default\n{}")
    redis.zadd("clock:workers", {"here:1:x": to_ms(NOW)})

    found = finding(redis, "jobs in progress")
    adopted = adopt_jobs(redis)

    assert found.grade is Grade.BAD
    assert "gone:1:x" in found.found
    assert adopted == 1
    assert redis.zscore("clock:workers", "gone:1:x") == 0  # dead long since: the next worker that looks takes over
    assert redis.zscore("clock:workers", "here:1:x") == to_ms(NOW)
    assert finding(redis, "jobs in progress").grade is Grade.GOOD


def test_events_that_have_left_the_clock_file_are_found_and_forgotten(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    ledger.declare([("gone", "every day"), ("kept", "every day")], to_ms(NOW))
    ledger.orphan(["kept"], to_ms(NOW))
    redis.xadd("clock:history:gone", {"entry": "{}"})

    found = finding(redis, "ledger")
    forgotten = forget_events(redis)

    assert found.grade is Grade.WARNING
    assert "'gone'" in found.found
    assert forgotten == 1
    assert listing.orphaned(redis) == {}
    assert redis.hkeys("clock:ledger:declaration") == [b"kept"]
    assert redis.exists("clock:history:gone") == 0
    assert finding(redis, "ledger").grade is Grade.GOOD


def test_an_event_that_comes_back_while_it_is_forgotten_stays(redis: Redis) -> None:
    ledger = RedisLedger(redis)
    ledger.declare([("back", "every day")], to_ms(NOW))
    ledger.orphan([], to_ms(NOW))
    [left] = listing.orphaned(redis)
    ledger.declare([("back", "every day")], to_ms(NOW))

    assert not forget_event(redis, left)
    assert redis.hget("clock:ledger:declaration", "back") == b"every day"


def test_a_server_that_is_too_old_is_bad_and_the_needed_version_is_named(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {**listing.server(redis), "server_name": "redis", "redis_version": "5.0.14"}
    told.pop("valkey_version", None)
    monkeypatch.setattr(listing, "server", lambda _: told)

    found = finding(redis, "version")

    assert found.grade is Grade.BAD
    assert found.advice.startswith("upgrade to 6.")


def test_parked_jobs_are_warned_about_with_their_classes(redis: Redis) -> None:
    redis.sadd("clock:parked", "GoneJob")
    redis.lpush("clock:parked:GoneJob", "{}")

    found = finding(redis, "parked jobs")

    assert (found.grade, found.found) == (Grade.WARNING, "no worker had their class or key: GoneJob (1)")


def test_a_server_that_refuses_writes_for_now_is_not_blamed_for_missing_permissions(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Redis) -> None:
        raise StoreUnavailable("Redis refuses writes: its disk is full.")

    monkeypatch.setattr(doctor, "check_permissions", refuse)

    assert not [item for item in examine(redis, HERE) if item.subject == "permissions"]
