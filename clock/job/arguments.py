"""Arguments are checked where the job is pushed, so that a mistake shows at its caller and not in a worker."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import cache

from clock.errors import ArgumentsError

_ALLOWED = "None, True, False, int, float, str, and lists and dicts (with str keys) of these"
_HINTS = {
    "datetime": "pass value.isoformat()",
    "date": "pass value.isoformat()",
    "Decimal": "pass str(value)",
    "UUID": "pass str(value)",
    "tuple": "pass a list",
    "set": "pass a sorted list",
    "bytes": "pass text, base64 for instance",
}


def check_json(job: str, args: Sequence[object]) -> None:
    """Check that each argument is of JSON's own types, all the way down. Raises ArgumentsError.

    >>> check_json("SendMailJob", [1, {"kind": "weekly"}])
    >>> check_json("SendMailJob", [1, (2, 3)])
    Traceback (most recent call last):
    clock.errors.ArgumentsError: SendMailJob: argument 2 is a tuple, (2, 3), which JSON does not have; pass a list
    """
    for position, value in enumerate(args, 1):
        _check_value(job, f"argument {position}", value)


def _check_value(job: str, where: str, value: object) -> None:
    kind = type(value)
    if value is None or kind in (bool, int):
        return
    if kind is str:
        _check_text(job, where, str(value))
    elif isinstance(value, float) and kind is float:
        if not math.isfinite(value):
            raise ArgumentsError(f"{job}: {where} is {value}, which JSON does not have; pass None or a str")
    elif isinstance(value, list) and kind is list:
        for index, item in enumerate(value):
            _check_value(job, f"{where}[{index}]", item)
    elif isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ArgumentsError(f"{job}: {where} has the key {key!r}; a dict's keys must be str here")
            _check_value(job, f"{where}[{key!r}]", item)
    else:
        name = kind.__name__
        hint = _HINTS.get(name, f"pass an id and look it up in perform; allowed are {_ALLOWED}")
        raise ArgumentsError(f"{job}: {where} is a {name}, {value!r:.60}, which JSON does not have; {hint}")


def _check_text(job: str, where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentsError(f"{job}: {where} is {text!r:.60}, a str that UTF-8 cannot hold") from None


_signature = cache(inspect.signature)


def check_arity(job: str, perform: Callable[..., object], args: Sequence[object]) -> None:
    """Check that `perform`, a plain function, takes `self` and `args`. Raises ArgumentsError."""
    signature = _signature(perform)
    try:
        signature.bind(None, *args)
    except TypeError as error:
        parameters = list(signature.parameters.values())[1:]
        takes = str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
        raise ArgumentsError(f"{job}: perform{takes} cannot take {len(args)} arguments: {error}") from None
