"""Scripts for the `schedule` package on the command line: none hangs, none is doubled, or one line says why."""

import sys
from pathlib import Path

import pytest

from tests.process.conftest import App
from tests.traced import not_traced

pytestmark = pytest.mark.process

TOP = "import schedule, sys, threading, time\ndef a(): print('A', flush=True)\n"


def test_a_timer_that_goes_on_for_ever_does_not_keep_a_command_from_ending(app: App) -> None:
    app.write(
        "script.py",
        TOP + "schedule.every().hour.do(a)\ndef tick():\n    schedule.run_pending()\n"
        "    time.sleep(0.1); threading.Timer(0.1, tick).start()\nthreading.Timer(30, tick).start()\n",
    )

    ended = app.clock("list", "script.py")

    assert ended.returncode == 0, ended.stderr
    assert "a every hour" in ended.stdout
    assert ended.stderr == ""


@not_traced
def test_a_file_that_waits_in_one_call_beside_a_loop_in_a_thread_is_refused_in_one_line(app: App) -> None:
    app.write(
        "script.py",
        TOP + "def run():\n    schedule.every().hour.do(a)\n    while True:\n        schedule.run_pending()\n"
        "threading.Thread(target=run).start()\nthreading.Event().wait()\n",
    )

    ended = app.clock("check", "script.py")

    assert ended.returncode == 1
    assert ended.stderr.startswith("clock: script.py:8: this line ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_script_runs_with_its_own_arguments_and_cancels_its_own_jobs(app: App) -> None:
    app.write("helper.py", "text = 'HELPED'\n")
    app.write(
        "script.py",
        TOP
        + """
def once():
    print('ONCE', sys.argv, flush=True)
    schedule.cancel_job(ref)
def adds():
    schedule.every(1).seconds.do(print, 'ADDED')

if __name__ == "__main__":
    assert sys.argv == ["script.py"]
    ref = schedule.every(1).seconds.do(once)
    schedule.every(1).seconds.do(lambda: print(__import__('helper').text))
    schedule.every(1).seconds.do(a)
    schedule.every(2).seconds.do(adds)
    while True:
        try:
            schedule.run_pending()
        except:
            print("error in the loop")
        time.sleep(1)
""",
    )

    clock = app.start_program(str(Path(sys.executable).parent / "clock"), "script.py")
    clock.wait_for("events cannot be declared while the clock runs")
    paused = app.clock("list", "script.py")

    assert clock.end() == 0
    assert clock.output.count("ONCE ['script.py']") == 1, clock.output
    assert clock.output.count("A\n") >= 2
    assert "HELPED" in clock.output
    assert "error in the loop" not in clock.output
    assert "paused" in paused.stdout
    assert "script.py:8: events cannot be declared" in clock.output
