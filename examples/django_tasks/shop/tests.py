"""What the shop expects of its task backend: `manage.py test`. A test runs the jobs itself, as a worker does."""

import asyncio
import json
import os
import sys
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.test import TransactionTestCase, modify_settings, override_settings
from django.utils import timezone

import clock.django
from clock import Job, api
from clock.config import load_config
from clock.django import TaskBackend, event_rows
from clock.django.apps import check_clock_file, check_settings
from clock.django.framework import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from clock.django.models import DatabaseEvent
from clock.django.project import apply, import_jobs_of_applications
from clock.django.task_job import fail_result
from clock.django.urls import access
from clock.errors import ArgumentsError, ConfigurationError, StoreUnavailable
from clock.job import cursors
from clock.job.context import Context
from clock.job.registry import lookup
from clock.store import keys
from clock.store.server.connection import default
from shop import tasks
from shop.jobs import ForgetOldOrdersJob
from shop.models import Order

try:
    from django.tasks import default_task_backend, task_backends
    from django.tasks.exceptions import TaskResultMismatch
except ImportError:
    from django_tasks import default_task_backend, task_backends
    from django_tasks.exceptions import TaskResultMismatch

OURS = "clock.django.TaskBackend"


def run(result, **fields):
    """Run the job of a result as a worker does; the result after it."""
    payload = {**api.JobRef(result.id).locate().job.payload, **fields}
    api.JobRef(result.id).cancel()
    job = lookup(payload["class"])
    try:
        if job.is_coroutine():
            asyncio.run(job.arun(Context(payload)))
        else:
            job.run(Context(payload))
    except Exception as error:  # noqa: BLE001  # as a worker does
        job.for_context(Context(payload)).retries_exhausted(payload, error)
    result.refresh()
    return result


class BackendTests(TransactionTestCase):
    """The backend by itself."""

    def test_it_is_the_default_one_with_all_capabilities(self):
        """The four capabilities."""
        self.assertIsInstance(task_backends["default"], TaskBackend)
        self.assertEqual(default_task_backend, task_backends["default"])
        for capability in ("defer", "async_task", "get_result", "priority"):
            self.assertTrue(getattr(default_task_backend, f"supports_{capability}"))

    def test_an_enqueued_task_is_ready_and_has_an_id(self):
        """The state after enqueueing."""
        for task in (tasks.add, tasks.count_orders):
            with self.subTest(task):
                result = task.enqueue(
                    *([1] if task is tasks.add else []), **({"second": 2} if task is tasks.add else {})
                )

                self.assertEqual(result.status, TaskResultStatus.READY)
                self.assertFalse(result.is_finished)
                self.assertIsNotNone(result.enqueued_at)
                self.assertIsNone(result.started_at)
                self.assertIsNone(result.last_attempted_at)
                self.assertIsNone(result.finished_at)
                self.assertEqual(result.task, task)
                self.assertEqual(result.attempts, 0)
                with self.assertRaisesMessage(ValueError, "Task has not finished yet"):
                    _ = result.return_value
                result.refresh()
                self.assertEqual(result.status, TaskResultStatus.READY)

    def test_a_task_that_ran_is_successful_with_its_value(self):
        """The state after a run."""
        result = run(tasks.count_orders.enqueue())

        self.assertEqual(result.status, TaskResultStatus.SUCCESSFUL)
        self.assertTrue(result.is_finished)
        self.assertEqual(result.return_value, 0)
        self.assertLessEqual(result.enqueued_at, result.started_at)
        self.assertLessEqual(result.started_at, result.finished_at)
        self.assertEqual(result.last_attempted_at, result.started_at)
        self.assertEqual((result.attempts, len(result.worker_ids)), (1, 1))
        self.assertEqual(result.errors, [])

    def test_a_coroutine_runs(self):
        """A task that is `async def`."""
        self.assertEqual(run(tasks.add.enqueue(1, second=2)).return_value, 3)

    def test_a_task_is_enqueued_and_its_result_read_in_an_event_loop(self):
        """The awaitable methods."""

        async def use():
            result = await tasks.add.aenqueue(1, 2)
            found = await tasks.add.aget_result(result.id)
            await found.arefresh()
            return result, found

        result, found = asyncio.run(use())

        self.assertEqual((found.id, found.args, found.status), (result.id, [1, 2], TaskResultStatus.READY))

    def test_a_failed_task_says_what_it_failed_with(self):
        """Exceptions, SystemExit as well."""
        for task, kind in ((tasks.fail, ValueError), (tasks.exit_process, SystemExit)):
            with self.subTest(task):
                enqueued = task.enqueue()
                try:
                    result = run(enqueued)
                except SystemExit as error:
                    job = lookup(task.module_path)
                    payload = {"jid": enqueued.id, "retry": True, "args": [[], {}]}
                    job.for_context(Context(payload)).retries_exhausted(payload, error)
                    result = task.get_result(enqueued.id)

                self.assertEqual(result.status, TaskResultStatus.FAILED)
                self.assertEqual(result.errors[0].exception_class, kind)
                self.assertIn("on purpose", result.errors[0].traceback)
                self.assertIsNotNone(result.finished_at)
                with self.assertRaisesMessage(ValueError, "Task failed"):
                    _ = result.return_value

    def test_a_value_that_json_cannot_hold_is_a_failure(self):
        """Results are JSON."""
        result = run(tasks.return_a_set.enqueue())

        self.assertEqual((result.status, result.errors[0].exception_class), (TaskResultStatus.FAILED, TypeError))

    def test_arguments_that_json_cannot_hold_are_refused(self):
        """Arguments are JSON."""
        with self.assertRaises((TypeError, ArgumentsError)):
            tasks.add.enqueue(object(), 2)

    def test_arguments_that_the_function_does_not_accept_are_refused(self):
        """They would fail in each attempt."""
        before = len(api.Queue("default"))
        for args, kwargs in (((1,), {}), ((1, 2, 3), {}), ((1, 2), {"third": 3})):
            with self.assertRaisesMessage(ArgumentsError, "shop.tasks.add: wrong arguments: "):
                tasks.add.enqueue(*args, **kwargs)
        self.assertEqual(len(api.Queue("default")), before)

    @modify_settings(INSTALLED_APPS={"remove": "clock.django"})
    def test_a_project_without_the_application_is_refused(self):
        """settings.CLOCK would have no effect."""
        with self.assertRaisesMessage(ImproperlyConfigured, "'clock.django' is not in INSTALLED_APPS; add it"):
            tasks.add.enqueue(1, 2)

    def test_a_second_attempt_is_counted_and_the_first_ones_error_is_kept(self):
        """The context of a task."""
        result = tasks.count_attempts.enqueue()
        payload = api.JobRef(result.id).locate().job.payload
        with self.assertRaises(RuntimeError):
            lookup(payload["class"]).run(Context(payload))
        result.refresh()
        self.assertEqual((result.status, result.attempts), (TaskResultStatus.READY, 1))

        run(result, retry_count=0)

        self.assertEqual((result.return_value, result.attempts, len(result.errors)), (2, 2, 1))

    def test_results_are_found_by_their_id_and_belong_to_their_task(self):
        """Reading results."""
        result = tasks.add.enqueue(1, 2)

        self.assertEqual(default_task_backend.get_result(result.id).args, [1, 2])
        self.assertEqual(tasks.add.get_result(result.id).task, tasks.add)
        with self.assertRaises(TaskResultMismatch):
            tasks.count_orders.get_result(result.id)
        for unknown in ("", "123", "../x"):
            with self.assertRaises(TaskResultDoesNotExist):
                default_task_backend.get_result(unknown)

    def test_a_task_of_later_is_scheduled(self):
        """The attribute run_after."""
        later = timezone.now() + timedelta(hours=1)

        result = tasks.add.using(run_after=later).enqueue(1, 2)

        self.assertEqual(api.JobRef(result.id).locate().state, "scheduled")
        self.assertEqual(default_task_backend.get_result(result.id).task.run_after, later)
        with self.assertRaisesMessage(InvalidTask, "run_after must be an aware datetime."):
            tasks.add.using(run_after=datetime(2026, 1, 1))  # naive on purpose

    @override_settings(USE_TZ=False)
    def test_a_naive_run_after_counts_in_the_projects_zone_without_use_tz(self):
        """Without USE_TZ."""
        later = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2)

        result = tasks.add.using(run_after=later).enqueue(1, 2)

        self.assertEqual(api.JobRef(result.id).locate().state, "scheduled")

    def test_priorities_go_to_queues_that_workers_take_from_in_this_order(self):
        """Priorities."""
        queues = [
            api.JobRef(tasks.add.using(priority=number).enqueue(1, 2).id).locate().where
            for number in (100, 1, 0, -1, -100)
        ]

        self.assertEqual(queues, ["default.p1", "default.p1", "default", "default.p-100", "default.p-100"])
        order = [name for band in default_task_backend.queues_by_urgency() for name in band]
        self.assertEqual(sorted(set(queues), key=order.index), ["default.p1", "default", "default.p-100"])
        for number in (101, -101, 1.5):
            with self.assertRaises(InvalidTask):
                tasks.add.using(priority=number)

    def test_an_unknown_queue_and_a_function_within_a_function_are_refused(self):
        """What is no task."""
        with self.assertRaisesMessage(InvalidTask, "Queue 'nowhere' is not valid for backend."):
            tasks.add.using(queue_name="nowhere")

        def inner(): ...

        with self.assertRaises(InvalidTask):
            Task(func=inner, backend="default", queue_name="default", run_after=None, priority=0)

    def test_signals_are_sent_with_the_result(self):
        """The three signals."""
        seen = []

        def note(name):
            def receive(sender, task_result, **kwargs):
                seen.append((name, sender, task_result.status))

            return receive

        receivers = [(signal, note(name)) for name, signal in SIGNALS.items()]
        for signal, receive in receivers:
            signal.connect(receive)
        try:
            run(tasks.add.enqueue(1, 2))
            run(tasks.fail.enqueue())
        finally:
            for signal, receive in receivers:
                signal.disconnect(receive)

        self.assertEqual({sender for _, sender, _ in seen}, {TaskBackend})
        self.assertEqual(
            [(name, status) for name, _, status in seen],
            [
                ("enqueued", TaskResultStatus.READY),
                ("started", TaskResultStatus.RUNNING),
                ("finished", TaskResultStatus.SUCCESSFUL),
                ("enqueued", TaskResultStatus.READY),
                ("started", TaskResultStatus.RUNNING),
                ("finished", TaskResultStatus.FAILED),
            ],
        )

    def test_a_task_waits_for_the_commit_and_a_roll_back_drops_it(self):
        """Transactions."""
        with transaction.atomic():
            result = tasks.add.enqueue(1, 2)
            self.assertIsNone(api.JobRef(result.id).locate())
        self.assertEqual(api.JobRef(result.id).locate().state, "enqueued")

        try:
            with transaction.atomic():
                dropped = tasks.add.enqueue(3, 4)
                raise RuntimeError("roll back")
        except RuntimeError:
            pass
        self.assertIsNone(api.JobRef(dropped.id).locate())

    @override_settings(TASKS={"default": {"BACKEND": OURS, "OPTIONS": {"enqueue_after_commit": False}}})
    def test_a_backend_may_enqueue_at_once(self):
        """The option of the backend."""
        with transaction.atomic():
            result = tasks.add.enqueue(1, 2)

            self.assertEqual(api.JobRef(result.id).locate().state, "enqueued")

    @override_settings(TASKS={"default": {"BACKEND": OURS, "OPTIONS": {"retry": 3, "timeout": 60, "tags": ["t"]}}})
    def test_payloads_carry_the_options_of_the_backend(self):
        """OPTIONS."""
        payload = api.JobRef(tasks.add.enqueue(1, 2).id).locate().job.payload

        self.assertEqual((payload["retry"], payload["timeout"], payload["tags"]), (3, 60, ["t"]))
        with self.assertRaisesMessage(
            ImproperlyConfigured, "retry is 'often'; it must be True, False, or a number"
        ):
            TaskBackend("mine", {"OPTIONS": {"retry": "often"}})

    def test_only_modules_that_are_allowed_have_tasks(self):
        """The option `modules`."""
        backend = TaskBackend("mine", {"OPTIONS": {"modules": ["billing"]}})

        with self.assertRaisesMessage(InvalidTask, "shop.tasks is not among OPTIONS['modules']"):
            backend.validate_task(tasks.add)

    def test_the_checks_name_what_is_wrong_with_options(self):
        """The checks framework."""
        for options, text in (
            ({"retries": 3}, "unknown OPTIONS retries"),
            ({"priority_bands": [50, 0]}, "must be -100"),
        ):
            [message] = TaskBackend("mine", {"OPTIONS": options}).check()
            self.assertIn(text, message.msg)
        self.assertEqual(list(default_task_backend.check()), [])

    def test_a_payload_names_the_task_and_nothing_that_is_imported(self):
        """The payload."""
        payload = api.JobRef(tasks.add.enqueue(1, second=2).id).locate().job.payload

        self.assertEqual(payload["class"], "shop.tasks.add")
        self.assertEqual(payload["args"], [[1], {"second": 2}])
        self.assertTrue(json.dumps(payload))

    def test_a_failed_coroutine_says_what_it_failed_with(self):
        """A task that is `async def`."""
        result = run(tasks.add.enqueue("1", second=2))

        self.assertEqual((result.status, result.errors[0].exception_class), (TaskResultStatus.FAILED, TypeError))

    def test_a_coroutine_that_a_stop_interrupts_has_not_failed(self):
        """The worker puts its job back."""
        result = tasks.wait_for_goods.enqueue()
        payload = api.JobRef(result.id).locate().job.payload

        async def stop():
            running = asyncio.create_task(lookup(payload["class"]).arun(Context(payload)))
            while result.status != TaskResultStatus.RUNNING:
                await asyncio.sleep(0.01)
                await result.arefresh()
            running.cancel()
            await running

        with self.assertRaises(asyncio.CancelledError):
            asyncio.run(stop())
        result.refresh()

        self.assertEqual((result.status, result.errors), (TaskResultStatus.RUNNING, []))

    def test_a_task_whose_result_is_lost_runs_and_sends_no_signals(self):
        """Redis keeps results for a limited time."""
        seen = []
        receivers = [
            (signal, lambda sender, task_result, name=name, **kwargs: seen.append(name))
            for name, signal in SIGNALS.items()
        ]
        result = tasks.count_orders.enqueue()
        payload = api.JobRef(result.id).locate().job.payload
        default().delete(keys.RESULT + result.id)
        for signal, receive in receivers:
            signal.connect(receive)
        try:
            self.assertEqual(lookup(payload["class"]).run(Context(payload)), 0)
        finally:
            for signal, receive in receivers:
                signal.disconnect(receive)

        self.assertEqual(seen, [])

    def test_the_death_of_a_job_that_is_no_task_changes_no_result(self):
        """The death handler of tasks sees all jobs."""
        fail_result({"class": "ForgetOldOrdersJob", "jid": "a1"}, RuntimeError("no flour"))

        self.assertFalse(default().exists(keys.RESULT + "a1"))

    def test_a_result_that_another_program_has_spoiled_is_unknown(self):
        """Redis is open to others."""
        result = tasks.count_orders.enqueue()
        default().hset(keys.RESULT + result.id, "task", "{")

        with self.assertRaises(TaskResultDoesNotExist):
            default_task_backend.get_result(result.id)


SIGNALS = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}


class ProjectTests(TransactionTestCase):
    """The shop with its jobs, its clock file and its commands."""

    def test_a_job_pushed_in_a_transaction_waits_for_the_commit(self):
        """The setting enqueue_after_commit, which is on unless it is turned off."""
        with transaction.atomic():
            jid = ForgetOldOrdersJob.perform_async()
            self.assertIsNone(api.JobRef(jid).locate())

        self.assertEqual(api.JobRef(jid).locate().where, "low")

    def test_a_task_is_an_events_action(self):
        """The clock file does every().hour.do(count_orders)."""
        Order.objects.create(email="ada@example.com")

        [jid] = api.Events.of_file("lib/clock.py").fire("orders.count")

        self.assertEqual(run(tasks.count_orders.get_result(jid)).return_value, 1)

    async def test_a_job_on_the_event_loop_reads_the_rows_of_a_queryset(self):
        """Django's ordinary queries raise SynchronousOnlyOperation there."""
        for name in ("ada", "bo", "cy"):
            await Order.objects.acreate(email=f"{name}@example.com")

        rows = [pair async for pair in cursors.queryset(Order.objects.all(), after=None, batch=2)]

        self.assertEqual([row.email[:-12] for _, row in rows], ["ada", "bo", "cy"])
        self.assertEqual([cursor for cursor, _ in rows], [row.pk for _, row in rows])

    def test_the_project_passes_its_checks(self):
        """The command check."""
        call_command("check")

    def test_staff_see_the_dashboard_and_only_superusers_change_things(self):
        """Others are sent to the login of the admin pages."""
        users = get_user_model().objects
        staff, other = users.create_user("ana", is_staff=True), users.create_user("bo")

        anonymous = self.client.get("/clock/")
        self.client.force_login(other)
        not_staff = self.client.get("/clock/queues")
        self.client.force_login(staff)
        page = self.client.get("/clock/queues")
        form = "application/x-www-form-urlencoded"
        change = self.client.post("/clock/act/pause_queue", "queue=default", content_type=form)

        self.assertRedirects(anonymous, "/admin/login/?next=/clock/", fetch_redirect_response=False)
        self.assertEqual((not_staff.status_code, change.status_code), (302, 403))
        self.assertContains(page, "<h1>Queues</h1>")

    def test_the_dashboard_admits_nobody_without_staff_status(self):
        """The view asks for it as well."""
        for status in ({"is_active": True, "is_staff": False}, {"is_active": False, "is_staff": True}):
            user = SimpleNamespace(**status)
            self.assertIsNone(access(SimpleNamespace(original=SimpleNamespace(user=user))))

    def test_an_unknown_name_of_the_package_is_an_attribute_error(self):
        """Names are imported when they are used."""
        with self.assertRaisesMessage(AttributeError, "module 'clock.django' has no attribute 'TaskBakend'"):
            _ = clock.django.TaskBakend

    def test_a_package_of_jobs_is_imported_at_any_depth(self):
        """The modules `jobs` and `tasks` of each application, and all below them."""
        with TemporaryDirectory() as folder:
            jobs = Path(folder, "warehouse", "jobs", "night")
            jobs.mkdir(parents=True)
            for place in (jobs.parents[1], jobs.parent, jobs):
                (place / "__init__.py").touch()
            (jobs / "stock.py").touch()
            sys.path.append(folder)
            try:
                with modify_settings(INSTALLED_APPS={"append": "warehouse"}):
                    import_jobs_of_applications()
            finally:
                sys.path.remove(folder)

        names = ["warehouse.jobs", "warehouse.jobs.night", "warehouse.jobs.night.stock"]
        self.assertEqual([name for name in sys.modules if name.startswith("warehouse.")], names)


class SettingsTests(TransactionTestCase):
    """The settings of the project. Each test applies others to the process."""

    def setUp(self):
        """Keep what a test changes."""
        before = Job.enqueue_after_commit
        self.addCleanup(apply)
        self.addCleanup(setattr, Job, "enqueue_after_commit", before)

    @override_settings(CLOCK={"enqueue_after_commit": False})
    def test_jobs_need_not_wait_for_the_commit(self):
        """The setting enqueue_after_commit."""
        Job.enqueue_after_commit = False

        apply()

        self.assertIs(Job.enqueue_after_commit, False)

    def test_the_check_names_a_setting_that_is_invalid(self):
        """The errors clock.E001."""
        for setting, text in (
            ({"enqueue_after_commit": "nowhere"}, "it must be True, False or an alias of settings.DATABASES"),
            ({"redis": "http://cache"}, "redis"),
        ):
            with override_settings(CLOCK=setting):
                [message] = check_settings()
            self.assertEqual(message.id, "clock.E001")
            self.assertIn(text, message.msg)

    def test_the_check_names_an_invalid_address_of_redis_in_the_environment(self):
        """The errors clock.E001."""
        with patch.dict(os.environ, {"REDIS_URL": "redis://cache:port"}):
            [message] = check_settings()

        self.assertIn("REDIS_URL: ", message.msg)

    def test_queues_of_other_task_backends_are_not_those_of_workers(self):
        """Django's own check names a backend that cannot be imported."""
        immediate = f"{BaseTaskBackend.__module__.rpartition('.')[0]}.immediate.ImmediateBackend"
        backends = {
            "default": {"BACKEND": OURS, "QUEUES": ["mail"]},
            "now": {"BACKEND": immediate, "QUEUES": ["theirs"]},
            "gone": {"BACKEND": "shop.nowhere.Backend"},
        }
        with override_settings(TASKS=backends):
            apply()
            queues = [name for name in load_config({}).queue_names if "." not in name]

        self.assertEqual(queues, ["mail", "default"])

    def test_a_project_without_a_clock_file_has_nothing_to_check(self):
        """It may run workers only."""
        with TemporaryDirectory() as folder, chdir(folder), patch.object(sys, "argv", ["manage.py", "check"]):
            self.assertEqual(check_clock_file(), [])


class EventRowTests(TransactionTestCase):
    """Events in the database, if something fails."""

    @modify_settings(INSTALLED_APPS={"remove": "clock.django"})
    def test_rows_need_the_application(self):
        """The clock logs it and reads them again."""
        with self.assertRaisesMessage(ConfigurationError, "'clock.django' is missing in INSTALLED_APPS"):
            event_rows.rows()

    def test_an_error_of_the_database_stays_what_it_is_if_the_table_exists(self):
        """The hint about migrations would mislead."""
        broken = patch.object(
            type(DatabaseEvent.objects.all()), "__iter__", side_effect=OperationalError("deadlock")
        )
        with broken, self.assertRaisesMessage(OperationalError, "deadlock"):
            event_rows.rows()

    def test_without_redis_a_name_counts_as_free_and_the_last_run_as_unknown(self):
        """The admin pages stay usable."""
        away = StoreUnavailable("Redis is away")
        page = admin.site._registry[DatabaseEvent]
        with (
            patch.object(event_rows, "default", side_effect=away),
            patch("clock.django.admin.default", side_effect=away),
        ):
            self.assertFalse(event_rows.is_taken("nightly"))
            self.assertEqual(page.last_run(DatabaseEvent(name="nightly")), "unknown: Redis cannot be reached")

    def test_an_empty_field_of_arguments_is_an_empty_list(self):
        """The form of the admin page gives None."""
        row = DatabaseEvent(name="nightly", every="1 day", job="ForgetOldOrdersJob", args=None)

        row.full_clean()

        self.assertEqual(row.args, [])

    def test_an_event_that_cannot_be_run_by_hand_is_named_on_its_page(self):
        """The action of the admin page."""
        root = get_user_model().objects.create_superuser("root")
        row = DatabaseEvent.objects.create(name="nightly", every="1 day", job="NobodyJob", args=[])
        self.client.force_login(root)

        form = {"action": "run_now", "_selected_action": [row.pk]}
        page = self.client.post("/admin/clock/databaseevent/", form, follow=True)

        self.assertContains(page, "NobodyJob")
        self.assertContains(page, 'class="error"')
