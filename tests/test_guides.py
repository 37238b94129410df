"""The guides under `docs/` that tell of commands, settings and metrics: what they say is what there is."""

import json
import logging
import re
import shlex
from collections.abc import Iterator
from logging.config import DictConfigurator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from clock.cli.app import SECTIONS, cli
from clock.cli.commands.setup.config import json_schema
from clock.config import SETTINGS
from clock.job import Job
from clock.job.registry import forget

pytestmark = pytest.mark.usefixtures("log_as_before")  # a command sets the log up

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ("command-line", "deploying", "monitoring", "observability", "scaling", "security", "settings")


def text(guide: str) -> str:
    return (DOCS / f"{guide}.md").read_text()


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text(guide), re.DOTALL)


def commands() -> Iterator[list[str]]:
    """Every command of ours that a guide shows, as the words after `clock`."""
    for guide in GUIDES:
        for block in blocks(guide, "console"):
            for line in re.findall(r"^\$ (?:[A-Z_]+=\S+ )*(?:python -m clock|clock) (.*)$", block, re.MULTILINE):
                yield shlex.split(re.sub(r"\s>+.*", "", line))


@pytest.mark.parametrize("words", [words for words in commands() if words != ["wroker"]], ids=" ".join)
def test_every_command_that_a_guide_shows_is_understood(words: list[str]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"])

    assert shown.exit_code == 0, shown.output


def test_every_command_is_told_of() -> None:
    told = set(re.findall(r"^\| `([\w-]+)` \|", text("command-line"), re.MULTILINE))

    assert told == {name for section in SECTIONS.values() for name in section}


def test_the_table_of_settings_is_that_of_the_code() -> None:
    table, _, _ = text("settings").partition("\nThe file is ")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)

    assert [name for name, _ in rows] == [setting.name for setting in SETTINGS]
    for setting, (_, shown) in zip(SETTINGS, rows, strict=True):
        option, variable, default, about = (cell.strip(" `") for cell in shown.split("|"))
        flags = option.removeprefix("the argument `")
        assert (flags, variable or None, about) == (", ".join(setting.flags), setting.variable, setting.about)
        assert (default or "none") == setting.shown_default


def test_the_settings_file_that_is_shown_is_one(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    [shown] = blocks("settings", "yaml")

    jsonschema.validate(yaml.safe_load(shown), json_schema())


@pytest.mark.parametrize("guide", GUIDES)
def test_the_yaml_that_is_shown_is_yaml(guide: str) -> None:
    for block in blocks(guide, "yaml"):
        assert list(yaml.safe_load_all(block))


def test_the_lines_of_json_that_are_shown_are_json() -> None:
    [shown] = blocks("monitoring", "json")

    for line in shown.splitlines():
        assert {"time", "level", "message"} <= json.loads(line).keys()


@pytest.mark.parametrize("guide", GUIDES)
def test_the_pages_that_are_linked_to_are_there(guide: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", text(guide)):
        assert (DOCS / link).exists() or (DOCS / f"{link}.md").exists(), link


def test_the_metrics_that_are_told_of_are_those_that_there_are() -> None:
    code = (DOCS.parent / "clock/health/metrics.py").read_text()
    known = set(re.findall(r'"(clock_[a-z_]+)"', code))

    told = set(re.findall(r"`(clock_[a-z_]+)`", text("monitoring")))

    assert {name.removesuffix("_total") for name in told} == known


def test_the_job_that_hides_an_argument_is_one() -> None:
    [shown] = blocks("security", "python")

    names: dict[str, type[Job]] = {}
    exec(shown, {"__name__": "guide"}, names)  # noqa: S102  # the guide's own example
    forget(names["ChangePasswordJob"])

    assert names["ChangePasswordJob"].redact == ("password",)


def test_the_logging_that_is_shown_adds_the_fields_of_a_job() -> None:
    [shown] = [block for block in blocks("monitoring", "python") if block.startswith("LOGGING")]
    names: dict[str, dict[str, Any]] = {}
    exec(shown, names)  # noqa: S102  # the guide's own example
    config = names["LOGGING"]
    made = DictConfigurator(config)

    record = logging.LogRecord("jobs", logging.INFO, "", 0, "%s done", ("it",), None)
    job_fields = made.configure_filter(config["filters"]["job"])
    formatter = made.configure_formatter(config["formatters"]["short"])

    assert isinstance(job_fields, logging.Filter)
    assert job_fields.filter(record)
    assert str(formatter.format(record)).endswith("it done")


def test_the_permissions_that_the_guide_of_the_dashboard_shows_are_valid() -> None:
    [shown] = [block for block in blocks("dashboard", "python") if "def access" in block]
    names: dict[str, Any] = {}
    exec(shown.partition("dashboard = ")[0], names)  # noqa: S102  # the guide's own example

    def access_of(user: str) -> Any:
        return names["access"](SimpleNamespace(original={"REMOTE_USER": user}))

    assert access_of("") is None
    assert access_of("ben").pause
    assert not access_of("ben").see_arguments
    assert access_of("ana").see_arguments
