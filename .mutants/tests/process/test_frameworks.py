"""The applications under `examples/`, run as their READMEs say."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def example(app: App, repository: Path) -> Callable[[str], App]:
    """A copy of an example, on an embedded Valkey of its own."""

    def copy(name: str) -> App:
        shutil.copytree(repository / "examples" / name, app.folder, dirs_exist_ok=True)
        return app

    return copy


def outbox(app: App) -> str:
    return "".join(path.read_text() for path in sorted(app.folder.glob("outbox*/**/*.log")))


def succeed(app: App, *words: str) -> str:
    ended = app.run(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_django_sends_what_was_committed_and_makes_the_reports_of_its_database(
    example: Callable[[str], App],
) -> None:
    pytest.importorskip("django")
    app = example("django_app")
    succeed(app, "manage.py", "migrate")
    report = "from shop.models import Report; Report.objects.create(name='orders', every='1 second')"
    succeed(app, "manage.py", "shell", "-c", report)

    refused = app.run("manage.py", "place_order", "eve@example.com", "--fail")
    succeed(app, "manage.py", "place_order", "ada@example.com")
    both = app.start("dev")

    assert refused.returncode == 1
    eventually(lambda: "Subject: Receipt 1" in outbox(app), "the receipt")
    eventually(lambda: "Subject: Report orders" in outbox(app), "the report")
    assert "ada@example.com" in outbox(app)
    assert "eve@example.com" not in outbox(app)
    assert both.end() == 0
    assert "Traceback" not in both.output


SETTINGS = """
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "example", "USER": "clock", "HOST": %r, "CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True,
}}
"""


def test_django_jobs_and_rows_survive_connections_that_the_database_has_closed(
    example: Callable[[str], App], postgresql: str
) -> None:
    pytest.importorskip("django")
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgresql, autocommit=True) as database:
        database.execute("CREATE DATABASE example")  # another project has tables of the same names
    app = example("django_app")
    with (app.folder / "shop" / "settings.py").open("a") as settings:
        settings.write(SETTINGS % postgresql.partition("host=")[2])
    succeed(app, "manage.py", "migrate")
    clock_file = app.folder / "lib" / "clock.py"
    clock_file.write_text(clock_file.read_text().replace("minutes=1", "seconds=1"))
    call = "from django.core.management import call_command"
    place = f"{call}; [call_command('place_order', 'ada@x.org') for _ in range(%d)]"
    report = "from shop.models import Report; Report.objects.create(name=%r, every='1 second')"
    clock, worker = app.start("run"), app.start("worker", "-c", "1")
    succeed(app, "manage.py", "shell", "-c", report % "first")
    succeed(app, "manage.py", "shell", "-c", place % 1)
    eventually(lambda: "Subject: Receipt 1" in outbox(app), "the first receipt")
    eventually(lambda: "Subject: Report first" in outbox(app), "the first report")

    with psycopg.connect(postgresql, autocommit=True) as database:
        closed = database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    succeed(app, "manage.py", "shell", "-c", place % 20)
    succeed(app, "manage.py", "shell", "-c", report % "second")

    assert len(closed) >= 2  # the worker's and the clock's
    eventually(lambda: outbox(app).count("Subject: Receipt ") == 21, "the receipts after it")
    eventually(lambda: "Subject: Report second" in outbox(app), "the report of a row that was added after it")
    assert (clock.end(), worker.end()) == (0, 0)
    assert "failed" not in worker.output
    assert "failed" not in clock.output


def test_flask_runs_jobs_in_its_applications_context(example: Callable[[str], App]) -> None:
    pytest.importorskip("flask")
    app = example("flask_app")
    flask = (sys.executable, "-u", "-m", "flask", "--app", "app")
    worker = app.start_program(*flask, "worker", "-p", "2")

    post = (
        "from app import create_app; r = create_app().test_client().post('/signups', data={'email': 'ada@x.org'})"
    )
    assert succeed(app, "-c", f"{post}; print(r.status_code)").endswith("202\n")

    outbox = app.folder / "outbox.txt"
    eventually(lambda: outbox.exists() and outbox.read_text() == "welcome ada@x.org\n", "the welcome")
    clock = app.start_program(*flask, "clock", "fire", "signups.count")
    worker.wait_for("1 signed up")
    assert clock.popen.wait(PATIENCE_SECONDS) == 0
    assert worker.end() == 0


def test_fastapi_awaits_the_push_and_the_job_is_a_coroutine(example: Callable[[str], App]) -> None:
    pytest.importorskip("fastapi")
    app = example("fastapi_app")
    worker = app.start("worker")

    imports = "from fastapi.testclient import TestClient; from app import app"
    post = f"{imports}; print(TestClient(app).post('/signups?email=ada').status_code)"
    assert succeed(app, "-W", "ignore", "-c", post).endswith("202\n")

    outbox = app.folder / "outbox.txt"
    eventually(lambda: outbox.exists() and outbox.read_text() == "welcome ada\n", "the welcome")
    assert succeed(app, "-m", "clock", "check").strip()
    assert worker.end() == 0
