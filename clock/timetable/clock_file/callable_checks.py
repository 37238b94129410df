"""The functions that a clock file hands over are checked when it is loaded: a wrong one would fail at 06:00.

They must accept the arguments of their call, and the call must do the work: the coroutine of an `async def` would
never be awaited. For a decorated function, only the parameters of the decorator count. Errors start with `where`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from clock.errors import DeclarationError
from clock.timetable.naming import called, name_of


def check_called(where: str, what: str, function: Any, *names: str) -> None:
    """Check a function that takes one argument for each name; `what` is its purpose. Raises DeclarationError."""
    if isinstance(function, type) and hasattr(function, "perform_async"):
        raise DeclarationError(
            f"{where}{what} got {name_of(function)}, a job class; it must be a function, which may push the job"
        )
    check_call(where, what, function, names, {}, ", ".join(names))


def check_source(where: str, function: Any) -> None:
    """Check the function of `sync_events` that returns the rows, or yields them. Raises DeclarationError."""
    if not inspect.isgeneratorfunction(function):
        check_called(where, "sync_events", function)


_NOT_PLAIN: Mapping[str, Callable[[object], bool]] = {
    "an async function": inspect.iscoroutinefunction,
    "an async generator": inspect.isasyncgenfunction,
    "a generator": inspect.isgeneratorfunction,
}
_NOT_PLAIN_FLAGS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_GENERATOR


def check_call(
    where: str, what: str, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], words: str | None = None
) -> None:
    """Check a function that takes these arguments; `words` are theirs in the error. Raises DeclarationError."""
    if not kwargs and _surely_takes(function, len(args)):
        return
    if isinstance(function, type) and hasattr(function, "perform"):
        name = name_of(function)
        raise DeclarationError(
            f"{where}{what} got {name}, which has perform but is not a job; write class {name}(Job)"
        )
    for kind, is_one in _NOT_PLAIN.items():
        if is_one(function) or is_one(type(function).__call__):
            raise DeclarationError(
                f"{where}{what} got {name_of(function)}, {kind}, which does nothing when called; "
                "it must be a plain function, or a job"
            )
    try:
        takes = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    try:
        takes.bind(*args, **kwargs)
    except TypeError as error:
        bare = takes.replace(return_annotation=inspect.Signature.empty)
        given = called("", args, kwargs)[1:-1] if words is None else words
        raise DeclarationError(
            f"{where}{what} got {name_of(function)}, which takes {bare} and is called with ({given}): {error}"
        ) from None


def _surely_takes(function: Any, count: int) -> bool:
    """Whether it is a plain function that takes so many arguments: signatures are slow, declarations many."""
    if not isinstance(function, FunctionType) or function.__code__.co_kwonlyargcount:
        return False
    code = function.__code__
    most, needed = code.co_argcount, code.co_argcount - len(function.__defaults__ or ())
    takes = needed <= count and (count <= most or bool(code.co_flags & inspect.CO_VARARGS))
    return takes and not code.co_flags & _NOT_PLAIN_FLAGS
