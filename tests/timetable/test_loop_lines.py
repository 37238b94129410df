"""The lines of a file that keep it from ending."""

import ast
import sys
import textwrap
from pathlib import Path

import pytest

from clock.timetable.clock_file.loading.ending import swallower, waiting


@pytest.mark.parametrize(
    ("lines", "line", "kind"),
    [
        ("while True:\n    time.sleep(1)\n", 1, "endless"),
        ("while True:\n    time.sleep(1)\n", 2, "endless"),
        ("while True:\n    pass\n", 2, "endless"),
        ("while True:\n    ...\n", 2, "endless"),
        ("while True:\n    'wait'\n    signal.pause()\n", 3, "endless"),
        ("while True:\n    try:\n        sleep(1)\n    except KeyboardInterrupt:\n        stop()\n", 3, "endless"),
        ("while True:\n    try:\n        work()\n    finally:\n        sleep(1)\n", 3, ""),
        ("while True:\n    work()\n    time.sleep(1)\n", 3, "sleep"),
        ("while True:\n    work()\n    time.sleep(1)\n", 2, ""),
        ("while True:\n    work = 1\n    time.sleep(1)\n", 3, "sleep"),
        ("while True:\n    work\n    time.sleep(1)\n", 3, "sleep"),
        ("while True:\n    work()\n    while True:\n        sleep(1)\n", 4, "endless"),
        ("while True:\n    while busy():\n        work()\n    sleep(1)\n", 3, ""),
        ("for thread in threads:\n    thread.join()\n", 2, "sleep"),
        ("def wait():\n    event.wait()\nwait()\n", 2, "sleep"),
        ("work()\nevent.wait()\n", 1, ""),
        ("found = event.wait()\n", 1, ""),
        ("sleep(1)\n\nwork()\n", 2, ""),
    ],
)
def test_a_line_waits_and_its_loop_too_if_it_does_nothing_else(lines: str, line: int, kind: str) -> None:
    assert waiting(ast.parse(lines), line) == kind


def swallower_in(path: Path, lines: str) -> str:
    """The swallower of a function of these lines, from line 2 on, which stands at the line that yields."""
    path.write_text("def loop():\n" + textwrap.indent(lines, "    "))
    names: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: S102  # its own text
    generator = eval("loop()", names)  # noqa: S307  # its own text
    next(generator)
    return swallower(generator.gi_frame)


@pytest.mark.filterwarnings("ignore:'.*' in a 'finally' block:SyntaxWarning")  # from Python 3.14 on
@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("try:\n    yield\nexcept:\n    pass\n", 4),
        (
            "import builtins\ntry:\n    yield\nexcept OSError:\n    pass\nexcept builtins.SystemExit:\n    pass\n",
            7,
        ),
        ("try:\n    yield\nexcept (KeyError, SystemExit):\n    pass\n", 4),
        ("try:\n    try:\n        yield\n    except BaseException:\n        pass\nexcept:\n    pass\n", 5),
        ("try:\n    try:\n        yield\n    except Exception:\n        pass\nexcept:\n    pass\n", 7),
        ("try:\n    yield\nfinally:\n    work = 1\n    return\n", 5),
        ("for _ in 'a':\n    try:\n        yield\n    finally:\n        continue\n", 6),
        ("for _ in 'a':\n    try:\n        yield\n    finally:\n        if 1:\n            break\n", 6),
        ("from contextlib import suppress\nwith suppress(BaseException):\n    yield\n", 3),
    ],
)
def test_the_innermost_handler_of_every_error_is_found(tmp_path: Path, lines: str, line: int) -> None:
    path = tmp_path / "loops.py"

    assert swallower_in(path, lines) == f"{path}:{line}"


@pytest.mark.parametrize(
    "lines",
    [
        "yield\ntry:\n    pass\nexcept:\n    pass\n",
        "try: yield\nexcept Exception:\n    pass\n",
        "try: yield\nfinally:\n    work = 1\n",
        "from contextlib import suppress\nwith suppress(Exception): yield\n",
    ],
)
def test_without_such_a_handler_the_line_itself_is_named(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "loops.py"
    at = next(number for number, line in enumerate(lines.splitlines(), 2) if "yield" in line)

    assert swallower_in(path, lines) == f"{path}:{at}"


def test_a_handler_of_a_caller_is_found() -> None:
    def loop() -> str:
        return swallower(sys._getframe())

    try:
        found = loop()
    except BaseException:
        raise

    here = sys._getframe().f_code
    assert found.startswith(f"{here.co_filename}:")
    assert int(found.rpartition(":")[2]) > here.co_firstlineno


def test_a_frame_without_a_file_is_named_by_its_code() -> None:
    generator = eval("(number for number in 'a')")  # noqa: S307  # its own text
    next(generator)

    assert swallower(generator.gi_frame) == "<string>:1"
    assert swallower(None) == "?"
