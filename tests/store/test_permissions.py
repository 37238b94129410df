"""A user that may not run one command: a script that needs it changes nothing, and the command is named."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.problems import Problems
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import limit_holders, rates, unique_locks
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.store.jobs.worker_register import WorkerRegister
from clock.store.ledger import next_due
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.lease import Lease
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import Pause
from clock.store.repairs import bury
from clock.store.scripts import scripts, source
from clock.store.server.checks import permissions
from clock.store.server.connection import connect
from clock.store.server.shards import Shards, join
from clock.testing import FakeClock

NOON = 1_795_521_600_000
JOB = json.dumps({"class": "SomeJob", "args": [], "jid": "j1", "queue": "default"}).encode()


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
    InProgress(redis, "me").claim(["default"], 5, done=(), now=from_ms(0), expires_seconds=0.0)


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


@pytest.mark.usefixtures("needs_redis_7")
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
        ("", fire, "lpush"),
        ("", fire, "sadd"),
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
    assert not redis.exists("clock:history:feed")


def test_the_watch_of_the_clock_reports_a_command_that_is_refused(
    limited: Callable[[str], Redis],
) -> None:
    with pytest.raises(StoreError, match="'time' command"):
        next_due.look(limited("time"))


NEEDED = [
    *permissions.of_clock(),
    *permissions.of_worker("host:1:a", ["default"]),
    *permissions.of_shards(),
]
OF_COMMANDS = (
    "bury",
    "clear_queue",
    "remove_from_queue",
    "forget_event",
    "look_for_jobs",
    "move_key",
)  # what only people start


@pytest.mark.usefixtures("needs_redis_7")
def test_each_command_that_a_process_needs_is_named_if_it_is_refused(
    limited: Callable[[str], Redis],
) -> None:
    names = {command[0] for command in NEEDED}

    found = {
        name: {command[0] for command in permissions.Permissions(limited(name), NEEDED).refused()}
        for name in names
    }

    assert found == {name: {name} for name in names}


@pytest.mark.usefixtures("needs_redis_7")
def test_a_command_that_is_refused_for_some_keys_is_named_with_the_key(redis: Redis, redis_url: str) -> None:
    redis.acl_setuser("limited", enabled=True, nopass=True, keys=["queue*", "clock:*"], commands=["+@all"])
    wanted = [("ZADD", "retry"), ("HMGET", "clock:lease"), ("SUBSCRIBE", "clock:nearer"), ("BLPOP", "retry", "0")]

    needed = permissions.Permissions(connect(redis_url.replace("//", "//limited:any@", 1)), wanted)

    assert needed.refused() == [("ZADD", "retry"), ("SUBSCRIBE", "clock:nearer"), ("BLPOP", "retry", "0")]
    with pytest.raises(StoreError, match=r"ZADD retry, SUBSCRIBE clock:nearer, BLPOP retry\. Allow it: docs/dep"):
        needed.check()
    redis.acl_deluser("limited")


@pytest.mark.usefixtures("needs_redis_7")
def test_a_line_names_five_refused_commands(limited: Callable[[str], Redis]) -> None:
    wanted = [("TIME", str(number)) for number in range(6)]

    with pytest.raises(StoreError, match="TIME 0, TIME 1, TIME 2, TIME 3, TIME 4 and 1 more"):
        permissions.Permissions(limited("time"), wanted).check()


@pytest.mark.usefixtures("needs_redis_7")
def test_a_process_looks_until_it_stops(limited: Callable[[str], Redis], fake_clock: FakeClock) -> None:
    stops, problems = [False, True], Problems(clock=fake_clock)
    clock: Any = SimpleNamespace(wait=lambda *_: stops.pop(0))

    permissions.SelfCheck(limited("time"), [("TIME",)], clock=clock, problems=problems).run(threading.Event())

    assert stops == []
    with pytest.raises(StoreError, match="TIME"):
        problems.raise_fatal()


def test_the_commands_of_all_scripts_of_clocks_and_workers_are_among_those_that_are_needed() -> None:
    names = scripts().keys() - {*OF_COMMANDS}

    used = {command for name in names for command in re.findall(r"redis.p?call\('([A-Z]+)'", source(name))}

    assert used <= {command[0] for command in NEEDED}


def test_an_error_of_a_script_is_told_without_the_scripts_name(limited: Callable[[str], Redis]) -> None:
    with pytest.raises(StoreError, match=r"command\. Allow it"):
        release(limited("type"))


def test_a_server_that_counts_the_arguments_of_a_checked_command_refuses_none(redis: Redis) -> None:
    """Redis 8.6 does; the script runs with a function that does so on every server."""
    counting = """
        local arities = cmsgpack.unpack(ARGV[2])
        local function acl_check_cmd(...)
          local count, arity = select('#', ...), arities[select(1, ...)]
          if count < math.abs(arity) or (arity > 0 and count > arity) then error('wrong number of args') end
          return true
        end
    """
    script = redis.register_script(counting + source("refused").replace("redis.acl_check_cmd", "acl_check_cmd"))
    commands: Any = redis.command()
    arities = {name: commands[name.lower()]["arity"] for name, *_ in NEEDED}

    assert script(args=[msgspec.msgpack.encode(NEEDED), msgspec.msgpack.encode(arities)]) == []


def test_asking_for_permissions_changes_nothing(redis: Redis) -> None:
    permissions.check_permissions(redis)

    assert redis.keys() == []


EXAMPLES = re.compile("EVENT|NAME|CLASS|TIME|JID|2026-11-24")  # parts of keys that stand for any


def selectors(wanted: Sequence[permissions.Command]) -> Iterator[str]:
    """Rules that allow each command on its own keys, and on no others."""
    keys_of: dict[str, set[str]] = {}
    for name, *rest in wanted:
        if name != "SCRIPT":
            keys_of.setdefault(name, set()).update(rest[:1])
    for name, names in keys_of.items():
        patterns = [f"~{EXAMPLES.sub('*', key)}" for key in names]
        yield f"(+{' '.join([name, '&*', *patterns])})"


@pytest.fixture
def least(redis: Redis, redis_url: str) -> Iterator[Callable[[Sequence[permissions.Command]], Redis]]:
    """A connection of a user that may run these commands on their keys, and no others."""
    opened: list[Redis] = []

    def connected(wanted: Sequence[permissions.Command]) -> Redis:
        rules = ["on", "nopass", "~*", "&*", "+@connection", "+evalsha", "+script", *selectors(wanted)]
        redis.execute_command("ACL", "SETUSER", "least", "reset", *rules)  # type: ignore[no-untyped-call]  # untyped there
        opened.append(connect(redis_url.replace("//", "//least:any@", 1)))
        return opened[-1]

    redis.acl_log_reset()
    yield connected
    for connection in opened:
        connection.close()
    redis.acl_deluser("least")


@pytest.mark.usefixtures("needs_redis_7")
def test_what_shards_and_durable_writes_need_is_asked_of_connections_that_have_them(
    least: Callable[[Sequence[permissions.Command]], Redis],
) -> None:
    own = least([*permissions.of_clock(), *permissions.of_worker("host:1:a", ["default"])])
    pool: Any = own.connection_pool
    permissions.check_permissions(own)

    pool.durable = 1
    with pytest.raises(StoreError, match="SET clock:replicated"):
        permissions.check_permissions(own)
    pool.durable = 0
    join(own, Shards([], []))
    with pytest.raises(StoreError, match="ZADD clock:shards"):
        permissions.check_permissions(own)


DISPENSABLE = {("info", "command"), ("memory|usage", "command")}  # clock does without an answer


def denied(redis: Redis) -> set[tuple[str, str]]:
    """What the server has refused, with the reason; a script may have ignored it."""
    found: Any = redis.acl_log(128)
    return {(entry["object"], entry["reason"]) for entry in found}


@pytest.mark.usefixtures("needs_redis_7")
def test_a_clock_uses_no_command_but_those_that_it_checks(
    redis: Redis, least: Callable[[Sequence[permissions.Command]], Redis]
) -> None:
    of_queue = [(name, "queue:default") for name in ("LPUSH", "TYPE", "LLEN", "LRANGE", "LINDEX")]
    own = least([*permissions.of_clock(), *of_queue])
    redis.hset("clock:watched:feed", "gone", "0")
    for name, member in (("schedule", JOB), ("retry", JOB), ("clock:workers", b"me")):
        redis.zadd(name, {member: 1})
    redis.sadd("clock:parked", "SomeJob")
    ledger = RedisLedger(own, release="r", rank=1)
    lease = Lease(own, identity="me", release="r", rank=1)

    assert lease.take(1).holder == "me"
    declare(own)
    fire(own)
    ledger.mark_next_due("feed", NOON)
    ledger.pause("feed", Pause(from_ms(0), from_ms(1)))
    assert ledger.running("feed", NOON) == 0
    kept_out = unique_locks.LockedPush(unique_locks.Lock("feed:1", "mine"), "default", JOB.decode(), None)
    redis.hset("clock:unique", "feed:1", "gone|0|0")
    assert unique_locks.push_kept_out(own, [kept_out], now_ms=NOON) == ["mine"]
    ledger.orphan([], NOON)
    ledger.remove(["feed"], NOON)
    lease.give_back()
    assert ledger.pauses() == {}
    assert denied(redis) <= DISPENSABLE
    assert redis.llen("queue:default") == 2


@pytest.mark.usefixtures("needs_redis_7")
def test_a_worker_uses_no_command_but_those_that_it_checks(
    redis: Redis, least: Callable[[Sequence[permissions.Command]], Redis]
) -> None:
    own = least(permissions.of_worker("host:1:a", ["default"]))
    rules = {"limits": [{"name": "crm", "max": 1}]}
    rows = [json.dumps({"class": "SomeJob", "args": [], "jid": f"j{n}", **rules}) for n in range(3)]
    redis.lpush("queue:default", *rows)
    redis.zadd("clock:limit_holders", {"crm\nj9|queue|0": 0, "crm\vgone\v1": 0})
    register, now = WorkerRegister(own), from_ms(NOON)
    in_progress = InProgress(own, "me")

    claimed = in_progress.claim(["default"], 3, done=(), now=now, expires_seconds=60.0)
    redis.sadd("paused", "default")
    healed = limit_holders.heal(own, now=now)
    in_progress.hold_rates("j1", ["mail"], 1.0, now=now)
    rates.forget(own, within=0, now_ms=2 * NOON)
    Delayed(own).due("schedule", NOON)
    register.forget("gone", now)

    assert claimed == []
    assert healed == 2
    assert denied(redis) <= DISPENSABLE
    assert redis.get("clock:locks_healed") == b"2"


@pytest.mark.parametrize("command", ["lrange", "llen", "zrevrange", "zcard", "hkeys"])
def test_a_job_does_not_count_as_gone_if_a_command_of_the_search_is_refused(
    redis: Redis, limited: Callable[[str], Redis], command: str
) -> None:
    redis.sadd("queues", "default")
    redis.zadd("clock:workers", {"me": 2 * NOON})
    place = {"l": "queue:default", "z": "schedule", "h": "clock:in_progress:me"}[command[0]]
    PLACED[place](redis)

    assert unique_locks.gone(limited(command), ["j1", "j2"], now=from_ms(NOON)) == set()
    assert unique_locks.gone(redis, ["j1", "j2"], now=from_ms(NOON)) == {"j2"}
