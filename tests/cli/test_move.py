"""`clock move`: to a namespace, and away from shards that are not in use any more."""

from collections.abc import Callable

import pytest
from click.testing import Result
from redis import Redis

from clock.clocks import from_ms
from clock.config import Config
from clock.errors import ClockError
from clock.store.server.opening import connected
from clock.store.server.shards import note

Clock = Callable[..., Result]


@pytest.mark.parametrize(
    "words",
    [(), ("--to-namespace", "shop", "--from-shards"), ("--to-namespace", "shop", "--forget"), ("--forget",)],
)
def test_a_move_has_one_direction(clock: Clock, words: tuple[str, ...]) -> None:
    refused = clock("move", *words)

    assert refused.exit_code == 2
    assert "use --to-namespace NAME, or --from-shards with or without --forget" in refused.output


def test_keys_are_moved_to_a_namespace_and_the_next_step_is_named(clock: Clock, redis: Redis) -> None:
    redis.lpush("queue:default", "a")

    moved = clock("move", "--to-namespace", "shop", "--yes")

    assert moved.output == ("Moved: 1\nNow set CLOCK_NAMESPACE=shop for all processes, and start them.\n")
    assert redis.lrange("{shop}:queue:default", 0, -1) == [b"a"]


def test_a_move_of_nothing_asks_nothing(clock: Clock, redis: Redis) -> None:
    assert clock("move", "--to-namespace", "shop").output == "Moved: 0\n"


def test_a_key_that_both_namespaces_have_is_named_and_the_exit_code_is_1(clock: Clock, redis: Redis) -> None:
    redis.set("clock:leader", "a")
    redis.set("{shop}:clock:leader", "b")

    moved = clock("move", "--to-namespace", "shop", "--yes")

    assert moved.exit_code == 1
    assert "! clock:leader exists in both; rename or delete one of the two" in moved.output


def test_a_move_to_the_namespace_of_the_settings_is_refused(
    clock: Clock, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOCK_NAMESPACE", "shop")

    with pytest.raises(ClockError, match="the namespace is shop already: name it with --to-namespace only"):
        clock("move", "--to-namespace", "shop")


def test_an_application_with_shards_is_not_moved(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCK_NAMESPACE", "shop")
    monkeypatch.setenv("CLOCK_SHARDS", "2")

    with pytest.raises(ClockError, match="set shards to 1, run clock move --from-shards, and try again"):
        clock("move", "--to-namespace", "mail")


def test_an_old_shard_on_a_server_out_of_use_is_reported_until_it_is_forgotten(
    clock: Clock, redis: Redis, redis_url: str
) -> None:
    with connected(Config(redis=redis_url, redis_urls=(redis_url, "redis://127.0.0.1:1")), 3) as home:
        note(home, from_ms(1))

    reported = " ".join(clock("doctor").output.split())
    moved = clock("move", "--from-shards")
    forgotten = clock("move", "--from-shards", "--forget")

    assert "redis://127.0.0.1:1 was a shard; its server is not in use" in reported
    assert "clock move --from-shards --forget" in reported
    assert moved.output == "Moved: 0\n! redis://127.0.0.1:1 is not in use any more: its jobs stay there\n"
    assert forgotten.output == "Moved: 0\nForgotten: redis://127.0.0.1:1\n"
    assert clock("move", "--from-shards").output == "Moved: 0\n"
