"""Arguments are checked at the push, so the caller gets the error and not a worker."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache

from clock.errors import ArgumentsError
from clock.printable import brief, counted

PLAIN = frozenset({type(None), bool, int, float, str})
_SURELY_JSON = PLAIN - {float}  # there are floats that JSON does not have
MOST_DIGITS = 4300  # of an int: Python's own limit for reading one from text, and so a worker's
#: Lists and dicts within each other in an argument: Ruby's JSON reads 100 levels of a payload. Python's own limit
#: depends on the caller, so a worker could not read what a program had pushed.
DEEPEST = 98
MOST_BITS = math.floor(MOST_DIGITS * math.log2(10))

_ALLOWED = "None, True, False, int, float, str, and lists and dicts (with str keys) of these"
#: The name of a type, or of a type that it inherits from -> what to pass instead
_HINTS = {
    "_Placeholder": "pass DUE_AT as a whole argument",
    "Enum": "pass value.value",
    "datetime": "pass value.isoformat()",
    "date": "pass value.isoformat()",
    "time": "pass value.isoformat()",
    "timedelta": "pass value.total_seconds()",
    "Decimal": "pass str(value)",
    "UUID": "pass str(value)",
    "PurePath": "pass str(value)",
    "__proxy__": "pass str(value)",  # a lazy text of Django
    "bytes": "pass text, base64 for instance",
    "bytearray": "pass text, base64 for instance",
    "tuple": "pass a list",
    "set": "pass a sorted list",
    "frozenset": "pass a sorted list",
    "BaseModel": "pass value.model_dump(mode='json')",  # of pydantic
    "Struct": "pass msgspec.to_builtins(value)",
    "generic": "pass value.item()",  # a number of NumPy
    "ndarray": "pass value.tolist()",
    "QuerySet": "pass a list of ids",
} | dict.fromkeys(("range", "generator", "map", "filter", "dict_keys", "dict_values"), "pass list(value)")


def checked_arguments(
    job: str, perform: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> Sequence[object]:
    """The arguments of one push by position, which `perform` takes and JSON can hold. Raises ArgumentsError."""
    if kwargs:
        args = _by_position(job, perform, args, kwargs)
    low, high = arity(perform)
    if not low <= len(args) <= high:
        check_arity(job, perform, args)
    for value in args:
        if type(value) not in _SURELY_JSON and not _is_surely_json(value, DEEPEST):
            check_json(job, args)
    return args


def _is_surely_json(value: object, levels: int) -> bool:
    """Whether an argument consists of JSON's own types and has at most so many levels.

    False: `check_json` must look for the mistake and name it. The encoder refuses the other mistakes: text that is
    not valid UTF-8, and ints with too many digits.
    """
    inner: Iterable[object]
    if isinstance(value, dict) and type(value) is dict:
        for key in value:
            if type(key) is not str:
                return False
        inner = value.values()
    elif isinstance(value, list) and type(value) is list:
        inner = value
    else:
        return isinstance(value, float) and type(value) is float and math.isfinite(value)
    if levels == 0:
        return False
    for one in inner:  # noqa: SIM110  # all() would cost each push more
        if type(one) not in _SURELY_JSON and not _is_surely_json(one, levels - 1):
            return False
    return True


def check_arity(job: str, perform: Callable[..., object], args: Sequence[object], where: str = "") -> None:
    """Check that `perform`, a plain function, takes `self` and `args`. Raises ArgumentsError."""
    low, high = arity(perform)
    if low <= len(args) <= high:
        return
    signature = inspect.signature(perform)
    own = list(signature.parameters.values())[1:]
    takes = str(signature.replace(parameters=own, return_annotation=inspect.Signature.empty))
    count = len(args)
    if count < low:
        wrong = f"argument {count + 1}, {own[count].name}, is missing; pass it"
    else:
        surplus = f"argument {int(high) + 1}, {brief(args[int(high)])}, is one too many"
        wrong = f"{surplus}; remove it, or add a parameter to perform"
    raise ArgumentsError(f"{job}: {where}perform{takes} cannot take {counted(count, 'argument')}: {wrong}")


@cache
def arity(perform: Callable[..., object]) -> tuple[int, float]:
    """The least and the most number of arguments that `perform` takes, without `self`."""
    low, high = accepted(perform)
    return max(0, low - 1), high if math.isinf(high) else max(0, high - 1)


def accepted(function: Callable[..., object]) -> tuple[int, float]:
    """The least and the most number of arguments that a function accepts by position."""
    parameters = list(inspect.signature(function).parameters.values())
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    takes_any = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    needed = sum(one.default is one.empty for one in positional)
    return needed, math.inf if takes_any else len(positional)


def check_json(job: str, args: Sequence[object], where: str = "") -> None:
    """Check that each argument is of JSON's own types, all the way down. Raises ArgumentsError."""
    for position, value in enumerate(args, 1):
        check_value(job, f"{where}argument {position}", value)


def check_value(job: str, what: str, value: object) -> None:
    """Check that a value, called `what` in the error, is of JSON's own types. Raises ArgumentsError."""
    try:
        _check_value(job, what, value)
    except RecursionError:
        raise ArgumentsError(
            f"{job}: {what} is nested too deeply, or holds itself; pass a flat value, or at most {DEEPEST} levels"
        ) from None


def _check_value(job: str, where: str, value: object, level: int = 0) -> None:
    kind = type(value)
    if kind in PLAIN:
        _check_plain(job, where, value)
    elif level == DEEPEST and kind in (list, dict):
        raise RecursionError
    elif isinstance(value, list) and kind is list:
        for index, item in enumerate(value):
            _check_value(job, f"{where}[{index}]", item, level + 1)
    elif isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ArgumentsError(
                    f"{job}: {where} has the key {brief(key)}; a dict's keys must be str here; pass str(key)"
                )
            _check_plain(job, f"{where}'s key", key)
            _check_value(job, f"{where}[{key!r}]", item, level + 1)
    else:
        name = f"an {kind.__name__}" if kind.__name__[:1] in "AEIOaeio" else f"a {kind.__name__}"
        raise ArgumentsError(
            f"{job}: {where} is {name}{_shown(value)}, which JSON does not support; {_hint(value)}"
        )


def _shown(value: object) -> str:
    try:
        return f", {value!r:.60}"
    except Exception:  # noqa: BLE001  # of the user's class; a queryset cannot be shown in an event loop
        return ""


def _check_plain(job: str, where: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ArgumentsError(f"{job}: {where} is {value}, which JSON does not support; pass None or a str")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ArgumentsError(
            f"{job}: {where} is an int of more than {MOST_DIGITS} digits, which is too long; pass hex(value)"
        )
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ArgumentsError(
                f"{job}: {where} is {brief(value)}, a str that is not valid UTF-8; "
                "pass value.encode(errors='replace').decode()"
            ) from None


def _hint(value: object) -> str:
    """The value to pass instead of a value that JSON does not have."""
    names = [kind.__name__ for kind in type(value).__mro__]
    for name in [names[0], "Enum"] if "Enum" in names else names:
        if name in _HINTS:
            return _HINTS[name]
    if is_dataclass(value) and not isinstance(value, type):
        return "pass dataclasses.asdict(value)"
    for base in (str, int, float, list, dict):
        if isinstance(value, base):
            return f"pass {base.__name__}(value)"
    return f"pass an id and look it up in perform; allowed are {_ALLOWED}"


def _by_position(
    job: str, perform: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> list[object]:
    """The arguments as a payload holds them: by position, with the defaults of those left out in between."""
    signature = inspect.signature(perform)
    own = list(signature.parameters.values())[1:]
    places = {one.name: place for place, one in enumerate(own) if one.kind is one.POSITIONAL_OR_KEYWORD}
    found = list(args)
    for name in sorted(kwargs, key=lambda name: places.get(name, -1)):
        given = f"{job}: {name}={brief(kwargs[name])} was given by keyword, but"
        if name not in places:
            takes = ", ".join(places) or "none"
            raise ArgumentsError(f"{given} a payload holds arguments by position; perform takes: {takes}")
        if places[name] < len(args):
            raise ArgumentsError(f"{given} argument {places[name] + 1} is that one: {brief(args[places[name]])}")
        for between in own[len(found) : places[name]]:
            if between.default is between.empty:
                raise ArgumentsError(f"{given} {between.name}, which comes before it, is missing; pass it, too")
            found.append(between.default)
        found.append(kwargs[name])
    return found
