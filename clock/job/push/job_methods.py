"""The methods of a job class that programs call. Each calls the method of that name of a `Setter`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, MutableSequence, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, ParamSpec, Protocol, TypeVar, TypeVarTuple, Unpack, cast, overload

from clock.errors import NoPerform
from clock.job.context import JobClass
from clock.job.options import CallOptions, Signature
from clock.job.payload import Payload, Time
from clock.job.push import client
from clock.job.push.setter import Setter
from clock.job.push.template import PreparedPush, Template

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Ts = TypeVarTuple("Ts")


class Takes(Protocol[*Ts]):
    """A job whose `perform` takes positional arguments of these types."""

    @property
    def perform(self) -> Callable[[*Ts], object]:
        """Do the work."""


class Performs(Protocol[P, R_co]):
    """A job with its own `perform`: how type checkers find the signature for `perform_async`."""

    @property
    def perform(self) -> Callable[P, R_co]:
        """Do the work."""


class _Jobs:
    """The attribute `jobs` of a job class."""

    def __get__(self, instance: object, owner: type[JobMethods]) -> MutableSequence[Payload]:
        return client.collector(_job(owner), "jobs").jobs(_job(owner))


class _NoPerform:
    """Replaces `perform` in a class that does not define it: base classes need none."""

    def __get__(self, instance: object, owner: type[JobMethods]) -> Any:
        raise NoPerform(owner.__name__)


class JobMethods:
    """The methods of `Job` that programs call: each is a `Setter`'s. Those that a worker calls are in `Job`."""

    perform: Any = _NoPerform()
    _prepared_push: PreparedPush | None = None
    _push_template: ClassVar[Template | None] = None
    _checked_rules: ClassVar[Any] = ()
    #: In tests, inside `clock.testing.fake()`: the payloads of this class that were pushed and have not run, live.
    jobs = _Jobs()

    @classmethod
    def perform_async(cls: type[Performs[P, object]], *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job for a worker to run as soon as it can. Returns its jid, '' if middleware stopped it.

        Arguments are JSON's own types. Those given by keyword go to their positions in `perform`, as a payload
        holds arguments by position. Raises ArgumentsError, StoreUnavailable.
        """
        return client.push_own(cls, args, kwargs)  # type: ignore[arg-type]  # a cast would cost each push a call

    @classmethod
    def signature(cls: type[Performs[P, object]], *args: P.args, **kwargs: P.kwargs) -> Signature:
        """The job with these arguments, for a later push: `A.set(then=B.signature(7))`. Raises ArgumentsError."""
        return _setter(cls).signature(*args, **kwargs)

    @classmethod
    def prepared_push(cls) -> PreparedPush | None:
        """The pushes of the job by all events of a clock; None: the class overrides `perform_async`."""
        if getattr(cls.perform_async, "__func__", None) is not JobMethods.__dict__["perform_async"].__func__:
            return None
        made = _setter(cls).prepared_push()
        if cls._prepared_push is None or not made.is_like(cls._prepared_push):
            cls._prepared_push = made  # the first one, or an option of the class has been changed
        return cls._prepared_push

    @classmethod
    def perform_in(
        cls: type[Performs[P, object]], interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """Push the job to run in `interval`, seconds or a timedelta. Returns its jid, '' if middleware stopped it.

        Raises ValueError for an invalid time, ArgumentsError, StoreUnavailable.
        """
        return _setter(cls).perform_in(interval, *args, **kwargs)

    @classmethod
    def perform_at(
        cls: type[Performs[P, object]], instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """Push the job to run at `instant` (aware, or float seconds since 1970). Returns its jid, as `perform_in`.

        Raises ValueError for an invalid time, such as a naive datetime; ArgumentsError, StoreUnavailable.
        """
        return _setter(cls).perform_at(instant, *args, **kwargs)

    @overload
    @classmethod
    def perform_bulk(
        cls: type[Takes[*Ts]],
        args: Iterable[tuple[*Ts]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
        batch_size: int | None = None,
    ) -> list[str]: ...

    @overload
    @classmethod
    def perform_bulk(
        cls,
        args: Iterable[list[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
        batch_size: int | None = None,
    ) -> list[str]: ...

    @classmethod
    def perform_bulk(
        cls,
        args: Any,
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
        batch_size: int | None = None,
    ) -> list[str]:
        """Push one job for each list of arguments, a thousand at a time; their jids in order.

        All arguments are checked before any job is pushed. With `batch_size`, only those of one batch are checked
        before its push, and `args` may be an iterable of any length. `at` is the time of the runs: one time, or
        one for each job. `spread_interval` (seconds above 0) spreads them evenly from now on, or from the `wait`
        of `.set`; it cannot be given with `at`. The jid of a job that client middleware stopped is ''. Raises
        ArgumentsError, ValueError for an invalid time, StoreUnavailable.
        """
        return _setter(cls).perform_bulk(args, at=at, spread_interval=spread_interval, batch_size=batch_size)

    @overload
    @classmethod
    def perform_inline(cls: type[Performs[P, Coroutine[Any, Any, R]]], *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    @classmethod
    def perform_inline(cls: type[Performs[P, R]], *args: P.args, **kwargs: P.kwargs) -> R: ...

    @classmethod
    def perform_inline(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the job here and now. Returns the result of `perform`.

        Its arguments pass through JSON, and middleware runs around it, as in a worker.
        None if middleware stopped or dropped it. Raises ArgumentsError, and what `perform` raises.
        """
        return _setter(cls).perform_inline(*args, **kwargs)

    perform_sync = perform_inline  # Sidekiq's other name

    @classmethod
    async def aperform_async(cls: type[Performs[P, object]], *args: P.args, **kwargs: P.kwargs) -> str:
        """`perform_async` that does not block the event loop."""
        return await _setter(cls).aperform_async(*args, **kwargs)

    @classmethod
    async def aperform_in(
        cls: type[Performs[P, object]], interval: float | timedelta, /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """`perform_in` that does not block the event loop."""
        return await _setter(cls).aperform_in(interval, *args, **kwargs)

    @classmethod
    async def aperform_at(
        cls: type[Performs[P, object]], instant: float | datetime, /, *args: P.args, **kwargs: P.kwargs
    ) -> str:
        """`perform_at` that does not block the event loop."""
        return await _setter(cls).aperform_at(instant, *args, **kwargs)

    @classmethod
    async def aperform_bulk(
        cls,
        args: Iterable[Sequence[Any]],
        *,
        at: Time | Sequence[Time] | None = None,
        spread_interval: float | timedelta | None = None,
    ) -> list[str]:
        """`perform_bulk` that does not block the event loop."""
        return await _setter(cls).aperform_bulk(args, at=at, spread_interval=spread_interval)

    @overload
    @classmethod
    async def aperform_inline(
        cls: type[Performs[P, Coroutine[Any, Any, R]]], *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    @classmethod
    async def aperform_inline(cls: type[Performs[P, R]], *args: P.args, **kwargs: P.kwargs) -> R: ...

    @classmethod
    async def aperform_inline(cls, *args: Any, **kwargs: Any) -> Any:
        """`perform_inline` within an event loop: a plain `perform` is run in a thread."""
        return await _setter(cls).aperform_inline(*args, **kwargs)

    @classmethod
    def set(cls: type[Performs[P, object]], **options: Unpack[CallOptions]) -> Setter[P]:
        """The job with other options, for pushes through the result: `SendMailJob.set(queue="low")`.

        It accepts the options of a class, and `wait` (seconds, or a timedelta) and `wait_until` (aware). Raises
        JobError for an unknown option or an invalid value.
        """
        return Setter[P].of(_job(cls), dict(options))

    @classmethod
    def drain(cls) -> int:
        """In tests, inside `clock.testing.fake()`: run this class's jobs until none is left; how many."""
        return client.collector(_job(cls), "drain()").drain(_job(cls))

    @classmethod
    def perform_one(cls) -> Any:
        """In tests, inside `clock.testing.fake()`: run the first job of this class. Returns its result."""
        return client.collector(_job(cls), "perform_one()").perform_one(_job(cls))

    @classmethod
    def clear(cls) -> None:
        """In tests, inside `clock.testing.fake()`: forget this class's jobs."""
        client.collector(_job(cls), "clear()").clear(_job(cls))


def _job(cls: object) -> JobClass:
    """The class, for a type checker that knows it only by its `perform`."""
    return cast("JobClass", cls)


def _setter(cls: type[Performs[P, object]]) -> Setter[P]:
    """The setter that pushes jobs of the class with its own options."""
    return Setter(cast("JobClass", cls))
