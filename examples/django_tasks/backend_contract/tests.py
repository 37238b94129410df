"""What the Tasks framework and other backends expect of a backend, with a real worker in the test's process."""

import dataclasses
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from io import StringIO

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command, execute_from_command_line
from django.db import transaction
from django.test import SimpleTestCase, override_settings
from django.utils import timezone
from django.utils.module_loading import import_string

from backend_contract import tasks
from clock import api, enqueue, worker_hooks
from clock.clocks import SystemClock
from clock.django import TaskBackend
from clock.django.framework import InvalidTask, Task, TaskResultDoesNotExist, TaskResultStatus
from clock.store import keys
from clock.store.server.connection import default
from clock.worker import Queue, Worker, WorkerOptions

try:
    from django.tasks import default_task_backend, task, task_backends
    from django.tasks.exceptions import InvalidTaskBackend, TaskResultMismatch

    LOGGER = "django.tasks"
except ImportError:
    from django_tasks import default_task_backend, task, task_backends
    from django_tasks.exceptions import InvalidTaskBackendError as InvalidTaskBackend
    from django_tasks.exceptions import TaskResultMismatch

    LOGGER = "django_tasks"

OURS = {
    "BACKEND": "clock.django.TaskBackend",
    "QUEUES": ["default", "queue-1", "mail"],
    "OPTIONS": {"retry": False, "enqueue_after_commit": False},
}
OTHER = {"BACKEND": "clock.django.TaskBackend", "QUEUES": [], "OPTIONS": {"retry": False}}
READY, SUCCESSFUL, FAILED = TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED


class Quiet(TaskBackend):
    """A project's own backend, which takes no coroutines and no priorities."""

    supports_async_task = False
    supports_priority = False


@override_settings(
    TASKS={
        "default": OURS,
        "other": OTHER,
        "missing": {"BACKEND": "does.not.exist"},
        "quiet": {"BACKEND": "backend_contract.tests.Quiet"},
    },
    ROOT_URLCONF="backend_contract.urls",
    USE_TZ=True,
)
class Contract(SimpleTestCase):
    """Each test starts with empty queues. None writes to the database."""

    databases = ("default",)

    def setUp(self):
        """Remove the jobs of the last test."""
        default().flushdb()

    def work(self, *queues):
        """Run the tasks that wait, with a worker."""
        names = queues or [name for band in default_task_backend.queues_by_urgency() for name in band]
        options = WorkerOptions([Queue(name) for name in names], 1, burst=True)
        Worker(default(), options, identity="here:1:contract", clock=SystemClock()).run()

    def assert_untouched(self, result, task, args, kwargs):
        """A result of a task that no worker has begun."""
        self.assertEqual(result.status, READY)
        self.assertIs(result.is_finished, False)
        self.assertEqual(
            (result.started_at, result.last_attempted_at, result.finished_at, result.attempts),
            (None, None, None, 0),
        )
        self.assertEqual((result.task, result.args, result.kwargs, result.errors), (task, args, kwargs, []))
        with self.assertRaisesMessage(ValueError, "Task has not finished yet"):
            _ = result.return_value

    def assert_finished(self, result, status):
        """A result of a task that ran once."""
        self.assertEqual((result.status, result.is_finished, result.attempts), (status, True, 1))
        self.assertLessEqual(result.enqueued_at, result.started_at)
        self.assertEqual(result.started_at, result.last_attempted_at)
        self.assertLessEqual(result.started_at, result.finished_at)


class Backends(Contract):
    """How a task finds its backend."""

    def test_the_alias_leads_to_the_backend_with_its_options(self):
        self.assertEqual(default_task_backend, task_backends["default"])
        self.assertIsInstance(task_backends["default"], TaskBackend)
        self.assertEqual((default_task_backend.alias, default_task_backend.options), ("default", OURS["OPTIONS"]))
        self.assertIs(tasks.nothing.get_backend(), task_backends["default"])
        self.assertIs(tasks.nothing.using(backend="other").get_backend(), task_backends["other"])

    def test_the_decorator_makes_tasks_with_and_without_parentheses(self):
        for made in (tasks.nothing, tasks.nothing_bare, tasks.nothing_async):
            self.assertIsInstance(made, Task)
        self.assertEqual(tasks.nothing.name, "nothing")
        self.assertEqual(tasks.nothing_async.module_path, "backend_contract.tasks.nothing_async")
        self.assertIs(import_string(tasks.nothing_async.module_path), tasks.nothing_async)

    def test_an_unknown_alias_or_class_or_no_backend_at_all_is_named(self):
        with self.assertRaisesMessage(InvalidTaskBackend, "The connection 'unknown' doesn't exist."):
            tasks.nothing.using(backend="unknown")
        with self.assertRaisesMessage(InvalidTaskBackend, "Could not find backend 'does.not.exist'"):
            tasks.nothing.using(backend="missing")
        with override_settings(TASKS={}), self.assertRaises(InvalidTaskBackend):
            tasks.nothing.enqueue()

    def test_a_subclass_may_support_less(self):
        quiet = task_backends["quiet"]
        for told, text in ((tasks.nothing_async, "support async"), (tasks.nothing.using(priority=1), "priority")):
            with self.assertRaisesMessage(InvalidTask, text):
                quiet.validate_task(told)

    def test_a_task_that_is_called_runs_here(self):
        self.assertEqual(tasks.answer.call(), 42)
        self.assertIsNone(tasks.nothing_async.call())

    async def test_a_task_that_is_awaited_runs_here(self):
        self.assertEqual(await tasks.answer.acall(), 42)
        self.assertIsNone(await tasks.nothing_async.acall())

    def test_checks_pass_and_name_an_application_that_is_missing(self):
        self.assertEqual(list(default_task_backend.check()), [])
        with override_settings(INSTALLED_APPS=[]):
            [message] = default_task_backend.check()
            self.assertIn("clock.django", message.msg + str(message.hint))


class Using(Contract):
    """`using` makes a task with other attributes, and checks them."""

    def test_it_changes_a_copy(self):
        now = timezone.now()
        changed = tasks.nothing.using(run_after=now)
        again = changed.using(priority=10).using(queue_name="queue-1")

        self.assertEqual((again.run_after, again.priority, again.queue_name), (now, 10, "queue-1"))
        self.assertEqual((changed.priority, changed.queue_name), (0, "default"))
        self.assertEqual(
            (tasks.nothing.run_after, tasks.nothing.priority, tasks.nothing.queue_name), (None, 0, "default")
        )

    def test_without_changes_it_is_equal_but_not_the_same(self):
        self.assertEqual(tasks.nothing.using(), tasks.nothing)
        self.assertIsNot(tasks.nothing.using(), tasks.nothing)
        self.assertEqual(hash(tasks.nothing.using()), hash(tasks.nothing))

    def test_what_is_invalid_is_refused(self):
        for number in (-101, 101, 3.1):
            with self.assertRaisesMessage(InvalidTask, "priority must be a whole number between -100 and 100."):
                tasks.nothing.using(priority=number)
        with self.assertRaisesMessage(InvalidTask, "run_after must be an aware datetime."):
            tasks.nothing.using(run_after=datetime(2030, 1, 1))  # naive on purpose
        with self.assertRaisesMessage(InvalidTask, "Queue 'queue-2' is not valid for backend."):
            tasks.nothing.using(queue_name="queue-2")
        self.assertEqual(tasks.nothing.using(queue_name="queue-2", backend="other").queue_name, "queue-2")

    def test_functions_that_no_worker_could_find_are_refused(self):
        for function in (any, self.test_functions_that_no_worker_could_find_are_refused, lambda: 1):
            with self.assertRaisesMessage(InvalidTask, "Task function must be defined at a module level."):
                task()(function)
        with self.assertRaisesMessage(InvalidTask, "does not have a first argument of 'context'"):
            task(takes_context=True)(tasks.answer.func)


class Enqueueing(Contract):
    """The result of `enqueue`, and what waits in Redis."""

    def test_a_task_waits(self):
        for told in (tasks.nothing, tasks.nothing_async):
            self.assert_untouched(told.enqueue(1, two=3), told, [1], {"two": 3})
            self.assert_untouched(default_task_backend.enqueue(told, (), {}), told, [], {})

    async def test_a_task_that_was_enqueued_in_an_event_loop_waits(self):
        for told in (tasks.nothing, tasks.nothing_async):
            self.assert_untouched(await told.aenqueue(1, two=3), told, [1], {"two": 3})

    async def test_arguments_that_json_cannot_hold_are_refused(self):
        for value in (datetime(2030, 1, 1), object(), {1, 2}):
            with self.assertRaises(TypeError):
                await sync_to_async(tasks.nothing.enqueue)(value)
            with self.assertRaises(TypeError):
                await tasks.nothing.aenqueue(key=value)
        self.assertEqual(len(api.Queue("default")), 0)

    async def test_a_task_is_validated_again_when_it_is_enqueued(self):
        odd = tasks.nothing.using(queue_name="odd", backend="other")
        with override_settings(TASKS={"default": OURS, "other": {**OTHER, "QUEUES": ["queue-1"]}}):
            with self.assertRaisesMessage(InvalidTask, "Queue 'odd' is not valid for backend"):
                await sync_to_async(odd.enqueue)()
            with self.assertRaisesMessage(InvalidTask, "Queue 'odd' is not valid for backend"):
                await odd.aenqueue()

    def test_each_queue_holds_its_own_tasks(self):
        here, there = tasks.nothing.enqueue(), tasks.nothing.using(queue_name="queue-1").enqueue()

        found = [[job.jid for job in api.Queue(name)] for name in ("default", "queue-1")]

        self.assertEqual(found, [[here.id], [there.id]])

    def test_without_enqueue_after_commit_a_transaction_delays_nothing(self):
        with transaction.atomic():
            result = tasks.nothing.enqueue()
            self.assertIsNotNone(result.enqueued_at)
            self.assertEqual(len(api.Queue("default")), 1)
        self.assertEqual(len(api.Queue("default")), 1)

    def test_a_view_enqueues_and_another_request_reads_the_result(self):
        for path in ("/enqueue", "/aenqueue"):
            made = self.client.get(path).json()
            self.assertEqual((made["status"], made["value"]), (READY, None))
            self.assertEqual(self.client.get(f"/results/{made['id']}").json(), made)

        self.work()

        self.assertEqual(self.client.get(f"/results/{made['id']}").json()["value"], 42)

    def test_it_is_logged_as_the_framework_does(self):
        with self.assertLogs(LOGGER, "DEBUG") as logs:
            result = tasks.nothing.enqueue()
        [line] = logs.output
        self.assertIn("enqueued", line)
        self.assertIn(result.id, line)


class Results(Contract):
    """Reading a result by its id."""

    def test_it_is_equal_to_the_result_of_enqueue(self):
        result = tasks.nothing.using(priority=7).enqueue(1, two=[3])

        self.assertEqual(default_task_backend.get_result(result.id), result)
        self.assertEqual(tasks.nothing.get_result(result.id), result)

    async def test_it_is_equal_in_an_event_loop(self):
        result = await default_task_backend.aenqueue(tasks.nothing, (), {})

        self.assertEqual(await default_task_backend.aget_result(result.id), result)
        self.assertEqual(await tasks.nothing.aget_result(result.id), result)
        before = dataclasses.asdict(result)
        await sync_to_async(result.refresh)()
        await result.arefresh()
        self.assertEqual(dataclasses.asdict(result), before)

    async def test_an_unknown_id_is_an_error_of_its_own(self):
        for unknown in ("123", "00000000-0000-0000-0000-000000000000", "", "x" * 5000, "\n"):
            for holder in (default_task_backend, tasks.nothing):
                with self.assertRaises(TaskResultDoesNotExist):
                    await sync_to_async(holder.get_result)(unknown)
                with self.assertRaises(TaskResultDoesNotExist):
                    await holder.aget_result(unknown)

    async def test_a_result_of_another_task_does_not_match(self):
        result = await tasks.nothing_async.aenqueue()

        with self.assertRaisesMessage(TaskResultMismatch, "Task does not match"):
            await sync_to_async(tasks.nothing.get_result)(result.id)
        with self.assertRaisesMessage(TaskResultMismatch, "Task does not match"):
            await tasks.nothing.aget_result(result.id)

    def test_it_changes_only_by_refresh(self):
        result = tasks.answer.enqueue()
        self.work()
        self.assert_untouched(result, tasks.answer, [], {})

        result.refresh()

        self.assert_finished(result, SUCCESSFUL)
        self.assertEqual(result.return_value, 42)

    async def test_it_changes_by_arefresh(self):
        result = await tasks.answer.aenqueue()
        await sync_to_async(self.work)()
        self.assertEqual(result.status, READY)

        await result.arefresh()

        self.assertEqual(result.return_value, 42)

    def test_a_result_is_removed_some_time_after_the_end(self):
        result = tasks.answer.enqueue()
        waiting = default().ttl(keys.RESULT + result.id)

        self.work()

        week = 7 * 86_400
        self.assertGreater(waiting, 2 * week)
        self.assertLessEqual(week - 600, default().ttl(keys.RESULT + result.id))
        self.assertLessEqual(default().ttl(keys.RESULT + result.id), week)

    def test_a_path_in_redis_imports_nothing(self):
        known = tasks.nothing.enqueue()
        kept = default().hget(keys.RESULT + known.id, "task").decode()
        for path in ("subprocess.check_output", "missing.function", "backend_contract.tasks.missing"):
            about = kept.replace("backend_contract.tasks.nothing", path)
            default().hset(keys.RESULT + known.id, "task", about)
            with self.assertRaises(TaskResultDoesNotExist):
                default_task_backend.get_result(known.id)

    def test_the_class_of_an_error_must_be_an_exception(self):
        result = tasks.value_error.enqueue()
        self.work()
        result.refresh()
        for path in ("subprocess.run", "does.not.exist", "math.pi"):
            object.__setattr__(result.errors[0], "exception_class_path", path)
            with self.assertRaises((ValueError, ImportError)):
                _ = result.errors[0].exception_class

    def test_an_error_without_its_details_hides_no_result(self):
        result = tasks.value_error.enqueue()
        self.work()
        for broken in ("", "null", "{}", "[1]"):
            default().hset(keys.RESULT + result.id, "error:1", broken)
            found = default_task_backend.get_result(result.id)
            self.assertEqual((found.status, len(found.errors)), (FAILED, 1))
            self.assertIs(found.errors[0].exception_class, Exception)


class Running(Contract):
    """What a worker leaves in the result."""

    def test_functions_and_coroutines_succeed(self):
        results = [told.enqueue(1, two=3) for told in (tasks.nothing, tasks.nothing_async)]
        results.append(tasks.returns_bytes.enqueue())

        self.work()

        for result in results:
            result.refresh()
            self.assert_finished(result, SUCCESSFUL)
            self.assertEqual(len(result.worker_ids), 1)
        self.assertEqual(results[0].return_value, None)
        self.assertEqual(results[2].return_value, {"name": "café", "pair": [1, 2]})

    def test_every_failure_is_kept_with_class_and_traceback(self):
        cases = (
            (tasks.value_error, ValueError, "ValueError: on purpose: ValueError\n"),
            (tasks.system_exit, SystemExit, "SystemExit: on purpose: SystemExit\n"),
            (tasks.exits, SystemExit, "SystemExit: 1\n"),
            (tasks.keyboard_interrupt, KeyboardInterrupt, "KeyboardInterrupt: on purpose\n"),
            (tasks.nested_error, ValueError, ""),
            (tasks.unserializable, TypeError, ""),
        )
        results = [told.enqueue() for told, _, _ in cases]

        self.work()

        for result, (told, kind, end) in zip(results, cases, strict=True):
            result.refresh()
            self.assert_finished(result, FAILED)
            [error] = result.errors
            self.assertIs(error.exception_class, kind)
            self.assertTrue(error.traceback.endswith(end), error.traceback)
            self.assertEqual((result.task, result.args, result.kwargs), (told, [], {}))
            with self.assertRaisesMessage(ValueError, "Task failed"):
                _ = result.return_value
        self.assertIn('ValueError(ValueError("on purpose"))', results[4].errors[0].traceback)
        self.assertIn("Unsupported type", results[5].errors[0].traceback)

    def test_a_task_that_takes_its_context_gets_it(self):
        asks, checks = tasks.own_id.enqueue(), tasks.check_context.enqueue(1)

        self.work()

        asks.refresh()
        checks.refresh()
        self.assertEqual((asks.return_value, checks.status), (asks.id, SUCCESSFUL))

    def test_start_and_end_are_logged_as_the_framework_does(self):
        for told, state in ((tasks.nothing, "SUCCESSFUL"), (tasks.value_error, "FAILED")):
            result = told.enqueue()
            with self.assertLogs(LOGGER, "DEBUG") as logs:
                self.work()
            begun, ended = logs.output
            for line, text in ((begun, "state=RUNNING"), (ended, f"state={state}")):
                self.assertIn(text, line)
                self.assertIn(result.id, line)
        self.assertIn("ValueError: on purpose", ended)

    def test_a_worker_runs_all_that_waits_and_ends(self):
        self.work()
        results = [*(tasks.nothing.enqueue() for _ in range(3)), tasks.value_error.enqueue()]

        self.work()

        found = [default_task_backend.get_result(result.id).status for result in results]
        self.assertEqual(found, [SUCCESSFUL] * 3 + [FAILED])
        self.assertEqual(len(api.Queue("default")), 0)

    def test_a_worker_leaves_other_queues_alone(self):
        result = tasks.nothing.using(queue_name="queue-1").enqueue()

        self.work("default")
        result.refresh()
        self.assertEqual(result.status, READY)
        self.work("queue-1")

        result.refresh()
        self.assertEqual(result.status, SUCCESSFUL)

    def test_a_task_of_later_waits_until_it_is_due(self):
        result = tasks.nothing.using(run_after=timezone.now() + timedelta(hours=10)).enqueue()

        self.work()
        result.refresh()
        self.assertEqual(result.status, READY)
        api.JobRef(result.id).run_now()
        self.work()

        result.refresh()
        self.assertEqual(result.status, SUCCESSFUL)

    def test_a_task_whose_time_has_come_is_not_scheduled(self):
        result = tasks.nothing.using(run_after=timezone.now() - timedelta(hours=1)).enqueue()

        self.work()

        result.refresh()
        self.assertEqual(result.status, SUCCESSFUL)

    def test_urgent_tasks_run_first_and_those_of_later_do_not_count(self):
        ordered = [(0, -2), (0, 10), (10, 10), (0, 0)]
        now = timezone.now()
        results = {
            when: tasks.nothing.using(
                priority=when[1], run_after=now + timedelta(hours=when[0]) if when[0] else None
            ).enqueue()
            for when in ordered
        }

        self.work()

        for result in results.values():
            result.refresh()
        ran = sorted((result.started_at, when) for when, result in results.items() if result.is_finished)
        self.assertEqual([when for _, when in ran], [(0, 10), (0, 0), (0, -2)])

    def test_a_name_that_no_module_registered_is_parked_and_not_imported(self):
        jid = enqueue("subprocess.check_output", [[["exit", "1"]], {}])

        self.work()

        self.assertEqual(api.JobRef(jid).locate().state, "parked")

    def test_a_task_that_dies_without_a_last_attempt_has_failed(self):
        result, finished = tasks.nothing.enqueue(), tasks.answer.enqueue()
        self.work("queue-1")
        queued = api.JobRef(result.id).locate().job.payload
        run_later = tasks.answer.enqueue()
        self.work()
        default().hset(keys.RESULT + result.id, "status", "RUNNING")

        for jid in (result.id, finished.id, run_later.id):
            worker_hooks.died({**queued, "jid": jid}, RuntimeError("3 workers were killed"))

        result.refresh()
        finished.refresh()
        self.assertEqual((result.status, result.errors[0].exception_class), (FAILED, RuntimeError))
        self.assertEqual((finished.status, finished.errors), (SUCCESSFUL, []))


class Commands(Contract):
    """The command of a worker."""

    def test_wrong_words_are_usage_errors(self):
        for words, text in (
            (("--backend", "unknown"), "No such option"),
            (("-c", "-1"), "-1"),
            (("-c", "many"), "many"),
        ):
            with self.subTest(words):
                with redirect_stderr(StringIO()) as written, self.assertRaises(SystemExit) as ended:
                    execute_from_command_line(["manage.py", "worker", *words])
                self.assertIn(text, written.getvalue())
                self.assertIn(ended.exception.code, (1, 2))

    def test_it_can_be_called_from_code(self):
        with redirect_stdout(StringIO()) as written, self.assertRaises(SystemExit) as ended:
            call_command("clock", "config")
        self.assertEqual(ended.exception.code or 0, 0)
        self.assertIn("settings.CLOCK", written.getvalue())

    def test_options_are_checked_when_the_backend_is_made(self):
        with self.assertRaises(ImproperlyConfigured):
            TaskBackend("mine", {"OPTIONS": {"timeout": "long"}})
