"""The functions that an application registers with its workers: `on`, `worker_error_handler`, `death_handler`.

A hook that raises is logged and reported to the error handlers. It changes nothing about the job or the worker.
Only a `startup` hook that raises ends the worker, before it takes a job, as in Sidekiq.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

from clock.django_connections import renewed_connections
from clock.errors import HookFailed, JobError, described
from clock.forking import child_ends_here

#: Sidekiq's lifecycle events, with its meanings.
WorkerEvent = Literal["startup", "quiet", "shutdown", "exit", "heartbeat", "beat"]
WORKER_EVENTS: tuple[WorkerEvent, ...] = get_args(WorkerEvent)
_REVERSED = {"quiet", "shutdown", "exit"}  # last registered, first called: as in Sidekiq

ErrorHandler = Callable[[BaseException, Mapping[str, Any]], object]
DeathHandler = Callable[[dict[str, Any], BaseException], object]
F = TypeVar("F", bound=Callable[..., object])

logger = logging.getLogger("clock.worker")
_hooks: dict[WorkerEvent, list[Callable[[], object]]] = {event: [] for event in WORKER_EVENTS}
_error_handlers: list[ErrorHandler] = []
_death_handlers: list[DeathHandler] = []


def worker_error_handler(function: F) -> F:
    """Call `function(error, context)` for every failure in a worker: of a job, a payload, a fetch, a hook.

    `context` is a dict, as in Sidekiq. Its "context" names the failure in words. Failures of a job add "job" (the
    payload) and "queue", an unreadable payload "jobstr", a hook "event", a part of the worker "part". Raises
    JobError if `function` cannot be called with two arguments.
    """
    return _added("worker_error_handler", _error_handlers, function, "error", "context")


def death_handler(function: F) -> F:
    """Call `function(payload, error)` for each job that has failed for good: it moves to `dead`, or is dropped.

    The payload of a dropped job has `discarded_at`, in ms since 1970. Raises JobError if `function` cannot be
    called with two arguments.
    """
    return _added("death_handler", _death_handlers, function, "payload", "error")


def on_worker_event(event: WorkerEvent, function: F) -> F:
    """Call `function()` at this event of a worker. Raises JobError if it cannot be called without arguments."""
    return _added(f"on({event!r})", _hooks[event], function)


def has_hooks(event: WorkerEvent) -> bool:
    """Whether the application has registered a function for this event."""
    return bool(_hooks[event])


def has_error_handlers() -> bool:
    """Whether the application has registered an error handler."""
    return bool(_error_handlers)


def has_death_handlers() -> bool:
    """Whether the application has registered a death handler."""
    return bool(_death_handlers)


def fire(event: WorkerEvent) -> None:
    """Call the hooks of an event, one after the other. Raises HookFailed for a `startup` hook that raises."""
    hooks = list(_hooks[event])
    for hook in reversed(hooks) if event in _REVERSED else hooks:
        try:
            with _around():
                hook()
        except BaseException as error:  # a hook may raise anything, SystemExit too
            _log_failed(f"The {event} hook {_name(hook)}", error)
            report(error, {"context": "Exception during lifecycle event", "event": event})
            if event == "startup":
                raise HookFailed(event, _name(hook), error) from error


def report(error: BaseException, context: Mapping[str, Any]) -> None:
    """Call the error handlers."""
    for handler in list(_error_handlers):
        try:
            with _around():
                handler(error, context)
        except BaseException as second:  # noqa: BLE001  # a handler may raise anything, SystemExit too
            _log_failed(f"The worker_error_handler {_name(handler)}", second)


def died(payload: dict[str, Any], error: BaseException) -> None:
    """Call the death handlers."""
    for handler in list(_death_handlers):
        try:
            with _around():
                handler(payload, error)
        except BaseException as second:  # noqa: BLE001  # a handler may raise anything, SystemExit too
            _log_failed(f"The death_handler {_name(handler)}", second)
            report(second, {"context": "Error calling death handler", "job": payload})


@contextmanager
def _around() -> Iterator[None]:
    """A hook may fork, and may use Django's database."""
    with child_ends_here(), renewed_connections():
        yield


def _added(what: str, functions: list[Any], function: F, *names: str) -> F:
    """Add a function once. Raises JobError if it cannot be called with these arguments."""
    if not callable(function):
        raise JobError(f"{what} got {function!r:.60}; it must be a function")
    if inspect.iscoroutinefunction(function):
        raise JobError(f"{what} got {_name(function)}, which is `async def` and never awaited; use a plain `def`")
    try:
        inspect.signature(function).bind(*names)
    except TypeError:
        raise JobError(
            f"{what} got {_name(function)}{inspect.signature(function)}; it is called with ({', '.join(names)})"
        ) from None
    except ValueError:  # some built-in functions have no signature
        pass
    if function not in functions:
        functions.append(function)
    return function


def _log_failed(what: str, error: BaseException) -> None:
    logger.error("%s failed: %s", what, described(error), exc_info=error)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__name__)
