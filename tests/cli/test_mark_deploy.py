from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from click.testing import Result
from redis import Redis


def test_a_deploy_is_marked_with_its_label_or_its_release(
    clock: Callable[..., Result], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEROKU_RELEASE_VERSION", raising=False)
    monkeypatch.delenv("CLOCK_RELEASE", raising=False)

    refused, marked, again = (
        clock("mark-deploy"),
        clock("mark-deploy", "New mailer"),
        clock("mark-deploy", "New mailer"),
    )
    monkeypatch.setenv("CLOCK_RELEASE", "v42")
    clock("mark-deploy")

    assert (refused.exit_code, marked.output) == (2, "Marked New mailer\n")
    assert "give a label" in refused.output
    assert again.output == "Not marked: this label was marked in the last minute: New mailer\n"
    assert redis.exists("deploylock-New mailer") == 1


def test_a_minute_that_has_another_mark_is_named_and_the_label_may_be_marked_later(
    clock: Callable[..., Result], redis: Redis
) -> None:
    now = redis.time()[0]
    minutes = [datetime.fromtimestamp(now + 60 * minute, UTC) for minute in range(3)]
    for minute in minutes:
        redis.hset(f"{minute:%Y%m%d}-marks", f"{minute:%Y-%m-%dT%H:%M:00Z}", "v41")

    dropped = clock("mark-deploy", "v42" + "x" * 300).output

    assert "Not marked: this minute already has another mark." in dropped
    assert dropped.endswith(f": v42{'x' * 197}\n")
    assert not redis.keys("deploylock-*")
