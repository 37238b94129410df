"""Names of actions and arguments. They identify events without a given name, so all processes make the same."""

from __future__ import annotations

import ast
import hashlib
import linecache
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from itertools import chain, count
from types import CodeType, FunctionType, MethodType
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)
LONGEST = 120  # characters of a generated name; a longer name is cut and gets a digest


def name_of(function: object) -> str:
    """The name of a callable in events and logs: a lambda's source, `print('x', end='')` for a partial."""
    if isinstance(function, partial):
        return called(name_of(function.func), function.args, function.keywords)
    if isinstance(function, MethodType):
        owner = function.__self__ if isinstance(function.__self__, type) else type(function.__self__)
        name = getattr(function.__self__, "wire_name", None)  # of a job: its class is the same for all functions
        return f"{name if isinstance(name, str) else owner.__name__}.{function.__name__}"
    if isinstance(function, FunctionType) and function.__name__ == "<lambda>":
        return _lambda_text(function.__code__) or function.__name__
    return str(getattr(function, "__name__", None) or type(function).__name__)


def called(name: str, args: Iterable[object], kwargs: Mapping[str, object]) -> str:
    """`name(1, key='x')`; only the name without arguments."""
    words = [*map(shown, args), *(f"{key}={shown(value)}" for key, value in kwargs.items())]
    return f"{name}({', '.join(words)})" if words else name


def shown(value: Any) -> str:
    """`repr` without what differs between processes: no addresses, sets in order, functions by their names."""
    if isinstance(value, (set, frozenset)) and value:
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(shown, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")"
    if type(value) is dict:
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items()) + "}"
    if callable(value):
        return name_of(value)
    return _ADDRESS.sub("", repr(value))


def shortened(name: str) -> str:
    """The name, cut to `LONGEST` characters if necessary, and still unique."""
    if len(name) <= LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{name[: LONGEST - 10]}… {digest}"


def numbered(name: str, taken: Mapping[str, object]) -> str:
    """`name`, or `name` with the first free number from 2 if it is taken."""
    numbers = (f"{name} ({number})" for number in count(2))
    return next(found for found in chain([name], numbers) if found not in taken)


def _lambda_text(code: CodeType) -> str | None:
    """The source of a lambda; None if it is unknown, as in an interactive session."""
    linecache.checkcache(code.co_filename)  # the file may have changed since it was loaded
    text = "".join(linecache.getlines(code.co_filename))
    lambdas = [node for node in _lambdas(text) if node.lineno == code.co_firstlineno]
    bodies = {(line, column) for line, _, column, _ in code.co_positions() if line is not None}
    exact = [node for node in lambdas if (node.body.lineno, node.body.col_offset) in bodies]
    found = exact if len(lambdas) > 1 else lambdas
    return next(map(ast.unparse, found), None)


@lru_cache(maxsize=8)  # a file may have hundreds of lambdas
def _lambdas(text: str) -> list[ast.Lambda]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
