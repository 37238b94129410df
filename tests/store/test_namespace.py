"""A namespace: the prefix before every key, and two applications on one server that see nothing of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.connection import HiredisRespSerializer
from redis.exceptions import DataError

from clock.clocks import SystemClock
from clock.errors import ClockError, ConfigurationError
from clock.inspection.moving import check_stopped
from clock.store import listing
from clock.store.jobs.delayed import Nearer
from clock.store.jobs.queues import Parcel, push_commands
from clock.store.jobs.worker_register import WorkerRegister
from clock.store.moving import move_key, own_keys
from clock.store.server.checks.permissions import Permissions
from clock.store.server.connection import connect
from clock.store.server.namespace import Namespace, full_key, namespace_of
from clock.store.server.sending import send
from clock.store.wrong_type import wrong_keys
from clock.testing import world
from tests.store.every_script import JOB, USES
from tests.testing.jobs import NoteJob

SHOP = Namespace("shop")


@pytest.fixture
def in_namespace(redis: Redis, redis_url: str) -> Iterator[Callable[[str], Redis]]:
    """Opens connections of a namespace."""
    opened: list[Redis] = []

    def connected(name: str) -> Redis:
        opened.append(connect(redis_url, namespace=name, max_connections=5))
        return opened[-1]

    yield connected
    for connection in opened:
        connection.close()


def as_sent(*words: str) -> bytes:
    """A command in Redis's protocol."""
    return b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)])


def contents(redis: Redis, prefix: str) -> dict[bytes, bytes]:
    """Every key of a namespace, with what it holds."""
    return {key: redis.dump(key) or b"" for key in sorted(redis.scan_iter(match=prefix + "*"))}


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        ("LPUSH queue:a x", "LPUSH {shop}:queue:a x"),
        ("MGET a b", "MGET {shop}:a {shop}:b"),
        ("MGET a SADD", "MGET {shop}:a {shop}:SADD"),
        ("MSET a 1 b 2", "MSET {shop}:a 1 {shop}:b 2"),
        ("BLMOVE a b RIGHT LEFT 0", "BLMOVE {shop}:a {shop}:b RIGHT LEFT 0"),
        ("BLPOP a b 0", "BLPOP {shop}:a {shop}:b 0"),
        ("EVALSHA sha 2 a b c", "EVALSHA sha 2 {shop}:a {shop}:b c"),
        ("EVAL code 0 a", "EVAL code 0 a"),
        ("GEOSEARCHSTORE a b FROMMEMBER c", "GEOSEARCHSTORE {shop}:a {shop}:b FROMMEMBER c"),
        ("SCAN 0 COUNT 9 MATCH a* TYPE list", "SCAN 0 MATCH {shop}:a* COUNT 9 TYPE list"),
        ("OBJECT ENCODING a", "OBJECT ENCODING {shop}:a"),
        ("get a", "get {shop}:a"),
        ("ZADD a 1 b", "ZADD {shop}:a 1 b"),
        ("SADD a b c", "SADD {shop}:a b c"),
        ("MEMORY USAGE a SAMPLES 5", "MEMORY USAGE {shop}:a SAMPLES 5"),
        ("PUBLISH a b", "PUBLISH {shop}:a b"),
        ("SCAN 0", "SCAN 0 MATCH {shop}:*"),
        ("SCAN 0 MATCH a* COUNT 9", "SCAN 0 MATCH {shop}:a* COUNT 9"),
        ("TIME", "TIME"),
        ("CLIENT UNBLOCK 5", "CLIENT UNBLOCK 5"),
    ],
)
def test_keys_and_channels_get_the_prefix_and_arguments_do_not(command: str, sent: str) -> None:
    words, given = sent.split(), command.split()

    assert SHOP.prefixed(given) == tuple(words)
    assert SHOP.packed(given) == as_sent(*words)
    assert SHOP.pack(*given) == SHOP.pack(given[0].encode(), *given[1:]) == [as_sent(*words)]


def test_a_command_of_two_words_may_be_given_as_one() -> None:
    assert SHOP.pack("MEMORY USAGE", b"a") == [as_sent("MEMORY", "USAGE", "{shop}:a")]


def test_a_key_that_is_neither_text_nor_bytes_is_refused(in_namespace: Callable[[str], Redis]) -> None:
    nothing: Any = None

    with pytest.raises(DataError, match="NoneType"):
        in_namespace("shop").get(nothing)


def test_a_key_with_the_prefix_keeps_its_kind() -> None:
    assert (SHOP.key("a"), SHOP.key(b"a"), SHOP.key(bytearray(b"a"))) == ("{shop}:a", b"{shop}:a", b"{shop}:a")


def test_a_key_is_shown_as_it_is_in_redis(redis: Redis, in_namespace: Callable[[str], Redis]) -> None:
    assert full_key(redis, "queues") == "queues"
    assert full_key(in_namespace("shop"), "queues") == "{shop}:queues"


def test_the_table_of_commands_agrees_with_the_server(redis: Redis) -> None:
    known = {str(name).upper(): about for name, about in redis.command().items()}
    wrong = []
    for name, about in known.items():
        first, last, step = (int(about[field]) for field in ("first_key_pos", "last_key_pos", "step_count"))
        if first == 0 or "movablekeys" in about["flags"]:
            continue  # only the server finds them; or a channel, a subcommand
        words = [name, *"abcdefgh"]
        keys = range(first, (last if last > 0 else len(words) + last) + 1, step)
        wanted = tuple("{shop}:" + word if place in keys else word for place, word in enumerate(words))
        try:
            found = SHOP.prefixed(words)
        except DataError:
            continue
        if found != wanted:
            wrong.append((name, found))

    assert wrong == []


def test_a_command_whose_keys_are_not_known_is_refused() -> None:
    with pytest.raises(DataError, match="SORT is not supported"):
        SHOP.prefixed(["SORT", "a"])


@pytest.mark.parametrize("name", sorted(USES))
def test_a_script_keeps_to_its_namespace(name: str, redis: Redis, in_namespace: Callable[[str], Redis]) -> None:
    USES[name](redis)
    redis.set("{shop}x:queues", "of an application with a similar name")
    before = contents(redis, "")

    USES[name](in_namespace("shop"))

    after = contents(redis, "")
    assert {key: value for key, value in after.items() if not key.startswith(b"{shop}:")} == before


def test_pushes_and_notifications_stay_in_the_namespace(
    redis: Redis, in_namespace: Callable[[str], Redis]
) -> None:
    shop = in_namespace("shop")
    parcels = [Parcel("default", [JOB]), Parcel("default", [JOB], at=[1.0], is_near=True)]
    others, own = Nearer(redis), Nearer(in_namespace("shop"))
    others.wait(0.01)
    own.wait(0.01)

    send(shop, [push_commands(parcels)], within=5)

    assert sorted(redis.scan_iter()) == [b"{shop}:queue:default", b"{shop}:queues", b"{shop}:schedule"]
    clock = SystemClock()
    began = clock.monotonic()
    own.wait(30.0)
    assert clock.monotonic() - began < 20.0
    for channel, listeners in redis.pubsub_numsub("{shop}:clock:nearer", "clock:nearer"):
        assert listeners >= 1, channel  # an earlier test may have left one


def test_keys_of_replies_come_back_without_the_prefix(redis: Redis, in_namespace: Callable[[str], Redis]) -> None:
    shop = in_namespace("shop")
    shop.hset("clock:in_progress:me", "1", "default\n{}")
    redis.hset("clock:in_progress:another", "1", "default\n{}")

    assert listing.holders(shop) == ({"me"}, set())
    assert list(shop.scan_iter()) == [b"clock:in_progress:me"]


def test_a_key_of_a_wrong_type_is_named_as_it_is_in_redis(in_namespace: Callable[[str], Redis]) -> None:
    shop = in_namespace("shop")
    shop.set("retry", "x")

    assert [str(found) for found in wrong_keys(shop)] == [
        "the key {shop}:retry holds a string and should hold a zset"
    ]


def test_permissions_are_asked_for_in_the_namespace(redis: Redis, redis_url: str) -> None:
    redis.acl_setuser("shop", enabled=True, nopass=True, keys=["{shop}:*"], categories=["+@all"])
    shop = connect(redis_url.replace("//", "//shop:any@", 1), namespace="shop")

    assert Permissions(shop, [("LPUSH", "queue:default", "x")]).refused() == []
    shop.close()
    redis.acl_deluser("shop")


def test_without_a_namespace_the_connection_is_the_librarys(redis: Redis) -> None:
    link = redis.connection_pool.get_connection()

    assert type(link._command_packer) is HiredisRespSerializer
    assert namespace_of(redis) is None
    redis.connection_pool.release(link)


def test_the_variable_and_the_settings_file_name_the_namespace_of_pushes(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prefix() -> str:
        connection = connect(redis_url)
        found = namespace_of(connection)
        connection.close()
        return found.prefix if found else ""

    monkeypatch.chdir(tmp_path)
    assert prefix() == ""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "clock.yml").write_text("namespace: of-file\n")
    assert prefix() == "{of-file}:"
    monkeypatch.setenv("CLOCK_NAMESPACE", "of-variable")
    assert prefix() == "{of-variable}:"
    monkeypatch.setenv("CLOCK_NAMESPACE", "{a}")
    with pytest.raises(ConfigurationError, match=r"CLOCK_NAMESPACE: namespace is '\{a\}'; it must be 1"):
        prefix()


def test_a_world_runs_in_a_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCK_NAMESPACE", "shop")

    with world("2026-11-24") as w:
        assert namespace_of(w.redis) is not None
        w.enqueue(NoteJob, "one")
        w.run(seconds=10)

        assert [run.outcome for run in w.ran(NoteJob)] == ["done"]


def test_a_stopped_application_moves_to_a_namespace(redis: Redis, in_namespace: Callable[[str], Redis]) -> None:
    USES["fire"](redis)
    redis.set("another program's", "x")
    redis.hset("20261129-marks", "2026-11-29T12:00:00Z", "v42")
    before = {key: value for key, value in contents(redis, "").items() if key != b"another program's"}

    moved = [move_key(redis, name, source=None, target="shop") for name in sorted(own_keys(redis, None))]

    assert moved == [True] * len(before)
    assert contents(redis, "{shop}:") == {b"{shop}:" + key: value for key, value in before.items()}
    assert listing.ledger(in_namespace("shop")).keys() == {"a", "b", "c"}


def test_a_second_move_joins_what_was_pushed_meanwhile(redis: Redis, in_namespace: Callable[[str], Redis]) -> None:
    shop = in_namespace("shop")
    for place in (redis, shop):
        send(place, [push_commands([Parcel("default", [JOB] * 300), Parcel("low", [JOB])])], within=5)
        place.zadd("schedule", {f"{id(place)}": 1})
        place.incrby("stat:processed", 5)
        place.hset("clock:ledger:decided", "a", "1")

    names = sorted(own_keys(redis, None))
    conflicts = [name for name in names if not move_key(redis, name, source=None, target="shop")]

    assert conflicts == ["clock:ledger:decided"]
    assert (shop.llen("queue:default"), shop.zcard("schedule"), shop.get("stat:processed")) == (600, 2, b"10")
    assert sorted(redis.scan_iter(match="[^{]*")) == [b"clock:ledger:decided"]


def test_a_running_application_is_not_moved(redis: Redis) -> None:
    WorkerRegister(redis).beat("me", now=SystemClock().now(), seconds=60)
    redis.hset("me", mapping={"info": '{"hostname": "here", "concurrency": 1, "queues": []}', "beat": "1"})

    with pytest.raises(ClockError, match="the application runs: me"):
        check_stopped(redis)
