"""Wrong arguments of `Limit`, `Rate`, `Unique` and `Batch` raise JobError with a hint, not Python's TypeError."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from clock.errors import JobError
from clock.printable import brief, closest

C = TypeVar("C")


def checked_call(cls: type[C]) -> type[C]:
    """The decorator of these classes."""
    init, signature = cls.__init__, inspect.signature(cls)

    @wraps(init)
    def checked(self: C, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except TypeError:
            if fault := _fault(signature, args, kwargs):
                raise JobError(f"{type(self).__name__}: {fault}") from None
            raise

    vars(checked)["__signature__"] = inspect.signature(init)
    cls.__init__ = checked  # type: ignore[assignment]  # it accepts the same arguments
    return cls


def _fault(signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """The mistake in the arguments; empty: no mistake."""
    takes = f"it takes {', '.join(signature.parameters)}"
    for name in kwargs:
        if name not in signature.parameters:
            return f"unknown argument {name!r}; {closest(name, signature.parameters, takes)}"
    positional = [one.name for one in signature.parameters.values() if one.kind is not one.KEYWORD_ONLY]
    if len(args) > len(positional):
        only = "" if positional else ", by name"
        return f"argument {len(positional) + 1}, {brief(args[len(positional)])}, is one too many; {takes}{only}"
    for name in positional[: len(args)]:
        if name in kwargs:
            return f"{name} is given twice"
    for one in signature.parameters.values():
        if one.default is one.empty and one.name not in {*positional[: len(args)], *kwargs}:
            return f"{one.name} is missing; {takes}"
    return ""
