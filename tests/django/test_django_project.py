"""A Django project that uses clock: `examples/django_tasks`, with real processes and a real database.

A fork server that has imported Django runs the commands of `manage.py` that end. Clocks, workers and the project's
own tests are new interpreters.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples import ARE_MANY
from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App, Completed, Running, app
from tests.process.fork_server import ForkServer

__all__ = ["app"]

if pytest.importorskip("django").VERSION < (6,):  # Django 6 has the framework
    pytest.importorskip("django_tasks")
pytestmark = [pytest.mark.process, pytest.mark.slow]


#: What most commands import, as far as it needs no settings.
MODULES = (
    *("django.contrib.admin.options", "django.core.management", "django.db.backends.postgresql.base"),
    *("django.contrib.auth.hashers", "django.db.migrations.executor", "django.template.backends.django"),
    *("django.core.mail", "django.test", "clock.api", "clock.cli.app", "clock.django.apps"),
)


@pytest.fixture(scope="module")
def manage_server() -> Iterator[ForkServer | None]:
    """Starts `manage.py` quickly. None in a thorough run: each command is a new interpreter."""
    if ARE_MANY:
        yield None
        return
    server = ForkServer("manage.py", MODULES)
    yield server
    server.end()


@pytest.fixture
def project(app: App, repository: Path, postgresql: str, manage_server: ForkServer | None) -> App:
    """A copy of the project, on PostgreSQL and an embedded Valkey of its own."""
    app.fork_server = manage_server
    shutil.copytree(repository / "examples" / "django_tasks", app.folder, dirs_exist_ok=True)
    app.environ["PGHOST"] = postgresql.partition("host=")[2]
    manage(app, "migrate", "--verbosity", "0")
    return app


def run(app: App, *words: str) -> Completed:
    """Run `manage.py` with these words to its end."""
    return app.run_forked(app.fork_server, *words) if app.fork_server else app.run("manage.py", *words)


def manage(app: App, *words: str) -> str:
    """What `manage.py` with these words prints; it must succeed."""
    ended = run(app, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def start(app: App, *words: str) -> Running:
    return app.start_program(sys.executable, "-u", "manage.py", *words)


def shell(app: App, code: str) -> list[str]:
    """The lines that some code prints in the project's shell."""
    text = manage(app, "shell", "-c", f"from shop.tasks import *; from shop.jobs import *\n{code}")
    return [line for line in text.splitlines() if line and "imported automatically" not in line]


@pytest.mark.parametrize(("tests", "least"), [("shop", 45), ("backend_contract", 43)])
def test_the_projects_own_tests_pass_and_those_of_the_backend(project: App, tests: str, least: int) -> None:
    # Tests that open connections in threads keep PostgreSQL's test database.
    del project.environ["PGHOST"]

    ended = project.run("manage.py", "test", tests)

    assert ended.returncode == 0, ended.stderr
    ran = re.search(r"Ran (\d+) tests", ended.stderr)
    assert ran, ended.stderr
    assert int(ran[1]) >= least


def test_a_worker_runs_tasks_and_jobs_and_survives_closed_connections(project: App, postgresql: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    worker = start(project, "worker")
    worker.wait_for("Starting worker")
    [first] = shell(
        project,
        "r = [add.enqueue(1, 2), add.using(priority=9).enqueue(3, second=4), count_attempts.enqueue()]\n"
        "o = Order.objects.create(email='ada@example.com'); r.append(send_receipt.enqueue(o.pk))\n"
        "import json; print(json.dumps([one.id for one in r]))",
    )
    ids = json.loads(first)
    look = f"""
import json, time
from django_tasks import default_task_backend as backend
deadline = time.monotonic() + {PATIENCE_SECONDS}
def states():
    return [[str(r.status), r._return_value, r.attempts] for r in map(backend.get_result, {ids!r})]
while states()[%d][0] != "SUCCESSFUL" and time.monotonic() < deadline:
    time.sleep(0.05)
print(json.dumps(states()))
"""

    def states_when_successful(number: int) -> list[list[object]]:
        [line] = shell(project, look % number)
        found: list[list[object]] = json.loads(line)
        assert found[number][0] == "SUCCESSFUL", f"{found}\n{worker.output}"
        return found

    states_when_successful(3)
    with psycopg.connect(postgresql, autocommit=True) as database:
        closed = database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    assert closed
    shell(project, "for _ in range(10): count_orders.enqueue()\nSpeakGermanJob.perform_async()\n")
    shell(project, "for _ in range(3): SpeakGermanJob.perform_async()\n")

    eventually(lambda: worker.output.count("speaks en in UTC") == 4, lambda: f"four jobs:\n{worker.output}")
    add, urgent, attempts, receipt = states_when_successful(2)
    assert (add, urgent) == (["SUCCESSFUL", 3, 1], ["SUCCESSFUL", 7, 1])
    assert attempts == ["SUCCESSFUL", 2, 2]
    assert receipt == ["SUCCESSFUL", "ada@example.com", 1]
    assert worker.output.count("failed") == 1, worker.output  # the first attempt of count_attempts
    assert worker.end() == 0


def test_the_clock_fires_events_of_the_file_and_of_the_database(project: App) -> None:
    project.write(
        "lib/clock.py",
        "from datetime import timedelta\nfrom clock.django import database_events\n"
        "database_events(every=timedelta(seconds=1))\n",
    )
    worker, clock = start(project, "worker"), start(project, "clock")
    clock.wait_for("Starting clock")
    shell(
        project,
        "from clock.django.models import DatabaseEvent as E\n"
        "E.objects.create(name='count', every='1 second', job='shop.tasks.count_orders', args=[])\n"
        "E.objects.create(name='forget', every='1 second', job='ForgetOldOrdersJob', args=[], enabled=False)\n",
    )

    clock.wait_for("Triggering 'count'")
    worker.wait_for("shop.tasks.count_orders")
    assert "Triggering 'forget'" not in clock.output
    actions = shell(
        project,
        "from pathlib import Path; from clock.timetable import find_event, load\n"
        "print(find_event(load(Path('lib/clock.py')), 'count').action)",
    )
    assert actions == ["shop.tasks.count_orders"]
    history = manage(project, "clock", "history", "count")
    assert "ran" in history
    assert (clock.end(), worker.end()) == (0, 0)


def test_the_admin_checks_events_and_runs_them(project: App) -> None:
    [text] = shell(
        project,
        "from django.contrib.auth.models import User\n"
        "User.objects.create_superuser('ada', 'ada@example.com', 'secret')\n"
        "from django.test import Client; from django.test.utils import setup_test_environment; import json\n"
        "setup_test_environment()\n"
        "c = Client(); c.login(username='ada', password='secret')\n"
        "u = '/admin/clock/databaseevent/'\n"
        "good = dict(name='n', every='1 day', at='06:00', job='shop.tasks.count_orders', args='[]')\n"
        "good['enabled'] = 'on'\n"
        "def add(**more):\n"
        "    r = c.post(u + 'add/', {**good, **more})\n"
        "    return r.status_code, '' if r.status_code == 302 else str(r.context['errors'])\n"
        "told = [add(at='25:00', enabled='')[1], add(job='NobodyJob')[1], add(args='[1]')[1]]\n"
        "from clock.api import Events; from clock.store.ledger.ledger import RedisLedger\n"
        "RedisLedger(Events()._redis).declare([('file', 'every day')], 1)\n"
        "told += [add(name='file')[1], add(every='')[1], add()[0]]\n"
        "from clock.django.models import DatabaseEvent as E\n"
        "pk = E.objects.get(name='n').pk\n"
        "r = c.post(u, {'action': 'run_now', '_selected_action': [pk]}, follow=True)\n"
        "told.append('pushed the job' in r.content.decode())\n"
        "told.append('every 1 day at 06:00' in c.get(u).content.decode())\n"
        "from clock.store import keys; from clock.store.ledger import history; from clock.api import Events\n"
        "for jid in ('old', 'new'):\n"
        "    record = {'decision': 'fired', 'due': 1, 'jids': [jid]}\n"
        "    Events()._redis.xadd(keys.HISTORY + 'n', {'entry': json.dumps(record)})\n"
        "late = {'outcome': 'retry', 'at': 1, 'took_ms': 1}\n"
        "history.add_outcome(Events()._redis, 'n', 'old', late, ended=False)\n"
        "told.append('fired, job failed' in c.get(u).content.decode())\n"
        "print(json.dumps(told))",
    )

    bad_time, bad_job, bad_args, taken, no_schedule, added, pushed, listed, failed = json.loads(text)
    assert "at has 25" in bad_time
    assert "NobodyJob" in bad_job
    assert "argument" in bad_args
    assert "The clock already has an event with this name." in taken
    assert no_schedule
    assert (added, pushed, listed, failed) == (302, True, True, True)


def test_commands_take_the_projects_settings_and_say_what_is_wrong(project: App) -> None:
    with (project.folder / "shop" / "jobs.py").open("a") as jobs:
        jobs.write("\nSpeakGermanJob.perform_async()\n")  # dropped by commands that only look
    assert "orders.count" in manage(project, "clock", "list")
    assert "concurrency" in manage(project, "clock", "config")
    assert "clock web [OPTIONS]" in manage(project, "clock_web", "--help")
    assert "settings.CLOCK" in manage(project, "clock", "config")
    checked = run(project, "check")
    assert "clock.queue" in checked.stderr  # no worker takes from `low`
    pushes = "from clock import every; from shop.jobs import SpeakGermanJob as Job; Job.perform_async()"
    project.write("lib/clock.py", f"{pushes}\nevery().day.at('25:00').do(print)\n")
    broken = run(project, "check")
    assert broken.returncode == 1
    assert json.loads(manage(project, "clock", "queue", "list", "--json")) == []
    assert re.search(r"clock\.E002.*lib/clock.py:2", broken.stderr), broken.stderr

    with (project.folder / "project" / "settings.py").open("a") as settings:
        settings.write("CLOCK = {'concurency': 5}\n")
    refused = project.run("manage.py", "clock", "status")
    assert refused.returncode == 1
    sentence = "settings.CLOCK: unknown setting 'concurency'; did you mean 'concurrency'?"
    assert refused.stderr == f"clock: {sentence}\n"
    assert run(project, "shell", "-c", "1").stderr == f"clock: {sentence}\n"
    for command in ("check", "migrate"):
        checked = run(project, command)
        assert f"(clock.E001) {sentence}" in checked.stderr
        assert "Traceback" not in checked.stderr
    project.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    served = project.run("-c", "from django import setup; setup()")
    assert served.stderr.endswith(f"ImproperlyConfigured: {sentence}\n")


def test_a_missing_table_and_a_broken_module_of_jobs_are_named_in_one_line(project: App) -> None:
    project.write("lib/clock.py", "from clock.django import database_events\n\ndatabase_events()\n")
    manage(project, "migrate", "clock", "zero", "--verbosity", "0")
    assert "clock.loading" not in run(project, "check").stderr
    clock = start(project, "clock")
    clock.wait_for("create the table with: manage.py migrate")
    assert clock.end() == 0
    assert "Traceback" not in clock.output

    (project.folder / "shop" / "jobs.py").write_text("import os\nimport nothere\n")
    refused = run(project, "worker")

    assert refused.returncode == 1
    assert re.fullmatch(
        r"clock: \S+/shop/jobs.py:2: ModuleNotFoundError: No module named 'nothere'\n", refused.stderr
    )


def test_the_task_of_the_guide_can_be_enqueued(project: App, repository: Path) -> None:
    blocks = re.findall(r"```py\n(.*?)```", (repository / "docs" / "django.md").read_text(), re.DOTALL)
    [task] = [block for block in blocks if block.startswith("# shop/tasks.py")]
    [use] = [block for block in blocks if block.startswith("# shop/views.py")]
    project.write("shop/tasks.py", task)

    assert shell(project, f"{use}print(result.status, result.args)") == ["READY [7]"]


def test_a_worker_restarts_after_an_edit_in_debug_mode_and_runs_several_processes(project: App) -> None:
    project.environ["DEBUG"] = "1"
    worker = start(project, "worker", "-p", "2")
    worker.wait_for("Starting worker")
    jobs = project.folder / "shop" / "jobs.py"
    jobs.write_text(jobs.read_text().replace("speaks", "talks"))

    worker.wait_for("shop/jobs.py changed, restarting")
    shell(project, "SpeakGermanJob.perform_async()")
    worker.wait_for("talks en")
    assert worker.end() == 0
