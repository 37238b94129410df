"""What `check` says of calls that run while a clock file is loaded."""

import textwrap
from pathlib import Path

import pytest

from clock.timetable.clock_file.loading.loading_work import work_while_loading

LOOP = "while True:\n    schedule.run_pending()\n    time.sleep(1)\n"


def found(tmp_path: Path, lines: str) -> list[tuple[int, str, bool]]:
    path = tmp_path / "script.py"
    path.write_text("import schedule, time\n" + textwrap.dedent(lines))
    return [(work.line, work.text, work.is_in_loop) for work in work_while_loading(path)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("bot.go()\nschedule.every().day.do(bot.go)\n", [(2, "bot.go()", False)]),
        ("def job(): ...\njob()\nschedule.every().day.do(job)\n", [(3, "job()", False)]),
        ("if True:\n    requests.post('x')\n", [(3, "requests.post('x')", False)]),
        ("time.sleep(10)\n", [(2, "time.sleep(10)", False)]),
        (
            "def schedule_task():\n    bot.go()\n    schedule.every().day.do(bot.go)\n    while 1:\n"
            "        schedule.run_pending()\nschedule_task()\n",
            [(3, "bot.go()", False)],
        ),
        (
            "while True:\n    schedule.run_pending()\n    bot.poll()\n    time.sleep(1)\n",
            [(4, "bot.poll()", True)],
        ),
        (LOOP + "bot.go()\n", []),
        ("schedule.run_pending()\nbot.go()\n", []),
        ("def loop():\n    schedule.run_pending()\nrun(loop)\nbot.go()\n", []),
        (
            "def loop():\n    schedule.run_pending()\nThread(target=loop).start()\nbot.go()\n",
            [(5, "bot.go()", False)],
        ),
        ("if __name__ == '__main__':\n    bot.go()\n", [(3, "bot.go()", False)]),
        ("from clock import every\nif __name__ == '__main__':\n    bot.go()\n", []),
    ],
)
def test_work_is_found_with_its_line(tmp_path: Path, lines: str, expected: list[tuple[int, str, bool]]) -> None:
    assert found(tmp_path, lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        "import logging\nlogging.basicConfig(level=1)\nlogging.getLogger('x').setLevel(10)\nlogging.info('x')\n",
        "load_dotenv()\ndjango.setup()\nsentry_sdk.init('x')\nsys.path.insert(0, 'x')\nsignal.signal(15, f)\n",
        "from clock import configure, every, sync_events\nconfigure(tz='UTC')\nsync_events(f, every=x, do=f)\n",
        "every().day.do(f).named('x')\nschedule.every().day.at('06:00').do(f).tag('x')\nschedule.clear()\n",
        "def declare(): schedule.every().day.do(f)\ndeclare()\nfor n in range(3): declare()\n",
        "print('starting')\nthreading.Thread(target=loop).start()\n" + LOOP,
        "parser.add_argument('-x')\nos.environ.update(a='b')\nwarnings.filterwarnings('ignore')\n",
    ],
)
def test_declarations_and_preparations_are_no_work(tmp_path: Path, lines: str) -> None:
    assert found(tmp_path, lines) == []
