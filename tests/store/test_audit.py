"""The audit log: entries, their order and their length."""

import json
from typing import Any

import pytest
from redis import Redis

from clock.store import audit, keys
from clock.store.wrong_type import WrongType


def whats(rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [entry["what"] for _, entry in rows]


def test_entries_are_read_the_latest_first_in_pages(redis: Redis) -> None:
    for number in range(5):
        audit.add(redis, {"what": f"change-{number}", "target": "x", "count": number})

    first = audit.read(redis, 2)
    second = audit.read(redis, 2, before=first[-1][0])

    assert whats(first + second) == ["change-4", "change-3", "change-2", "change-1"]
    assert first[0][1] == {"what": "change-4", "target": "x", "count": 4}
    assert whats(audit.read(redis, 9, before=second[-1][0])) == ["change-0"]


def test_long_texts_are_cut_to_500_characters(redis: Redis) -> None:
    audit.add(redis, {"what": "w" * 501, "target": "t" * 500, "count": 10**600})

    [(_, entry)] = audit.read(redis, 1)

    assert (len(entry["what"]), len(entry["target"]), entry["count"]) == (500, 500, 10**600)


def test_about_ten_thousand_entries_are_kept(redis: Redis) -> None:
    with redis.pipeline(transaction=False) as pipeline:
        for number in range(10_500):
            pipeline.xadd(keys.AUDIT, {"entry": json.dumps({"what": str(number)})})
        pipeline.execute()

    audit.add(redis, {"what": "latest"})

    assert 10_000 <= redis.xlen(keys.AUDIT) <= 10_200
    assert whats(audit.read(redis, 1)) == ["latest"]


def test_entries_of_other_programs_are_skipped(redis: Redis) -> None:
    redis.xadd(keys.AUDIT, {"entry": "no json"})
    redis.xadd(keys.AUDIT, {"other": "{}"})
    audit.add(redis, {"what": "change"})

    assert whats(audit.read(redis, 9)) == ["change"]


def test_a_log_of_a_wrong_type_is_named_and_does_not_undo_a_change(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.AUDIT, "foreign")

    for use in (lambda: audit.add(redis, {}), lambda: audit.read(redis, 1)):
        with pytest.raises(WrongType, match=f"the key {keys.AUDIT} is not a stream"):
            use()
    audit.add_if_possible(redis, {"what": "pause", "target": "mail"})

    assert caplog.messages == [
        "The audit log has no entry of the change 'pause' of 'mail': "
        f"the key {keys.AUDIT} is not a stream, as it should be"
    ]
