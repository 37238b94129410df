"""The tutorial, followed as a reader would: its files are written, its commands run and print what it shows."""

import re
import shlex
from pathlib import Path

import pytest

from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

_BLOCK = re.compile(r"^```(?:python\n# (?P<path>\S+\.py)|(?P<console>console))\n(?P<text>.*?)^```$", re.M | re.S)
NOT_RUN = ("python -m venv", "pip install", "python -m clock dev")  # they need the network, or do not end


def is_printed(line: str, output: str) -> bool:
    """Whether the output has a line like this one, in which `...` stands for any text."""
    pattern = ".*".join(re.escape(part) for part in line.split("..."))
    return any(re.search(pattern, printed) for printed in output.splitlines())


def test_the_commands_of_the_tutorial_print_what_it_shows(app: App, repository: Path) -> None:
    app.write("jobs/__init__.py", "")
    ran = 0

    for block in _BLOCK.finditer((repository / "docs/tutorial.md").read_text()):
        if block["path"]:
            app.write(block["path"], block["text"])
            continue
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block["text"], re.MULTILINE):
            if not command.startswith(NOT_RUN):
                done = app.run(*shlex.split(command)[1:])
                missing = [line for line in shown.splitlines() if not is_printed(line, done.stdout)]
                assert not missing, f"{command}: {missing} in\n{done.stdout}\n{done.stderr}"
                ran += 1

    assert ran == 6
