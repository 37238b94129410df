"""Middleware: your own code around every push (client) and every run (server) of a job.

A client middleware is a function that is called before a job is pushed, with its class, its payload and its queue.
It may change the payload; a change of `queue` or `at` moves the job. If it returns False, the job is not pushed.

A server middleware is a function that is called before a job runs, with the job, its payload and its queue. It
returns a context manager, inside which the job runs: write it with `contextlib.contextmanager`. It may return None
to do nothing for this job, and raise `Discard` to drop it. If it ends without its `yield`, the job does not run
and counts as done, as in Sidekiq. For an `async def perform`, it may return an asynchronous context manager.

The first middleware of a chain is the outermost. Set up chains when the program starts. A change applies to the
next push or run, in all threads.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    _AsyncGeneratorContextManager,
    _GeneratorContextManager,
)
from traceback import walk_tb
from typing import Any, Generic, TypeVar

from clock import forking
from clock.errors import JobError
from clock.forking import child_ends_here, end_child
from clock.job.context import JobClass, RunningJob
from clock.job.payload import Payload

Around = AbstractContextManager[object] | AbstractAsyncContextManager[object] | None
#: `Any`: an application's middleware may declare `type[Job]` or its own base class.
ClientMiddleware = Callable[[Any, Payload, str], object]
#: `Any` for the same reason: the running job.
ServerMiddleware = Callable[[Any, Payload, str], Around]

logger = logging.getLogger("clock.job")

M = TypeVar("M", bound=Callable[..., object])


class Chain(Generic[M]):
    """An ordered list of middleware without duplicates."""

    def __init__(self, *middleware: M) -> None:
        #: Replaced at each change, never modified, so a run keeps the chain that it started with.
        self.entries: tuple[M, ...] = middleware

    def add(self, middleware: M) -> M:
        """Put or move `middleware` to the innermost place. Returns it. Raises JobError if it is `async def`."""
        _check(middleware)
        self.entries = (*self._without(middleware), middleware)
        return middleware

    def prepend(self, middleware: M) -> M:
        """Put or move `middleware` to the outermost place. Returns it. Raises JobError if it is `async def`."""
        _check(middleware)
        self.entries = (middleware, *self._without(middleware))
        return middleware

    def remove(self, middleware: M) -> None:
        """Remove `middleware`; do nothing if it is not in the chain."""
        self.entries = self._without(middleware)

    def insert_before(self, other: M, middleware: M) -> None:
        """Put `middleware` just outside `other`. Raises JobError if `other` is not in the chain."""
        self._insert(other, middleware, 0)

    def insert_after(self, other: M, middleware: M) -> None:
        """Put `middleware` just inside `other`. Raises JobError if `other` is not in the chain."""
        self._insert(other, middleware, 1)

    def clear(self) -> None:
        """Remove all middleware, the package's own too."""
        self.entries = ()

    def __iter__(self) -> Iterator[M]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _without(self, middleware: M) -> tuple[M, ...]:
        return tuple(entry for entry in self.entries if entry != middleware)

    def _insert(self, other: M, middleware: M, offset: int) -> None:
        _check(middleware)
        entries = list(self._without(middleware))
        if other not in entries:
            names = ", ".join(map(_name, entries)) or "nothing"
            raise JobError(f"{_name(other)} is not in this chain of middleware, which holds {names}")
        entries.insert(entries.index(other) + offset, middleware)
        self.entries = tuple(entries)


def allows(chain: Sequence[ClientMiddleware], job: JobClass, payload: Payload) -> bool:
    """Call the chain, which may change the payload. False: a middleware stopped the push."""
    for middleware in chain:
        with child_ends_here():
            answer = middleware(job, payload, str(payload["queue"]))
        if answer is False:
            return False
    return True


def run_inside(job: RunningJob, chain: Sequence[ServerMiddleware], args: Sequence[Any]) -> Any:
    """Run the job inside the context managers of the chain. Returns the result of `perform`."""
    before, context = forking.forks, job.context
    try:
        result = None  # also if a middleware has suppressed the error of the run
        for place, middleware in enumerate(chain, 1):
            around: Any = middleware(job, context.payload, context.queue)
            if forking.forks != before:
                end_child()
            if around is not None:
                if not hasattr(around, "__enter__"):
                    raise _unfit(around, middleware)
                with around:
                    if forking.forks != before:
                        end_child()
                    result = run_inside(job, chain[place:], args)
                break
        else:
            result = job.perform(*args)
    except BaseException as error:
        if forking.forks != before:
            end_child(error)
        if not _skips_the_job(error):
            raise
        _log_skipped(job, middleware)
    if forking.forks != before:
        end_child()
    return result


async def await_inside(job: RunningJob, chain: Sequence[ServerMiddleware], args: Sequence[Any]) -> Any:
    """Run a job whose `perform` is a coroutine function, inside the chain. Returns its result."""
    before = forking.forks
    with child_ends_here():
        for place, middleware in enumerate(chain, 1):
            around = middleware(job, job.context.payload, job.context.queue)
            if forking.forks != before:
                end_child()
            if around is not None:
                result = None
                if not isinstance(around, AbstractAsyncContextManager):
                    if not isinstance(around, AbstractContextManager):
                        raise _unfit(around, middleware)
                    around = _Awaitable(around)
                try:
                    async with around:
                        if forking.forks != before:
                            end_child()
                        result = await await_inside(job, chain[place:], args)
                except RuntimeError as error:
                    if not _skips_the_job(error):
                        raise
                    _log_skipped(job, middleware)
                return result
        return await job.perform(*args)


class _Awaitable(AbstractAsyncContextManager[object]):
    """Adapts a context manager for `async with`."""

    def __init__(self, around: AbstractContextManager[object]) -> None:
        self._around = around

    async def __aenter__(self) -> None:
        self._around.__enter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        return self._around.__exit__(*error)


#: Code that is between the run of a chain and a generator that ends without its `yield`.
_ENTERING = {
    _GeneratorContextManager.__enter__.__code__,
    _AsyncGeneratorContextManager.__aenter__.__code__,
    _Awaitable.__aenter__.__code__,
}


def _skips_the_job(error: BaseException) -> bool:
    """Whether a middleware of this very chain ended without its `yield`.

    contextlib raises a RuntimeError for it. If the error comes from a generator, or from `perform`, other code is
    in its traceback.
    """
    if type(error) is not RuntimeError:
        return False
    frames = [frame.f_code for frame, _ in walk_tb(error.__traceback__)][1:]  # the first one is the chain's own
    return bool(frames) and _ENTERING.issuperset(frames)


def _log_skipped(job: RunningJob, middleware: ServerMiddleware) -> None:
    words = (job.context.payload.get("class"), job.context.payload.get("jid"), _name(middleware))
    logger.info("%s %s skipped: the middleware %s ended without its yield", *words)


def _check(middleware: object) -> None:
    if inspect.iscoroutinefunction(middleware):
        raise JobError(
            f"the middleware {_name(middleware)} is `async def`, which is never awaited; use a plain `def`"
        )


def _unfit(around: object, middleware: ServerMiddleware) -> JobError:
    return JobError(
        f"the middleware {_name(middleware)} returned {around!r:.60}, which `with` does not accept; "
        "it must be a context manager or None (an asynchronous one fits only `async def perform`)"
    )


def _name(middleware: object) -> str:
    return str(getattr(middleware, "__name__", None) or type(middleware).__name__)
