"""The text of a clock file, which is inspected without running it."""

from pathlib import Path
from types import ModuleType

import pytest

from clock.errors import DeclarationError
from clock.timetable.clock_file.loading.source_file import SourceFile


def source_of(lines: str) -> SourceFile:
    return SourceFile(Path("clock.py"), lines.encode())


@pytest.mark.parametrize(
    ("lines", "is_script"),
    [
        ("import schedule\n", True),
        ("import time, schedule as s\n", True),
        ("from schedule import every\n", True),
        ("def main():\n    import schedule.x\n", True),
        ("import json  # no schedule\n", False),
        ("import schedules\n", False),
        ("from . import schedule\n", False),
        ("from .schedule import every\n", False),
        ("import schedule\nfrom clock import every\n", False),
        ("import schedule, clockd.x\n", False),
        ("from clock import every\nschedule = 1\n", False),
    ],
)
def test_a_file_that_imports_schedule_and_not_clock_is_a_script(lines: str, is_script: bool) -> None:
    assert source_of(lines).is_script is is_script


GUARD = "if __name__ == '__main__':\n"


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (f"{GUARD}    print()\n    every().day.do(f)\n", 3),
        ("if '__main__' == __name__:\n    cron('@daily').do(f)\n", 2),
        (f"def more():\n    every().day.do(f)\n{GUARD}    more()\n", 4),
        (f"def more():\n    every().day.do(f)\ndef all():\n    more()\n{GUARD}    all()\n", 6),
        (f"def more():\n    every().day.do(f)\nmore()\n{GUARD}    more()\n", None),
        (f"def more():\n    every().day.do(f)\nmore()\n{GUARD}    every().hour.do(f)\n", 5),
        (f"every().day.do(f)\n{GUARD}    print()\n", None),
        ("if debug:\n    every().day.do(f)\n", None),
        ("if __name__:\n    every().day.do(f)\n", None),
        ("if __name__ == 'jobs':\n    every().day.do(f)\n", None),
        ("if name == '__main__':\n    every().day.do(f)\n", None),
        ("while __name__ == '__main__':\n    every().day.do(f)\n", None),
    ],
)
def test_a_declaration_that_only_a_script_would_make_is_found(lines: str, line: int | None) -> None:
    assert source_of(lines).lost_under_guard(is_empty=False) == line


def test_a_function_declares_events_if_one_that_it_calls_does() -> None:
    lines = (
        "def a():\n    every()\nasync def b():\n    a()\nclass C:\n    def c(self):\n        b()\ndef d(): ...\n"
    )

    assert source_of(lines).functions_that_declare == {"a", "b", "c"}
    assert source_of("def a(): schedule.run_pending()\ndef b(): ...\n").functions_of_schedule == {"a"}


def test_a_syntax_error_has_its_line_and_its_text_if_python_gives_them() -> None:
    with pytest.raises(DeclarationError, match=r"^clock\.py:2: SyntaxError: invalid syntax: x = = 1$"):
        _ = source_of("y = 1\n  \nx = = 1\n".replace("  \n", "")).tree
    with pytest.raises(
        DeclarationError, match=r"^clock\.py:1: \w+: source code string cannot contain null bytes$"
    ):
        _ = source_of("\0").tree


def test_the_code_has_no_future_imports_of_ours() -> None:
    module = ModuleType("numbers")

    exec(source_of("number: int = 1\n").code, vars(module))  # noqa: S102  # its own text

    assert module.__annotations__ == {"number": int}
