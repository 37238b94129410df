"""A job class with options of one call set over its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, ParamSpec

from clock.errors import ArgumentsError, JobError
from clock.job.delays import Time, due_of_each
from clock.job.options import Order, checked
from clock.job.push import client, inline
from clock.job.push.prepared_push import RepeatedPush
from clock.job.types import JobClass

P = ParamSpec("P")

_NOT_IN_PAYLOADS = ("wait", "wait_until", "enqueue_after_commit")


def _at_once(push: Callable[[], object]) -> object:
    """What `enqueue_after_commit=None` means where the class has one: no commit is waited for."""
    return push()


class Setter(Order, Generic[P]):
    """What `SomeJob.set(...)` returns: it pushes that job, with these options in the payload.

    Its methods are those of the job class, and raise the same errors.
    """

    __slots__ = ()

    @classmethod
    def of(cls, job: JobClass, options: dict[str, Any]) -> Setter[P]:
        """The setter of a job class and options, which are checked. Raises JobError."""
        where = f"{job.wire_name}.set"
        checked(where, options, with_call=True)
        if "wait" in options and "wait_until" in options:
            raise JobError(f"{where}: give either wait or wait_until, not both")
        return cls(
            job,
            {name: value for name, value in options.items() if name not in _NOT_IN_PAYLOADS},
            options.get("wait", options.get("wait_until")),
            (options["enqueue_after_commit"] or _at_once) if "enqueue_after_commit" in options else None,
        )

    def __str__(self) -> str:
        named = dict(sorted(self.options.items()))
        if self.when is not None:
            named["wait_until" if isinstance(self.when, datetime) else "wait"] = self.when
        return f"{self.job.wire_name}.set({', '.join(f'{name}={value!r}' for name, value in named.items())})"

    @property
    def wire_name(self) -> str:
        """The job's name in payloads."""
        return self.job.wire_name

    def check_arguments(self, *args: Any) -> None:
        """Check that `perform` takes these arguments and that JSON can hold them. Raises ArgumentsError."""
        self.job.check_arguments(*args)

    def perform_async(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job for a worker to run as soon as it can, or after `wait`; its jid."""
        return client.push(self, args, kwargs)

    def repeated(self, *args: Any) -> Callable[[], object]:
        """What pushes the job with these arguments whenever it is called: for a clock's event."""
        return RepeatedPush(self, args, self.perform_async)

    def perform_in(self, interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job to be run in `interval` (seconds, or a timedelta); its jid."""
        return client.push(self, args, kwargs, client.due(self.wire_name, interval))

    def perform_at(self, instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job to be run at `instant` (aware, or float seconds since 1970); its jid."""
        return client.push(self, args, kwargs, client.due(self.wire_name, instant))

    def perform_bulk(
        self,
        args: Iterable[Sequence[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
    ) -> list[str]:
        """Push one job for each list of arguments, a thousand at a time; their jids in order."""
        lists = self._listed(args)
        return client.push_all(self, lists, self._due(len(lists), at, spread_interval))

    def perform_inline(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Run the job here and now, whatever `wait` says; what its `perform` returns."""
        return inline.perform_inline(self, args, kwargs)

    async def aperform_async(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_async` that does not block the event loop."""
        return await client.apush(self, args, kwargs)

    async def aperform_in(self, interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_in` that does not block the event loop."""
        return await client.apush(self, args, kwargs, client.due(self.wire_name, interval))

    async def aperform_at(self, instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_at` that does not block the event loop."""
        return await client.apush(self, args, kwargs, client.due(self.wire_name, instant))

    async def aperform_bulk(
        self,
        args: Iterable[Sequence[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
    ) -> list[str]:
        """`perform_bulk` that does not block the event loop."""
        lists = self._listed(args)
        return await client.apush_all(self, lists, self._due(len(lists), at, spread_interval))

    async def aperform_inline(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """`perform_inline` within an event loop: a plain `perform` is run in a thread."""
        return await inline.aperform_inline(self, args, kwargs)

    def _listed(self, args: Iterable[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        try:
            return args if isinstance(args, (list, tuple)) else list(args)
        except TypeError:
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk takes a list of lists of arguments, not {args!r:.60}; write "
                "[[1], [2]] for two jobs of one argument"
            ) from None

    def _due(
        self, count: int, at: Time | Sequence[Time] | None, spread_interval: float | timedelta | None
    ) -> list[float] | None:
        if at is not None and spread_interval is not None:
            raise ArgumentsError(
                f"{self.wire_name}.perform_bulk got at= and spread_interval=; pass one of them. To spread jobs "
                "from a later time on: .set(wait=3600).perform_bulk(..., spread_interval=600)"
            )
        return due_of_each(count, self.when if at is None else at, spread_interval, client.now())
