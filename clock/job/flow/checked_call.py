"""Wrong arguments of `Limit`, `Rate`, `Unique` and `Batch` raise JobError with a hint, not Python's TypeError."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clock.errors import JobError
from clock.printable import closest


class CheckedCall(type):
    """The metaclass of these classes."""

    if not TYPE_CHECKING:  # a type checker would accept every argument

        @property
        def __signature__(cls) -> inspect.Signature:
            own = inspect.signature(cls.__init__)
            return own.replace(parameters=[*own.parameters.values()][1:])

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            """Make an object. Raises JobError for arguments that `__init__` does not accept."""
            try:
                return super().__call__(*args, **kwargs)
            except TypeError:
                if fault := _fault(cls.__signature__, args, kwargs):
                    raise JobError(f"{cls.__name__}: {fault}") from None
                raise


def _fault(signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """The mistake in the arguments; empty: no mistake."""
    takes = f"it takes {', '.join(signature.parameters)}"
    for name in kwargs:
        if name not in signature.parameters:
            return f"unknown argument {name!r}; {closest(name, signature.parameters, takes)}"
    positional = [one.name for one in signature.parameters.values() if one.kind is not one.KEYWORD_ONLY]
    if len(args) > len(positional):
        only = "" if positional else ", by name"
        return f"argument {len(positional) + 1}, {args[len(positional)]!r:.60}, is one too many; {takes}{only}"
    for name in positional[: len(args)]:
        if name in kwargs:
            return f"{name} is given twice"
    for one in signature.parameters.values():
        if one.default is one.empty and one.name not in {*positional[: len(args)], *kwargs}:
            return f"{one.name} is missing; {takes}"
    return ""
