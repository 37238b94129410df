"""Whole scripts for the `schedule` package, in the shapes that people write: loaded, or refused in one line."""

import gc
import logging
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import schedule

from clock.errors import DeclarationError
from clock.timetable import Timetable, load
from tests.traced import not_traced

Load = Callable[[str], Timetable]

TOP = """\
import contextlib, sys, threading, time
import schedule
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

def a(): ...
def b(): ...

"""
DECLARED = "schedule.every().hour.do(a)\nschedule.every().day.at('09:00').do(b)\n"
BOTH = ["a every hour", "b every day at 09:00"]


@pytest.fixture
def load_script(tmp_path: Path) -> Load:
    """Load a script: these lines after TOP; the first is line 9."""

    def load_file(lines: str) -> Timetable:
        path = tmp_path / "script.py"
        path.write_text(TOP + textwrap.dedent(lines))
        return load(path)

    return load_file


#: shape -> (what is declared before, the rest of the script). Each must give both events.
WORKS = {
    "loop at the top level": (DECLARED, "while True:\n    schedule.run_pending()\n    time.sleep(1)\n"),
    "loop under the guard": (
        DECLARED,
        "if __name__ == '__main__':\n    while True:\n        schedule.run_pending()\n        time.sleep(1)\n",
    ),
    "all under the guard": (
        "",
        """
        if __name__ == '__main__':
            schedule.every().hour.do(a)
            schedule.every().day.at('09:00').do(b)
            while True:
                schedule.run_pending()
                time.sleep(1)
        """,
    ),
    "above and under the guard": (
        "schedule.every().hour.do(a)\n",
        """
        if __name__ == '__main__':
            schedule.every().day.at('09:00').do(b)
            while 1:
                schedule.run_pending()
        """,
    ),
    "all in main()": (
        "",
        """
        def main():
            schedule.every().hour.do(a)
            schedule.every().day.at('09:00').do(b)
            while True:
                schedule.run_pending()
                time.sleep(60)

        if "__main__" == __name__:
            main()
        """,
    ),
    "in a class": (
        "",
        """
        class App:
            def __init__(self):
                schedule.every().hour.do(a)
                schedule.every().day.at('09:00').do(b)

            def run(self):
                try:
                    while True:
                        schedule.run_pending()
                finally:
                    raise SystemError('the program is not over')

        App().run()
        """,
    ),
    "argparse": (
        DECLARED,
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument('-u', '--url', default='x')
        assert parser.parse_args().url == 'x'
        assert sys.argv == [__file__] or sys.argv[0].endswith('script.py') and len(sys.argv) == 1
        minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
        """,
    ),
    "bare except": (
        DECLARED,
        """
        while True:
            try:
                schedule.run_pending()
            except:
                print('error')
            time.sleep(1)
        """,
    ),
    "except BaseException as": (
        DECLARED,
        """
        def loop():
            while True:
                try:
                    schedule.run_pending()
                    time.sleep(1)
                except BaseException as error:
                    print(error)
        loop()
        """,
    ),
    "except KeyboardInterrupt and SystemExit": (
        DECLARED,
        """
        while True:
            try:
                schedule.run_pending()
            except (KeyboardInterrupt, SystemExit):
                sys.exit(3)
        """,
    ),
    "nested excepts": (
        DECLARED,
        """
        def loop():
            while True:
                try:
                    try:
                        schedule.run_pending()
                    except:
                        pass
                except BaseException:
                    continue
        while True:
            try:
                loop()
            except:
                pass
        """,
    ),
    "an except for each kind of error": (
        DECLARED,
        """
        while True:
            with contextlib.nullcontext():
                a()
            try:
                schedule.run_pending()
            except SystemExit:
                pass
            except Exception:
                print('error')
        """,
    ),
    "finally: continue": (
        DECLARED,
        """
        while True:
            try:
                schedule.run_pending()
            finally:
                continue
        """,
    ),
    "finally: return": (
        DECLARED,
        """
        def loop():
            while True:
                try:
                    return schedule.run_pending()
                finally:
                    return
        while True:
            loop()
        """,
    ),
    "suppress(BaseException)": (
        DECLARED,
        """
        while True:
            with contextlib.suppress(BaseException):
                schedule.run_pending()
        """,
    ),
    "errors before the loop, which the file handles": (
        DECLARED,
        """
        import asyncio

        class Session:
            async def __aenter__(self): return self
            async def __aexit__(self, *error): return True

        async def main():
            async with Session():
                int('x')
                schedule.run_pending()

        handled = []
        asyncio.run(main())
        with contextlib.suppress(ValueError):
            int('x')
            schedule.run_pending()
        try:
            int('x')
            schedule.run_pending()
        except ValueError:
            handled.append('except')
        finally:
            handled.append('finally')
        assert handled == ['except', 'finally']
        while True:
            schedule.run_pending()
        """,
    ),
    "async with and asyncio.run": (
        DECLARED,
        """
        import asyncio

        class Session:
            async def __aenter__(self): return self
            async def __aexit__(self, *error): return True

        async def main():
            async with Session():
                while True:
                    schedule.run_pending()
                    await asyncio.sleep(1)

        while True:
            asyncio.run(main())
        """,
    ),
    "asyncio.gather": (
        DECLARED,
        """
        import asyncio

        async def loop():
            while True:
                schedule.run_pending()
                await asyncio.sleep(1)

        async def other():
            await asyncio.sleep(3600)

        async def main():
            await asyncio.gather(loop(), other())

        asyncio.run(main())
        """,
    ),
    "idle_seconds": (
        DECLARED,
        """
        while True:
            n = schedule.idle_seconds()
            if n is None:
                break
            elif n > 0:
                time.sleep(n)
            schedule.run_pending()
        """,
    ),
    "next_run": (
        DECLARED,
        """
        while True:
            time.sleep((schedule.next_run() - datetime.now()).total_seconds())
            schedule.run_pending()
        """,
    ),
    "waiting for next_run": (
        DECLARED,
        """
        print(f"next: {schedule.next_run():%H:%M}")
        while datetime.now() < schedule.next_run():
            time.sleep(0.05)
        schedule.run_pending()
        """,
    ),
    "while schedule.jobs": (DECLARED, "while schedule.jobs:\n    schedule.run_pending()\n"),
    "Event.wait": (DECLARED, "stop = threading.Event()\nwhile not stop.wait(0.01):\n    schedule.run_pending()\n"),
    "loop in a thread": (
        DECLARED,
        """
        def loop():
            while True:
                schedule.run_pending()
                time.sleep(1)
        thread = threading.Thread(target=loop)
        thread.start()
        thread.join()
        """,
    ),
    "loop in a thread that swallows": (
        DECLARED,
        """
        def loop():
            while True:
                try:
                    schedule.run_pending()
                except:
                    time.sleep(0.01)
        threading.Thread(target=loop, daemon=True).start()
        """,
    ),
    "loop in a thread, and a main loop that waits": (
        DECLARED,
        """
        def loop():
            while True:
                schedule.run_pending()
                time.sleep(1)
        threading.Thread(target=loop, daemon=True).start()
        try:
            while True:
                time.sleep(0.1)
        except:
            print('stopped')
        """,
    ),
    "the background loop of the package's FAQ": (
        DECLARED,
        """
        def run_continuously(interval=1):
            cease_continuous_run = threading.Event()

            class ScheduleThread(threading.Thread):
                @classmethod
                def run(cls):
                    while not cease_continuous_run.is_set():
                        schedule.run_pending()
                        time.sleep(interval)

            continuous_thread = ScheduleThread()
            continuous_thread.start()
            return cease_continuous_run

        stop_run_continuously = run_continuously()
        time.sleep(0.3)
        stop_run_continuously.set()
        """,
    ),
    "a thread pool": (
        DECLARED,
        """
        def loop():
            while True:
                schedule.run_pending()
        with ThreadPoolExecutor() as pool:
            pool.submit(loop)
        """,
    ),
    "a timer": (
        DECLARED,
        """
        def tick():
            schedule.run_pending()
            threading.Timer(0.05, tick).start()
        threading.Timer(0.05, tick).start()
        """,
    ),
    "declarations in a thread": (
        "",
        """
        def run_schedule():
            time.sleep(0.1)
            schedule.every().hour.do(a)
            schedule.every().day.at('09:00').do(b)
            while True:
                schedule.run_pending()
                time.sleep(1)
        threading.Thread(target=run_schedule).start()
        """,
    ),
    "declarations in a subclass of Thread, which is a daemon": (
        "schedule.every().hour.do(a)\n",
        """
        class Scheduler(threading.Thread):
            daemon = True
            def run(self):
                schedule.every().day.at('09:00').do(b)
                while True:
                    schedule.run_pending()
        Scheduler().start()
        """,
    ),
    "declarations in a thread pool": (
        "",
        """
        def declare():
            time.sleep(0.1)
            schedule.every().hour.do(a)
            schedule.every().day.at('09:00').do(b)
            schedule.run_pending()
        ThreadPoolExecutor(1).submit(declare)
        """,
    ),
    "signal handlers": (
        DECLARED,
        "import signal\nsignal.signal(signal.SIGUSR2, print)\nwhile 1: schedule.run_pending()\n",
    ),
    "a dataclass and typing": (
        DECLARED,
        """
        from __future__ import annotations
        """
        if False
        else """
        from dataclasses import dataclass

        @dataclass
        class Settings:
            url: str = 'x'

        assert sys.modules['__main__'].Settings is Settings
        """,
    ),
}


@pytest.mark.filterwarnings("ignore:'.*' in a 'finally' block:SyntaxWarning")  # from Python 3.14 on
@pytest.mark.parametrize("shape", WORKS)
def test_a_script_is_loaded_as_it_stands(
    load_script: Load, shape: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # in place of pytest's
    main = sys.modules["__main__"]

    timetable = load_script("".join(textwrap.dedent(part) for part in WORKS[shape]))

    assert sorted(event.name for event in timetable.events) == BOTH
    assert "Traceback" not in capfd.readouterr().err
    assert sys.modules["__main__"] is main
    assert schedule.Scheduler.__module__ == "schedule"


def test_a_module_may_exit_at_the_end_of_its_loop(tmp_path: Path) -> None:
    (tmp_path / "exits_of_this_test.py").write_text(
        "import schedule, sys\ndef loop():\n    try:\n        schedule.run_pending()\n"
        "    except SystemExit:\n        sys.exit(3)\n"
    )
    (tmp_path / "script.py").write_text(
        "import schedule\nfrom exits_of_this_test import loop\nschedule.every().day.do(print)\nloop()\n"
    )
    try:
        assert len(load(tmp_path / "script.py").events) == 1
    finally:
        sys.modules.pop("exits_of_this_test", None)


def test_a_loop_in_a_module_that_ignores_the_end_leaves_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise OSError("the process has ended")

    monkeypatch.setattr("clock.timetable.clock_file.loading.ending._exit", leave)
    (tmp_path / "ignores_of_this_test.py").write_text(
        "import schedule\ndef loop():\n    while True:\n        try:\n            schedule.run_pending()\n"
        "        except SystemExit:\n            pass\n"
    )
    (tmp_path / "script.py").write_text(
        "import schedule\nfrom ignores_of_this_test import loop\nschedule.every().day.do(print)\nloop()\n"
    )
    try:
        with pytest.raises(DeclarationError, match="the process has ended"):
            load(tmp_path / "script.py")
    finally:
        sys.modules.pop("ignores_of_this_test", None)

    assert codes == [1]
    assert capfd.readouterr().err == (
        f"clock: {tmp_path}/ignores_of_this_test.py:6: this catches SystemExit as well, so run_pending() "
        "cannot end the file; write `except Exception:`\n"
    )


@pytest.mark.slow
@not_traced
@pytest.mark.parametrize(
    ("waits", "line", "limit", "message"),
    [
        ("stop.wait()", 14, "SLEEP_SECONDS", "this line keeps the file from ending"),
        ("while not stop.is_set():\n    stop.wait()", 15, "ENDLESS_SECONDS", "this line never returns"),
    ],
)
def test_a_file_that_waits_for_ever_beside_its_loop_leaves_with_its_line(
    load_script: Load,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    waits: str,
    line: int,
    limit: str,
    message: str,
) -> None:
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        sys.modules["__main__"].stop.set()

    ending = "clock.timetable.clock_file.loading.ending"
    monkeypatch.setattr(f"{ending}._exit", leave)
    for name in (limit, "LEAVE_SECONDS"):
        monkeypatch.setattr(f"{ending}.{name}", 0.2)
    thread = "def loop(): schedule.run_pending()\nthreading.Thread(target=loop).start()\n"

    with suppress(DeclarationError):  # of a process that goes on
        load_script(f"{DECLARED}{thread}stop = threading.Event()\n{waits}\n")

    assert codes == [1]
    assert f"script.py:{line}: {message}; remove it, and a loop in a thread too" in capfd.readouterr().err


def test_a_load_restores_the_hook_for_threads_unless_the_file_has_set_its_own(load_script: Load) -> None:
    before = threading.excepthook
    try:
        load_script(DECLARED)
        assert threading.excepthook is before

        timetable = load_script(DECLARED + "threading.excepthook = print\n")
        assert threading.excepthook is print
        assert len(timetable.events) == 2
    finally:
        threading.excepthook = before


def test_an_error_of_a_thread_of_a_script_goes_to_the_hook_that_was_there(
    load_script: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(str(args.exc_value)))

    load_script(DECLARED + "thread = threading.Thread(target=int, args='x')\nthread.start()\nthread.join()\n")

    assert errors == ["invalid literal for int() with base 10: 'x'"]


def test_other_errors_of_asyncio_are_logged_after_a_load(
    load_script: Load, caplog: pytest.LogCaptureFixture
) -> None:
    load_script(DECLARED)

    logging.getLogger("asyncio").error("an error")
    logging.getLogger("asyncio").error("an exception", exc_info=ValueError())

    assert caplog.messages == ["an error", "an exception"]


@pytest.mark.slow
def test_tasks_of_a_script_that_has_ended_write_no_traceback(
    load_script: Load, caplog: pytest.LogCaptureFixture
) -> None:
    load_script("".join(textwrap.dedent(part) for part in WORKS["asyncio.gather"]))
    gc.collect()

    assert [record for record in caplog.records if record.name == "asyncio"] == []


#: shape -> (the script after TOP, the error)
REFUSED = {
    "run_all": (DECLARED + "schedule.run_all()\n", r"script\.py:11: run_all\(\) would run every job"),
    "a process": (
        DECLARED
        + """
import multiprocessing
def loop():
    while True: schedule.run_pending()
multiprocessing.Process(target=loop).start()
""",
        r"script\.py:15: this starts a process each time",
    ),
    "a spawned process whose error is swallowed": (
        DECLARED
        + """
import multiprocessing
try:
    multiprocessing.get_context('spawn').Process(target=a).start()
except Exception:
    print('no')
""",
        r"script\.py:14: this starts a process each time",
    ),
    "a fork": (DECLARED + "import os\nif os.fork() == 0: os._exit(3)\n", r"script\.py:12: this starts a process"),
    "a bad declaration in a thread": (
        DECLARED
        + """
def more():
    schedule.every().day.at('32:00').do(a)
thread = threading.Thread(target=more)
thread.start()
thread.join()
""",
        r"script\.py:13: at\('32:00'\)",
    ),
    "a blocking call beside a loop in a thread": (
        DECLARED
        + """
def loop():
    while True: schedule.run_pending()
threading.Thread(target=loop, daemon=True).start()
def poll():
    while True:
        sum(range(1000))
poll()
""",
        r"script\.py:1\d: this line keeps the file from ending; remove it",
    ),
    "an error at the top level": (DECLARED + "1 / 0\n", r"script\.py:11: ZeroDivisionError"),
    "an exit before the loop": (DECLARED + "sys.exit('no URL')\n", r"script\.py:11: SystemExit: no URL"),
    "a called function in do": (
        "schedule.every().hour.do(a())\n",
        r"script\.py:9: do\(\) needs a job class or a function, but got None",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_a_script_that_cannot_be_a_clock_file_is_refused_with_its_line(
    load_script: Load, shape: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # in place of pytest's
    monkeypatch.setattr("clock.timetable.clock_file.loading.ending.STUCK_SECONDS", 0.5)
    monkeypatch.setattr("clock.timetable.clock_file.loading.ending.SLEEP_SECONDS", 2.0)
    lines, message = REFUSED[shape]

    with pytest.raises(DeclarationError) as error:
        load_script(lines)

    assert re.search(message, str(error.value)), error.value
    assert len(str(error.value).splitlines()) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_a_scripts_folder_comes_first_on_the_import_path(tmp_path: Path) -> None:
    (tmp_path / "helper_of_this_test.py").write_text("def job(): ...\n")
    (tmp_path / "s.py").write_text(
        "import sys, schedule\nfrom helper_of_this_test import job\n"
        f"assert sys.path[0] == {str(tmp_path)!r}\nschedule.every().day.do(job)\n"
    )
    try:
        assert len(load(tmp_path / "s.py").events) == 1

        (tmp_path / "clock.py").write_text("raise SystemError('the package is hidden')\n")
        (tmp_path / "s.py").write_text(
            f"import sys, schedule\nassert sys.path[0] != {str(tmp_path)!r}\nfrom helper_of_this_test import job\n"
            "schedule.every().day.do(job)\n"
        )
        assert len(load(tmp_path / "s.py").events) == 1

        (tmp_path / "clock.py").unlink()
        (tmp_path / "clock").mkdir()
        (tmp_path / "clock" / "__init__.py").write_text("raise SystemError('the package is hidden')\n")
        assert len(load(tmp_path / "s.py").events) == 1
    finally:
        sys.modules.pop("helper_of_this_test", None)


def test_a_file_that_imports_clock_is_no_script(load_script: Load) -> None:
    timetable = load_script("from clock import every\nassert __name__ != '__main__'\nevery().day.do(a)\n")

    assert len(timetable.events) == 1


@pytest.mark.process
def test_a_loop_elsewhere_that_catches_everything_ends_the_process_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "loops_of_this_test.py").write_text(
        "import schedule\ndef loop():\n    while True:\n        try:\n            schedule.run_pending()\n"
        "        except:\n            pass\n"
    )
    (tmp_path / "script.py").write_text(
        "import schedule\nfrom loops_of_this_test import loop\nschedule.every().day.do(print)\nloop()\n"
    )
    program = "from clock.timetable import load; load('script.py')"

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert ended.returncode == 1
    assert ended.stderr == (
        f"clock: {tmp_path}/loops_of_this_test.py:6: this catches SystemExit as well, so run_pending() "
        "cannot end the file; write `except Exception:`\n"
    )


@pytest.mark.slow
def test_a_file_that_does_not_end_is_left_within_seconds(load_script: Load) -> None:
    began = time.monotonic()

    load_script("".join(map(textwrap.dedent, WORKS["loop in a thread, and a main loop that waits"])))

    assert time.monotonic() - began < 20
