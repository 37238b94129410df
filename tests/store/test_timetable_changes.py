"""The record of clock files that led: what each release added, removed, changed and renamed."""

from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store import keys
from clock.store.ledger import timetable_changes
from clock.store.ledger.timetable_changes import MOST_NAMED
from clock.store.server.connection import connect

NONE: dict[str, list[str]] = {}
EMPTY: dict[str, Any] = {"added": [], "removed": [], "changed": [], "renamed": []}


def latest(redis: Redis) -> dict[str, Any]:
    [(_, entry)] = timetable_changes.read(redis, 1)
    return entry


def test_the_first_file_is_recorded_without_its_events(redis: Redis) -> None:
    assert timetable_changes.note(redis, "v1", "web1", {"a": "daily"}, NONE)

    assert latest(redis) == {
        "release": "v1",
        "host": "web1",
        "events": 1,
        "first": True,
        **EMPTY,
        "counts": {"added": 0, "removed": 0, "changed": 0, "renamed": 0},
    }
    assert timetable_changes.declared(redis) == {"a": "daily"}


def test_the_differences_of_the_next_release_are_named(redis: Redis) -> None:
    timetable_changes.note(redis, "v1", "web1", {"a": "daily", "b": "daily", "old": "daily", "c": "x"}, NONE)
    now = {"a": "hourly", "new": "weekly", "d": "daily", "c": "x"}

    timetable_changes.note(redis, "v2", "web2", now, {"new": ["oldest", "old"], "c": ["b"]})

    entry = latest(redis)
    assert {kind: entry[kind] for kind in EMPTY} == {
        "added": [["d", "daily"]],
        "removed": [["b", "daily"]],
        "changed": [["a", "daily", "hourly"]],
        "renamed": [["old", "new"]],
    }
    assert entry["counts"] == {"added": 1, "removed": 1, "changed": 1, "renamed": 1}
    assert (entry["first"], entry["events"]) == (False, 4)
    assert timetable_changes.declared(redis) == now


@pytest.mark.parametrize(
    ("was", "before", "now"),
    [
        (["old"], {"x": "daily"}, {"x": "daily", "new": "daily"}),  # the old name was not declared
        (["old"], {"old": "daily"}, {"old": "daily", "new": "daily"}),  # it still is
        (["old"], {"old": "daily", "new": "daily"}, {"new": "daily"}),  # the new name was declared, too
        (["old"], {"old": "daily"}, {"x": "daily"}),  # the new name is not declared
    ],
)
def test_an_event_is_renamed_only_from_a_name_that_left_to_a_name_that_came(
    redis: Redis, was: list[str], before: dict[str, str], now: dict[str, str]
) -> None:
    timetable_changes.note(redis, "v1", "web1", before, NONE)

    timetable_changes.note(redis, "v2", "web1", now, {"new": was})

    assert latest(redis)["renamed"] == []


@pytest.mark.parametrize(
    ("release", "declarations", "is_recorded"),
    [
        ("v1", {"a": "daily"}, False),
        ("v2", {"a": "daily"}, True),
        ("v1", {"a": "hourly"}, True),
        ("v1", {}, True),
    ],
)
def test_only_another_release_or_other_declarations_are_recorded(
    redis: Redis, release: str, declarations: dict[str, str], is_recorded: bool
) -> None:
    timetable_changes.note(redis, "v1", "web1", {"a": "daily"}, NONE)

    assert timetable_changes.note(redis, release, "web2", declarations, NONE) is is_recorded

    assert len(timetable_changes.read(redis, 10)) == 1 + is_recorded
    assert timetable_changes.declared(redis) == declarations


def test_of_very_many_changes_some_are_named_and_all_are_counted(redis: Redis) -> None:
    timetable_changes.note(redis, "v1", "web1", {"a": "daily"}, NONE)

    timetable_changes.note(redis, "v2", "web1", {f"e{n}": "daily" for n in range(MOST_NAMED + 1)}, NONE)

    assert len(latest(redis)["added"]) == MOST_NAMED
    assert latest(redis)["counts"] == {"added": MOST_NAMED + 1, "removed": 1, "changed": 0, "renamed": 0}


def test_records_are_read_in_pages_the_latest_first_without_invalid_ones(redis: Redis) -> None:
    for number in range(3):
        timetable_changes.note(redis, f"v{number}", "web1", {"a": "daily"}, NONE)
    redis.xadd(keys.CHANGES, {"entry": "[1]"})
    redis.xadd(keys.CHANGES, {"other": "{}"})

    first = timetable_changes.read(redis, 3)
    rest = timetable_changes.read(redis, 10, first[0][0])

    assert [entry["release"] for _, entry in first] == ["v2"]
    assert [entry["release"] for _, entry in rest] == ["v1", "v0"]


def test_a_key_of_another_type_has_no_records_and_takes_none(redis: Redis) -> None:
    redis.set(keys.CHANGES, "in the way")
    redis.set(keys.TIMETABLE, "in the way")

    assert timetable_changes.read(redis, 10) == []
    with pytest.raises(StoreError, match="the key clock:timetable is not a hash"):
        timetable_changes.note(redis, "v1", "web1", {}, NONE)


def test_a_key_of_another_type_is_named_with_its_namespace(redis: Redis, redis_url: str) -> None:
    redis.set("{shop}:clock:timetable", "in the way")
    shop = connect(redis_url, namespace="shop", max_connections=1)

    with pytest.raises(StoreError, match=r"the key \{shop\}:clock:timetable is not a hash"):
        timetable_changes.declared(shop)

    shop.close()
