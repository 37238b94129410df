"""Coroutine jobs: all of a process run on one event loop, each for one thread of the worker.

The thread waits for its job, so as many jobs run at once as there are threads, whether plain or coroutines.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any

from clock.django_connections import arenewed_connections
from clock.forking import before_fork, child_ends_here, end_child, in_child

logger = logging.getLogger("clock.worker")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None  # guarded by _lock
_loop_thread: int | None = None  # guarded by _lock
_forking: asyncio.Task[Any] | None = None  # the task that has last forked; written on the loop's thread
_dropped: list[object] = []  # in a forked child: what its parent runs; kept, as Python warns of lost coroutines


def run_on_loop(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run it to its end, on the loop that all share. Raises the coroutine's error."""
    try:
        loop = _the_loop()
    except BaseException:
        coroutine.close()
        raise
    error = asyncio.run_coroutine_threadsafe(_outcome(coroutine), loop).result()
    if error is not None:
        raise error


async def _outcome(coroutine: Coroutine[Any, Any, object]) -> BaseException | None:
    """The error of the coroutine: a SystemExit must reach the job's thread, and not end the loop."""
    try:
        with child_ends_here():
            async with arenewed_connections():
                await coroutine
    except BaseException as error:  # noqa: BLE001  # it is raised again in the job's thread
        return error
    return None


def cancel_all(patience_seconds: float) -> None:
    """Cancel all tasks of jobs, as `asyncio.run` does at its end, and give their `finally` so long to be done."""
    if _loop is not None:
        with suppress(TimeoutError):  # a task blocks the loop
            asyncio.run_coroutine_threadsafe(_cancel(patience_seconds), _loop).result(patience_seconds)


async def _cancel(patience_seconds: float) -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=patience_seconds)


def stacks() -> Iterator[tuple[str, str]]:
    """The name of each task on the loop, and its stack; may be called from any thread."""
    for task in [] if _loop is None else asyncio.all_tasks(_loop):
        frames = ((frame, frame.f_lineno) for frame in _frames(task.get_coro()))
        yield task.get_name(), "".join(traceback.StackSummary.extract(frames).format()).rstrip()


def _frames(coroutine: object) -> Iterator[FrameType]:
    """From the outermost to the innermost `await`: a task's own list has only the outermost."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:  # of a task that a job has started: others must go on
            logger.error("A task in the event loop of the coroutine jobs raised %r; the loop continues", error)


class _Executor(ThreadPoolExecutor):
    """Runs what jobs hand to `asyncio.to_thread`. A child that is forked there ends with it."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `call` on a thread."""
        return super().submit(_call, call, args, kwargs)


def _call(call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with child_ends_here():
        return call(*args, **kwargs)


def _note_task() -> None:
    """Note the task that forks: from Python 3.14 on, a child has no current task."""
    global _forking
    if threading.get_ident() == _loop_thread:
        _forking = asyncio.current_task(_loop)


def _begin_child() -> None:
    """Keep a child that was forked on the loop from running tasks of the parent, except the task that forked."""
    ready: Any = getattr(_loop, "_ready", None)  # asyncio has no public way to drop what is ready to run
    if _loop is None or ready is None or threading.get_ident() != _loop_thread:
        return
    _dropped.extend(ready)
    ready.clear()
    _loop.call_soon(_end_child, _forking)


def _end_child(task: asyncio.Task[Any] | None) -> None:
    """End a child that came back to the loop: its task has ended or awaits something."""
    if task is not None and not task.done():
        end_child(
            RuntimeError("a forked child of a coroutine must not await: the event loop belongs to its parent")
        )
    cancelled = task is None or task.cancelled()
    end_child(None if cancelled or task is None else task.exception())


before_fork(_note_task)
in_child(_begin_child)


def _the_loop() -> asyncio.AbstractEventLoop:
    global _loop, _loop_thread  # one a process, started with the first job that needs it
    with _lock:
        if _loop is None:
            loop = asyncio.new_event_loop()
            loop.set_default_executor(_Executor(thread_name_prefix="asyncio"))
            thread = threading.Thread(target=_run, args=(loop,), name="coroutines", daemon=True)
            try:
                thread.start()
            except BaseException:  # the machine allows no more threads; the next job tries again
                loop.close()
                raise
            _loop, _loop_thread = loop, thread.ident
        return _loop
