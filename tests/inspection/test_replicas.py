"""`clock doctor` and the log at the start report replicas that `durable` needs and that are not there."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from redis import Redis

from clock.config import Config
from clock.inspection.doctor.doctor import Circumstances, examine
from clock.inspection.doctor.finding import Finding, Grade
from clock.inspection.doctor.server import replicas_findings
from clock.store.server.checks.losses import warn_of_losses
from clock.store.server.connection import connect
from clock.store.server.opening import connected
from clock.store.server.shards import every
from tests.servers import Servers, port_of

FOLLOWS = {"ip": "10.0.0.2", "port": 6379, "state": "online", "offset": 7, "lag": 0}
NO_REPLICA = "durable is 1, but Redis has 0 replicas: pushes fail, and the clock holds its runs"


@pytest.fixture
def durable(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """A connection with `durable` = 1 to a server without replicas."""
    assert redis.info("replication")["connected_slaves"] == 0
    found = connect(redis_url, durable=1)
    yield found
    found.close()


def of_durable(redis: Redis, info: dict[str, object]) -> Finding:
    [found] = replicas_findings(redis, {"aof_enabled": 1, **info})
    return found


@pytest.mark.parametrize(
    ("info", "grade", "found"),
    [
        ({"connected_slaves": 0}, Grade.BAD, NO_REPLICA),
        ({"connected_slaves": 1, "slave0": {**FOLLOWS, "state": "wait_bgsave"}}, Grade.BAD, NO_REPLICA),
        (
            {"connected_slaves": 1, "slave0": FOLLOWS},
            Grade.WARNING,
            "durable is 1, and Redis has 1 replica: while one restarts, pushes fail and the clock holds its runs",
        ),
        (
            {"connected_slaves": 2, "slave0": FOLLOWS, "slave1": FOLLOWS},
            Grade.GOOD,
            "1, and Redis has 2 replicas",
        ),
    ],
)
def test_durable_needs_replicas_that_follow(
    durable: Redis, info: dict[str, object], grade: Grade, found: str
) -> None:
    finding = of_durable(durable, info)

    assert (finding.grade, finding.found) == (grade, found)


def test_without_durable_replicas_do_not_matter(redis: Redis) -> None:
    assert list(replicas_findings(redis, {"connected_slaves": 0})) == []


def test_a_server_that_does_not_report_its_replicas_has_no_finding(durable: Redis) -> None:
    assert list(replicas_findings(durable, {"aof_enabled": 1})) == []


def test_a_durable_primary_without_append_only_file_is_warned_about(durable: Redis) -> None:
    _, found = replicas_findings(durable, {"aof_enabled": 0, "connected_slaves": 1, "slave0": FOLLOWS})

    assert found.grade is Grade.WARNING
    assert found.found.startswith("no append-only file")


def test_fewer_replicas_than_the_server_needs_to_write_are_found(redis: Redis) -> None:
    redis.config_set("min-replicas-to-write", 2)
    try:
        [found] = replicas_findings(redis, {"min_slaves_good_slaves": 1})
    finally:
        redis.config_set("min-replicas-to-write", 0)

    assert found.found == "min-replicas-to-write is 2, and Redis has 1 replica: it refuses writes"


def test_the_log_reports_missing_replicas_at_the_start(
    durable: Redis, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_losses(redis)
    warn_of_losses(durable)

    assert caplog.messages == [f"{NO_REPLICA}. Start replicas, or lower durable."]


@pytest.mark.process
def test_the_doctor_examines_the_servers_of_all_shards(servers: Servers) -> None:
    home, other = servers.start("--appendonly", "yes"), servers.start("--appendonly", "yes")
    other.config_set("maxmemory-policy", "allkeys-lru")
    urls = tuple(f"redis://127.0.0.1:{port_of(one)}" for one in (home, other))
    redis = connected(Config(redis=urls[0], redis_urls=urls, durable=1), 3)

    found = examine(redis, Circumstances(urls[0], timedelta(0), 12))

    wrong = {finding.subject for finding in found if finding.grade is Grade.BAD}
    assert {"durable", f"durable of {urls[1]}", f"eviction of {urls[1]}"} <= wrong
    assert not [finding for finding in found if finding.subject == f"eviction of {urls[0]}"]
    for place in every(redis):
        place.close()


def test_a_user_that_may_not_ask_for_replicas_gets_no_warning(
    redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis.acl_setuser(
        "no-info", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-info"]
    )
    with closing(connect(redis_url.replace("//", "//no-info:any@", 1), durable=1)) as limited:
        warn_of_losses(limited)
    redis.acl_deluser("no-info")

    assert caplog.messages == []
