"""`clock daemon` touches no file that is not its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from clock.errors import ConfigurationError

Command = Callable[..., Result]
PID_FILE, LOG_FILE = "tmp/clock.clock.pid", "log/clock.clock.log"


@pytest.mark.parametrize("name", [PID_FILE, LOG_FILE])
@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "fifo", "folder"])
def test_no_link_is_followed_and_only_a_regular_file_is_written(
    clock: Command, application: Path, name: str, kind: str
) -> None:
    path, target = application / name, application / "precious"
    path.parent.mkdir()
    target.write_text("7\n")
    makers: dict[str, Callable[[], object]] = {
        "symlink": lambda: path.symlink_to(target),
        "dangling": lambda: path.symlink_to("nowhere"),
        "hard link": lambda: path.hardlink_to(target),
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    makers[kind]()

    with pytest.raises(ConfigurationError, match=f"{path} cannot be used: "):
        clock("daemon", "start")
    for word in ("stop", "status") if name == PID_FILE else ():
        with pytest.raises(ConfigurationError, match=f"{path} cannot be used: "):
            clock("daemon", word)

    assert target.read_text() == "7\n"
    assert not (application / "nowhere").exists()
    assert os.path.lexists(path)


@pytest.mark.parametrize("word", ["start", "stop", "status", "restart"])
def test_a_file_that_is_no_pid_file_is_left_as_it_is(clock: Command, application: Path, word: str) -> None:
    path = application / PID_FILE
    path.parent.mkdir()
    path.write_text("my diary\n")

    with pytest.raises(ConfigurationError, match=f"{path} is not a pid file; it is not changed"):
        clock("daemon", word)

    assert path.read_text() == "my diary\n"
