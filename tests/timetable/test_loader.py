import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clock import worker_hooks
from clock.errors import ConfigurationError, DeclarationError
from clock.import_path import application_folder
from clock.timetable import load

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write a file of an application, whose modules are forgotten afterwards."""

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    modules = set(sys.modules)
    yield write_file
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None) or tmp_path).startswith(str(tmp_path)):
            del sys.modules[name]


def test_the_application_is_importable_from_any_folder(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("greetings_of_a_test.py", "def greet(): ...\n")
    path = write(
        "lib/clock.py",
        "from clock import every\nfrom greetings_of_a_test import greet\nevery().day.do(greet)\n",
    )

    for folder in ("/", path.parent, path.parent.parent):
        monkeypatch.chdir(folder)
        assert [event.name for event in load(path).events] == ["greet every day"]


def test_a_clock_file_beside_the_application_is_loaded_without_hiding_the_package(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("greetings_of_a_test.py", "import clock\n\ndef greet(): return clock.every\n")
    path = write(
        "clock.py", "from clock import every\nfrom greetings_of_a_test import greet\nevery().day.do(greet)\n"
    )
    monkeypatch.chdir(path.parent)

    assert len(load("clock.py").events) == 1


def test_the_folder_of_a_file_in_lib_is_not_importable(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("lib/queue_of_a_test.py", "")
    path = write("lib/clock.py", "import queue_of_a_test\n")
    monkeypatch.chdir(path.parent)

    with pytest.raises(DeclarationError, match="No module named 'queue_of_a_test'"):
        load("clock.py")


def test_the_applications_folder_is_the_one_that_holds_lib() -> None:
    assert application_folder(Path("/srv/app/lib/clock.py")) == Path("/srv/app")
    assert application_folder(Path("/srv/app/clock.py")) == Path("/srv/app")


def test_declarations_in_other_modules_are_made_again_by_each_load(write: Write) -> None:
    write("schedules_of_a_test/__init__.py", "")
    write("schedules_of_a_test/mail.py", "from clock import every\nevery().day.do(print, 'mail')\n")
    write("schedules_of_a_test/plain.py", "import schedule\nschedule.every().day.do(print, 'plain')\n")
    write("schedules_of_a_test/handling.py", "from clock import error_handler\nerror_handler(print)\n")
    path = write("lib/clock.py", "from schedules_of_a_test import handling, mail, plain\n")

    timetables = [load(path), load(path)]

    assert timetables[0] is not timetables[1]
    for timetable in timetables:
        assert [event.name for event in timetable.events] == [
            "print('mail') every day",
            "print('plain') every day",
        ]
        assert timetable.error_handlers == (print,)
    assert timetables[0].events[0].source.endswith("schedules_of_a_test/mail.py:2")
    assert not [name for name in sys.modules if name.startswith("schedules_of_a_test.")]
    assert not hasattr(sys.modules["schedules_of_a_test"], "mail")


@pytest.mark.parametrize("name", ["my_schedule", "clockwork_of_a_test"])
def test_a_declaration_is_found_in_a_package_whatever_its_name(write: Write, name: str) -> None:
    write(f"{name}/__init__.py", "from clock import every\n\nevery().day.do(print)\n")
    path = write("lib/clock.py", f"import {name}\n")

    [event] = load(path).events

    assert event.source.endswith(f"{name}/__init__.py:3")


def test_a_load_leaves_the_import_path_and_the_modules_as_they_were(write: Write) -> None:
    path = write(
        "lib/clock.py", "import sys\nfrom clock import every\nevery().day.do(print)\nsys.path.append('/x')\n"
    )
    bad = write("lib/bad.py", "raise ValueError('no')\n")
    before = sys.path[:], set(sys.modules)

    load(path)
    with pytest.raises(DeclarationError):
        load(bad)

    assert (sys.path[:], set(sys.modules)) == before


def test_a_class_may_be_a_dataclass_and_look_its_module_up(write: Write) -> None:
    path = write(
        "lib/clock.py",
        """
        from __future__ import annotations
        import sys
        from dataclasses import dataclass
        from clock import every

        @dataclass
        class Mail:
            to: str

        assert sys.modules[Mail.__module__].Mail is Mail
        assert __name__ not in ("clock", "__main__")
        every().day.do(print, Mail("me"))
        """,
    )

    assert [event.name for event in load(path).events] == ["print(Mail(to='me')) every day"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("every(\n", "clock.py:1: SyntaxError: '(' was never closed: every("),
        ("\0", "source code string cannot contain null bytes"),
        (
            "import nothing_of_that_name\n",
            "clock.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("def f():\n    raise SystemExit(3)\nf()\n", "clock.py:2: SystemExit: 3"),
        ("raise MemoryError\n", "clock.py:1: MemoryError"),
        ("import sys\nsys.tracebacklimit = 0\nraise MemoryError\n", "clock.py:3: MemoryError"),
        ("x = 1\nraise SyntaxError('odd')\n", "clock.py:2: SyntaxError: odd"),
        ("raise SyntaxError('odd', (__file__, 7, 0, None))\n", "clock.py:7: SyntaxError: odd"),
        ("raise SyntaxError('odd', (__file__, None, None, 'x = '))\n", "clock.py:1: SyntaxError: odd: x ="),
        ("import os\nos._exit(3)\n", "clock.py:2: os._exit() ends the process that loads this file; remove it"),
        (
            "import os\nos.execl('/bin/false', 'false')\n",
            "clock.py:2: os.execl() ends the process that loads this",
        ),
        (
            "class Odd(BaseException):\n    def __str__(self): raise SystemExit\nraise Odd\n",
            "clock.py:3: Odd: (its message cannot be read: SystemExit)",
        ),
        (
            "raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])\n",
            "clock.py:1: ExceptionGroup: two (2 sub-exceptions): ValueError: a; KeyError: 'b'",
        ),
        ("x = 1\nx.y\n", "clock.py:2: AttributeError: 'int' object has no attribute 'y'"),
        (
            "from clock import every\n\nif __name__ == '__main__':\n    every().day.do(print)\n",
            "clock.py:4: code under `if __name__ == '__main__':` doesn't run here",
        ),
        (
            "import clock\nclock.every().day.do(print)\ndef more(): clock.every().hour.do(print)\n"
            "if __name__ == '__main__':\n    more()\n",
            "clock.py:5: code under `if __name__ == '__main__':` doesn't run here",
        ),
        (
            "import json\n\nif __name__ == '__main__':\n    json.dumps(1)\n",
            "clock.py:3: code under `if __name__ == '__main__':` doesn't run here",
        ),
    ],
)
def test_a_file_that_cannot_be_run_is_told_with_its_line(
    write: Write, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    path = write("lib/clock.py", text)
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)  # a file may change it

    with pytest.raises(DeclarationError) as error:
        load(path)

    assert message in str(error.value)


@pytest.mark.parametrize(
    "condition", ["__name__ in ('__main__', '__clock_file__')", "__name__ == '__main__' or True"]
)
def test_events_under_a_condition_that_is_true_in_a_clock_file_too_are_declared(
    write: Write, condition: str
) -> None:
    path = write("lib/clock.py", f"from clock import every\nif {condition}:\n    every().day.do(print)\n")

    assert len(load(path).events) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("raise ValueError('no')", "lib/clock.py:4: ValueError: no"),
        ("on('startup')(print)", "lib/clock.py:4: on('startup') is an event of the worker"),
    ],
)
def test_a_file_that_changes_the_current_folder_is_refused_with_its_line(
    write: Write, monkeypatch: pytest.MonkeyPatch, line: str, message: str
) -> None:
    path = write("lib/clock.py", f"import os\nfrom clock import on\nos.chdir('/')\n{line}\n")
    monkeypatch.chdir(path.parent.parent)

    with pytest.raises(DeclarationError) as error:
        load("lib/clock.py")

    assert message in str(error.value)


def test_a_file_that_changes_the_current_folder_changes_it_for_its_functions_alone(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "from clock import every\nevery().day.do(print).named('daily')"
    path = write("lib/clock.py", f"import os\nos.chdir(os.path.dirname(__file__))\n{line}\n")
    monkeypatch.chdir(tmp_path)

    first, second = load("lib/clock.py"), load("lib/clock.py")

    assert [first.folder, second.folder, Path.cwd()] == [path.parent, path.parent, tmp_path]


@pytest.mark.parametrize(
    "line", ["return", "await print()", "break", "nonlocal x", "yield", "from x import *; return"]
)
def test_a_statement_that_needs_a_function_or_a_loop_is_told_with_its_line(write: Write, line: str) -> None:
    path = write("lib/clock.py", f"x = 1\n{line}\n")

    with pytest.raises(DeclarationError, match=r"clock\.py:2: SyntaxError: "):
        load(path)


def test_a_misspelt_import_from_clock_is_answered_with_the_closest_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "clock").write_text("#!/usr/bin/python\n")  # the program is not a module
    monkeypatch.syspath_prepend(tmp_path / "bin")

    with pytest.raises(DeclarationError, match=r"clock\.py:1: .*; did you mean 'every'\?$"):
        load(write("clock.py", "from clock import evry\n"))
    with pytest.raises(
        DeclarationError, match=r"clock\.py:1: [^;]*has no attribute 'evry'; did you mean 'every'\?$"
    ):
        load(write("other/clock.py", "import clock; clock.evry()\n"))
    with pytest.raises(DeclarationError, match=r"clock\.py:1: [^;]*$"):
        load(write("third/clock.py", "from clock import TaskQueueManager\n"))


def test_a_module_of_jobs_that_a_clock_file_imports_may_have_hooks_of_the_worker(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(worker_hooks._hooks, "beat", [])  # restored at the end
    write("hooks_of_a_test.py", "from clock import on\non('beat')(lambda: None)\n")

    load(write("lib/clock.py", "import hooks_of_a_test\n"))

    assert worker_hooks.has_hooks("beat")


def test_a_declaration_beside_a_script_guard_is_an_event(write: Write) -> None:
    path = write(
        "lib/clock.py", "from clock import every\nevery().day.do(print)\nif __name__ == '__main__':\n    print()\n"
    )

    assert len(load(path).events) == 1


def test_an_interrupt_ends_the_load(write: Write) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(write("lib/clock.py", "raise KeyboardInterrupt\n"))


def test_a_process_may_be_ended_by_others_while_a_file_is_loaded_and_by_all_afterwards(write: Write) -> None:
    before = os._exit, os.execv
    path = write(
        "lib/clock.py",
        """
        import os, threading
        from clock import every

        refused = []

        def end():
            try:
                os.execv("/no/such/program", ["x"])
            except OSError:
                refused.append("by the system")

        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        kept = os.execv
        every().day.do(end)
        """,
    )

    timetable = load(path)

    assert timetable.names["refused"] == ["by the system"]
    timetable.events[0].run(datetime(2026, 1, 1, tzinfo=UTC))
    assert timetable.names["refused"] == ["by the system"] * 2
    with pytest.raises(OSError, match="No such file"):
        timetable.names["kept"]("/no/such/program", ["x"])  # type: ignore[operator]  # a function that the file kept
    assert (os._exit, os.execv) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("limits = Limit('crm', max=25)", "Limit: unknown argument 'max'; did you mean 'maximum'?"),
        ("unique = Unique(by='acount')", "unique names the parameter 'acount'; did you mean 'account'?"),
    ],
)
def test_a_wrong_rule_of_a_job_is_named_with_the_line_of_its_module(write: Write, line: str, message: str) -> None:
    body = f"    {line}\n    def perform(self, account): ..."
    module = f"from clock import Job, Limit, Unique\n\nclass WrongJob(Job):\n{body}\n"
    write("wrong_rules_of_a_test.py", module)
    path = write("lib/clock.py", "import sys\nimport wrong_rules_of_a_test\n")

    with pytest.raises(DeclarationError) as raised:
        load(path)

    assert re.search(r"lib/clock.py:2: \S*wrong_rules_of_a_test.py:[34]: ", str(raised.value))
    assert str(raised.value).endswith(message)


def test_a_missing_file_and_a_folder_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no clock file .*nothing\.py; give another path"):
        load(tmp_path / "nothing.py")
    with pytest.raises(ConfigurationError, match=r"no clock file .*: Is a directory"):
        load(tmp_path)


def test_a_pipe_and_a_link_to_itself_are_configuration_errors(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.py", tmp_path / "link.py"
    os.mkfifo(pipe)
    link.symlink_to(link.name)

    with pytest.raises(ConfigurationError, match=r"no clock file .*pipe\.py: it is a pipe, a socket or a device"):
        load(pipe)
    with pytest.raises(ConfigurationError, match=r"no clock file .*link\.py: Too many levels of symbolic links"):
        load(link)
    assert application_folder(link) == tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schedule.yml", "is YAML, and a clock file is Python; write schedule_file: "),
        ("clock.rb", "is Ruby, and a clock file is Python; docs/from-clockwork.md shows"),
    ],
)
def test_a_file_in_another_language_is_refused_with_its_cure(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text("a: {every: 1h}\n")

    with pytest.raises(ConfigurationError, match=text):
        load(path)
    with pytest.raises(ConfigurationError, match="no clock file"):
        load(tmp_path / "missing.yml")


def test_a_syntax_error_of_an_imported_module_is_told_with_that_modules_line(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("broken_jobs_of_a_test.py", "x = 1\ndef greet(x:\n")
    path = write("lib/clock.py", "from clock import every\nimport broken_jobs_of_a_test\n")

    with pytest.raises(DeclarationError) as error:
        load(path)

    module = tmp_path / "broken_jobs_of_a_test.py"
    assert str(error.value) == f"{module}:2: SyntaxError: '(' was never closed: def greet(x:"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeclarationError, match=r"^broken_jobs_of_a_test\.py:2: "):
        load(path)


def test_a_syntax_error_of_a_text_that_the_file_compiles_is_told_with_the_files_line(write: Write) -> None:
    path = write("lib/clock.py", "x = 1\ncompile('x(', 'a text', 'exec')\n")

    with pytest.raises(DeclarationError, match=r"clock\.py:2: SyntaxError: "):
        load(path)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("cron(minute=0, hour=3)", 'cron takes one text, but got minute, hour; write cron("0 3 * * *")'),
        ('cron(minute="*/15")', 'cron takes one text, but got minute; write cron("*/15 * * * *")'),
        ("cron(hour=[7, 19], minute=0, tz=None)", 'got minute, hour; write cron("0 7,19 * * *")'),
        ('cron(minute=0, day_of_month="1-7", day_of_week="mon")', 'write cron("0 * 1-7 * mon&")'),
        ('cron(day_of_month="1-7", day_of_week="mon")', 'write cron("* * 1-7 * mon&")'),
        ("cron(minutes=0)", "unexpected keyword argument 'minutes'"),
        (
            'every().day.do("jobs.send_mail_job.SendMailJob", "x")',
            "but got 'jobs.send_mail_job.SendMailJob'. Import it, and write do(SendMailJob, 'x')",
        ),
        ("every().day.do('a text')", "Do not call it: write do(send_report, 7), not do(send_report(7))"),
        ("every().day.do(7)", "but got 7. Do not call it: write do(send_report, 7), not do(send_report(7))"),
    ],
)
def test_a_form_of_another_library_is_told_with_the_right_form(write: Write, declared: str, message: str) -> None:
    path = write("lib/clock.py", f"from clock import cron, every\n{declared}\n")

    with pytest.raises(DeclarationError) as error:
        load(path)

    assert str(error.value).endswith(message)
    assert "clock.py:2: " in str(error.value)
