"""`@job`: makes a function a job."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from clock.errors import JobError
from clock.job.context import JobClass
from clock.job.job import Job
from clock.job.options import JobOptions, checked
from clock.job.push.setter import Setter
from clock.printable import brief

P = ParamSpec("P")
R = TypeVar("R")


class FunctionJob(Setter[P], Generic[P, R]):
    """A function that `@job` has made a job. It has the methods of a job class; a call runs the function itself.

    `job` is its job class, for `retry_in` hooks, `clock.testing` and the registry.
    """

    def __init__(self, function: Callable[..., R], job: JobClass) -> None:
        super().__init__(job)
        self._function = function
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, as if it had no decorator."""
        return self._function(*args, **kwargs)

    if not TYPE_CHECKING:  # pragma: no branch  # a type checker would accept every attribute

        def __getattr__(self, name: str) -> object:
            """Raise AttributeError with the method that pushes: other libraries have other names for it."""
            if name.startswith("_") or name == "job":  # a copy that is not complete yet has no name to show
                raise AttributeError(name)
            raise AttributeError(f"the job {self} has no {name!r}; {self}.perform_async(...) pushes it")

    def __str__(self) -> str:
        return self.job.wire_name

    __repr__ = __str__
    __eq__ = object.__eq__
    __hash__ = object.__hash__


@overload
def job(function: Callable[P, R], /) -> FunctionJob[P, R]: ...


@overload
def job(
    *,
    bind: Literal[True],
    wire_name: str | None = None,
    base: type[Job] = Job,
    **options: Unpack[JobOptions],
) -> Callable[[Callable[Concatenate[Any, P], R]], FunctionJob[P, R]]: ...


@overload
def job(
    *,
    bind: Literal[False] = False,
    wire_name: str | None = None,
    base: type[Job] = Job,
    **options: Unpack[JobOptions],
) -> Callable[[Callable[P, R]], FunctionJob[P, R]]: ...


def job(
    function: Any = None,
    /,
    *,
    bind: bool = False,
    wire_name: str | None = None,
    base: type[Job] = Job,
    **options: Any,
) -> Any:
    """Make a function a job: `@job` or `@job(queue="mail")` with the options of a job class.

    Payloads name it by `wire_name`, else by the function's name. With `bind=True` the function receives the
    running job as its first argument, for `attempt`, `logger` and so on. `base` is the job class whose options and
    hooks it inherits. Raises JobError, DuplicateJobClass.

    >>> @job(queue="mail")
    ... def send_receipt(order_id: int) -> str:
    ...     return f"sent {order_id}"
    >>> send_receipt(7), send_receipt.perform_inline(7)
    ('sent 7', 'sent 7')
    """
    make = partial(made, FunctionJob, bind=bind, wire_name=wire_name, base=base, options=options)
    return make if function is None else make(function)


J = TypeVar("J", bound="FunctionJob[..., Any]")


def made(
    kind: type[J], function: Any, *, bind: bool, wire_name: str | None, base: type[Job], options: dict[str, Any]
) -> J:
    """The job of a function. Raises JobError, DuplicateJobClass."""
    if not inspect.isroutine(function):
        raise JobError(f"@job got {brief(function)}; it must be a function: write @job(queue=...) above a def")
    if function.__name__ == "<lambda>" and not wire_name:
        raise JobError("@job got a lambda, which has no name for payloads; write a def, or give wire_name")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise JobError(
            f"@job: {function.__qualname__} is a generator, so calling it runs nothing; remove the yield"
        )
    if not (isinstance(base, type) and issubclass(base, Job)):
        raise JobError(f"@job: base is {brief(base)}; it must be a job class")
    checked(f"@job of {function.__qualname__}", options)
    name = wire_name or function.__name__
    members = {
        **options,
        "perform": function if bind else _method(function),
        "wire_name": name,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
    }
    return kind(function, cast("JobClass", type(name, (base,), members)))


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a method: with `self`, which it does not get."""

    async def awaited(self: object, *args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    def called(self: object, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    own = inspect.signature(function)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    perform: Any = update_wrapper(awaited if inspect.iscoroutinefunction(function) else called, function)
    perform.__signature__ = own.replace(parameters=[itself, *own.parameters.values()])  # inspect reads it
    return cast("Callable[..., Any]", perform)
