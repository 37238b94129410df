from __future__ import annotations

from collections.abc import Callable

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
    assert again.output == "New mailer: this minute or this label is marked already\n"
    assert redis.exists("deploylock-New mailer", "deploylock-v42") == 2
