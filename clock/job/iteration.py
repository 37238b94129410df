"""`IterableJob`: a long job as many short steps. It continues at its last item after a stop, a deploy or a crash.

After an item, its cursor is saved: at least each second, at every stop and at every failure. The cursor is a field
of the job's own payload, so it goes wherever the job goes: to a queue, to `retry`, to another worker. Items after
the last saved cursor run again if the worker dies.

With `exactly_once`, the jobs that `each` pushes are held. One script saves the cursor and pushes them, with jids
made from job, cursor and place. So a job that is killed at any point pushes each of them once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from clock.errors import JobError
from clock.job.job import Job
from clock.job.position import Position, is_counted
from clock.job.push.arguments import arity
from clock.printable import brief

_YIELD_PAIRS = "yield pairs (cursor, item)"


class IterableJob(Job):
    """A job that works through items, one after the other. Define `items` and `each`.

    `items(*args, cursor)` yields pairs (cursor, item). `cursor` is the cursor of the last item that is done, None
    at first: yield the items after it. Cursors are JSON. `each(item, *args)` handles one item. Both may be
    `async`; then the whole job runs on the event loop, and `count` may be `async`, too.

    >>> class GreetAllJob(IterableJob):
    ...     def items(self, greeting: str, *, cursor: int | None):
    ...         for number in range(cursor or 0, 2):
    ...             yield number + 1, f"learner {number}"
    ...     def each(self, item: str, greeting: str) -> None:
    ...         print(greeting, item)
    >>> GreetAllJob.perform_inline("Hello")
    Hello learner 0
    Hello learner 1
    """

    _iterates: ClassVar[bool] = True
    max_run_time: ClassVar[float | timedelta | None] = None

    items: Any
    each: Any

    def __init_subclass__(cls, **kwargs: object) -> None:
        items, each = getattr(cls, "items", None), getattr(cls, "each", None)
        if items is not None and each is not None:
            if inspect.iscoroutinefunction(cls.count) and not _is_async(items, each):
                name = cls.__qualname__
                raise JobError(
                    f"{name}.count is async, but items and each are not; write def count, or async def each"
                )
            if "items" in vars(cls) or "each" in vars(cls):
                cls.perform = _perform(cls, items, each)
        super().__init_subclass__(**kwargs)

    def count(self, *args: Any) -> Any:
        """How many items there are in all, for the progress; yours to define. Called once, when the job starts."""
        return None


def _perform(job: type[IterableJob], items: Callable[..., Any], each: Callable[..., Any]) -> Callable[..., Any]:
    """The `perform` of a class: it accepts the arguments of `items`, without the cursor."""
    name = job.__qualname__
    signature = inspect.signature(items)
    cursor = signature.parameters.get("cursor")
    if cursor is None or cursor.kind is not cursor.KEYWORD_ONLY:
        raise JobError(f"{name}.items must accept the keyword `cursor`; write def items(self, ..., *, cursor)")
    if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
        raise JobError(f"{name}.each is a generator, so calling it runs nothing; remove the yield")
    own = [one for one in signature.parameters.values() if one.name != "cursor"]
    if all(inspect.isfunction(inspect.getattr_static(job, method)) for method in ("items", "each")):
        (least, most), (low, high) = arity(items), arity(each)
        if low > most + 1 or high < least + 1:
            wanted = ", ".join(["self", "item", *(one.name for one in own[1:])])
            raise JobError(f"{name}.each must accept an item and the arguments of items: def each({wanted})")

    def perform(self: IterableJob, *args: Any) -> None:
        _run(self, args)

    async def aperform(self: IterableJob, *args: Any) -> None:
        await _arun(self, args)

    found = aperform if _is_async(items, each) else perform
    vars(found)["__signature__"] = signature.replace(parameters=own, return_annotation=None)
    return found


def _is_async(items: Callable[..., Any], each: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(items) or any(map(inspect.iscoroutinefunction, (items, each)))


def _run(job: IterableJob, args: Sequence[Any]) -> None:
    position = Position(job, None if is_counted(job) else _plain(job.count(*args), job, "count"))
    try:
        for pair in _iterable(_plain(job.items(*args, cursor=position.cursor), job, "items"), job):
            cursor, item = _pair(pair, job)
            with position.holding(cursor):
                _plain(job.each(item, *args), job, "each")
            if position.note(cursor) and position.save():
                break
    except BaseException:
        position.keep()
        raise
    position.finish()


async def _arun(job: IterableJob, args: Sequence[Any]) -> None:
    total = None if is_counted(job) else await _awaited(await asyncio.to_thread(job.count, *args))
    position = await asyncio.to_thread(Position, job, total)
    try:
        async for pair in _each_of(await _awaited(job.items(*args, cursor=position.cursor)), job):
            cursor, item = _pair(pair, job)
            with position.holding(cursor):
                await _awaited(job.each(item, *args))
            if position.note(cursor) and await asyncio.to_thread(position.save):
                break
    except BaseException:
        await asyncio.to_thread(position.keep)
        raise
    await asyncio.to_thread(position.finish)


def _plain(found: Any, job: IterableJob, name: str) -> Any:
    """The result of a method of a job that is not on the event loop. Raises JobError for an awaitable one."""
    if found is None:
        return None
    if inspect.isawaitable(found) or (hasattr(found, "__aiter__") and not hasattr(found, "__iter__")):
        if inspect.iscoroutine(found):
            found.close()
        cure = "def count, or async def each" if name == "count" else f"async def {name}"
        raise JobError(f"{type(job).__qualname__}.{name} must be awaited; write {cure}(self, ...)")
    return found


async def _awaited(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found


def _iterable(found: Any, job: IterableJob) -> Iterable[Any]:
    if isinstance(found, Iterable):
        return found
    raise JobError(f"{type(job).__qualname__}.items returned {brief(found, 60)}; {_YIELD_PAIRS}")


def _pair(found: Any, job: IterableJob) -> tuple[Any, Any]:
    """The cursor and the item. A text of two characters does not count. Raises JobError."""
    if isinstance(found, (tuple, list)) and len(found) == 2:
        return found[0], found[1]
    raise JobError(f"{type(job).__qualname__}.items yielded {brief(found, 60)}; {_YIELD_PAIRS}")


async def _each_of(items: Any, job: IterableJob) -> AsyncIterator[Any]:
    """The items of a plain or an asynchronous iterable."""
    if hasattr(items, "__aiter__"):
        async for pair in items:
            yield pair
    else:
        for pair in _iterable(items, job):
            yield pair
