"""What the shop expects of its task backend: `manage.py test`. A test runs the jobs itself, as a worker does."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import transaction
from django.test import TransactionTestCase, modify_settings, override_settings
from django.utils import timezone

from clock import api
from clock.django import TaskBackend
from clock.django.framework import (
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from clock.errors import ArgumentsError
from clock.job import cursors
from clock.job.context import Context
from clock.job.registry import lookup
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
