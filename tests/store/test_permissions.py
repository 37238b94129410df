"""A user that may not run one command: a script that needs it changes nothing."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store import scripts
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.in_progress import Claimed, InProgress, Move
from clock.store.ledger import overdue
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.ledger import RedisLedger
from clock.store.repairs import bury
from clock.store.server.connection import connect
from clock.store.server.permissions import COMMANDS, check_permissions

NOON = 1_795_521_600_000
JOB = json.dumps({"class": "SomeJob", "args": [], "jid": "j1", "queue": "default"}).encode()


@pytest.fixture
def limited(redis: Redis, redis_url: str) -> Iterator[Callable[[str], Redis]]:
    """A connection of a user that may do all but one thing."""
    opened: list[Redis] = []

    def connected(command: str) -> Redis:
        redis.acl_setuser("limited", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"])
        redis.acl_setuser("limited", enabled=True, commands=["-" + command])
        opened.append(connect(redis_url.replace("//", "//limited:any@", 1)))
        return opened[-1]

    yield connected
    for connection in opened:
        connection.close()
    redis.acl_deluser("limited")


def places(redis: Redis) -> list[str]:
    """Where the job is: the name of each list, sorted set and hash, as often as it is there."""
    found = []
    for key in sorted(redis.scan_iter()):
        kind = redis.type(key)
        if kind == b"list":
            found += [key.decode()] * len(redis.lrange(key, 0, -1))
        elif kind == b"zset" and key in (b"schedule", b"dead"):
            found += [key.decode()] * redis.zcard(key)
        elif kind == b"hash" and key.startswith(b"clock:in_progress"):
            found += [key.decode()] * redis.hlen(key)
    return found


def claim(redis: Redis) -> None:
    InProgress(redis, "me").claim(["default"], 5, done=(), today="2026-11-24", expires_ms=0)


def release(redis: Redis) -> None:
    Delayed(redis).release("schedule", [(JOB, "default", JOB)])


def bury_it(redis: Redis) -> None:
    bury(redis, "schedule", [JOB], 1.0)


def unpark(redis: Redis) -> None:
    Delayed(redis).unpark("SomeJob", [(JOB, "default")])


def put_back(redis: Redis) -> None:
    InProgress(redis, "me").put_back([Move(Claimed(1, "default", JOB), "queue", "default", JOB)])


def fire(redis: Redis) -> None:
    decision = Decision(
        "feed", "every minute", NOON - 1000, NOON, DecisionKind.FIRED, {}, [Push(JOB.decode(), "default")]
    )
    RedisLedger(redis).commit([decision])


def declare(redis: Redis) -> None:
    RedisLedger(redis).declare([("feed", "every minute")], NOON)


PLACED: dict[str, Callable[[Redis], object]] = {
    "": declare,
    "queue:default": lambda redis: redis.lpush("queue:default", JOB),
    "schedule": lambda redis: redis.zadd("schedule", {JOB: 1}),
    "clock:parked:SomeJob": lambda redis: redis.lpush("clock:parked:SomeJob", JOB),
    "clock:in_progress:me": lambda redis: redis.hset("clock:in_progress:me", "1", b"default\n" + JOB),
}


@pytest.mark.parametrize(
    ("place", "move", "command"),
    [
        ("queue:default", claim, "hset"),
        ("schedule", release, "lpush"),
        ("schedule", bury_it, "zadd"),
        ("clock:parked:SomeJob", unpark, "rpush"),
        ("clock:parked:SomeJob", unpark, "lpush"),
        ("clock:in_progress:me", put_back, "hdel"),
        ("", fire, "hset"),
    ],
)
def test_a_job_stays_in_its_one_place_if_redis_refuses_half_of_a_move(
    redis: Redis, limited: Callable[[str], Redis], place: str, move: Callable[[Redis], None], command: str
) -> None:
    PLACED[place](redis)

    for _ in range(2):
        with pytest.raises(StoreError, match=f"no permissions to run the '{command}' command"):
            move(limited(command))

    assert places(redis) == [place] * bool(place)


def test_asking_for_permissions_changes_nothing(redis: Redis) -> None:
    check_permissions(redis)

    assert redis.keys() == []
    assert redis.ping(), "the connection is not left in a transaction"


@pytest.mark.parametrize("command", sorted({words[0].lower() for words in COMMANDS} | {"multi"}))
def test_asking_for_permissions_finds_each_command_that_is_missing(
    limited: Callable[[str], Redis], command: str
) -> None:
    with pytest.raises(StoreError, match=f"'{command}' command") as caught:
        check_permissions(limited(command))

    assert caught.value.cause == "no_permission"


def test_asking_for_permissions_covers_each_command_of_the_scripts_that_writes(redis: Redis) -> None:
    texts = [path.read_text() for path in (Path(scripts.__file__).parent / "lua").glob("*.lua")]
    used = set(re.findall(r"call\('([A-Z]+)'", "".join(texts)))
    known: Any = redis.command()
    writing = {name for name in used if "write" in known[name.lower()]["flags"]}

    assert {"HSET", "XADD"} < writing <= {words[0] for words in COMMANDS}


def test_asking_for_permissions_finds_keys_that_the_user_may_not_write(redis: Redis, redis_url: str) -> None:
    redis.acl_setuser("reader", enabled=True, nopass=True, keys=["clock:*"], commands=["+@all"])
    connection = connect(redis_url.replace("//", "//reader:any@", 1))

    with pytest.raises(StoreError) as caught:
        check_permissions(connection)

    connection.close()
    redis.acl_deluser("reader")
    assert caught.value.cause == "no_permission"


def test_the_watch_of_the_clock_reports_a_command_that_is_refused(
    limited: Callable[[str], Redis],
) -> None:
    with pytest.raises(StoreError, match="'time' command"):
        overdue.look(limited("time"))
