import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from clock.cli.app import cli


@pytest.fixture(autouse=True)
def _in_an_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "CLOCK_ENV"):
        monkeypatch.delenv(name, raising=False)
    Path("config").mkdir()
    Path("config/clock.yml").write_text(
        "redis: redis://me:hush@cache:6379/0?password=hush\nqueues: [[a, 4], [b, 1]]\n"
    )


def test_the_settings_are_shown_with_their_sources_and_without_secrets() -> None:
    shown = CliRunner().invoke(cli, ["config", "--log-level", "debug"], env={"COLUMNS": "120"}).output

    assert "environment development, file config/clock.yml" in shown
    assert "redis://me:***@cache:6379/0" in shown
    assert "a,4, b,1" in shown
    assert "the option --log-level" in shown
    assert "hush" not in shown


def test_programs_read_the_settings_as_json() -> None:
    shown = json.loads(CliRunner().invoke(cli, ["config", "--json"]).output)

    assert shown["redis"] == {"value": "redis://me:***@cache:6379/0", "source": "config/clock.yml:1"}
    assert shown["concurrency"] == {"value": 10, "source": "default"}


def test_the_schema_is_printed_for_editors() -> None:
    assert json.loads(CliRunner().invoke(cli, ["config", "--schema"]).output)["properties"]["concurrency"]


def test_lists_are_shown_as_lists_and_not_as_pythons_tuples() -> None:
    shown = CliRunner().invoke(cli, ["config"], env={"COLUMNS": "120"}).output
    rows = {line.split()[0]: line.split()[1] for line in shown.splitlines() if len(line.split()) > 1}

    assert (rows["require"], rows["redis_urls"]) == ("jobs", "none")
    assert "Path(" not in shown
    assert "()" not in shown
