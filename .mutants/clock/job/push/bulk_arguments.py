"""Many lists of arguments at once, checked and encoded by a few calls into C.

One by one, checks and JSON cost several times what Redis needs to take the jobs. Here they cost less.
"""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from clock.errors import ArgumentsError
from clock.job.payload import encode_checked
from clock.job.push.arguments import MOST_BITS, PLAIN, arity, check_arity, check_json

_LEVELS = 30  # of nesting that are looked at quickly; what is deeper is checked one by one
_KNOWN = PLAIN | {list, dict}
_LISTS = {list, tuple}
_TOO_LONG = 2**MOST_BITS
_MARK = secrets.token_hex(16)  # the separator of the lists while they are encoded as one


def check_all(job: str, perform: Callable[..., object], batches: Sequence[Sequence[object]]) -> None:
    """Check each list of arguments, all before any is pushed.

    Raises ArgumentsError, which names job, place among the lists, position, value, and what to do.
    """
    if not set(map(type, batches)) <= _LISTS:
        stray = next(args for args in batches if type(args) not in _LISTS)
        raise ArgumentsError(
            f"{job}.perform_bulk takes a list with a list of arguments for each job, "
            f"but it holds {stray!r:.60}; write [[1], [2]] for two jobs of one argument"
        )
    if _all_fine(perform, batches):
        return
    for number, args in enumerate(batches, 1):
        check_arity(job, perform, args, f"job {number}, ")
        check_json(job, args, f"job {number}, ")


def encode_all(
    fields: Mapping[str, object], batches: Sequence[Sequence[object]], jids: Sequence[str]
) -> list[str]:
    """A payload for each list of arguments, with these `fields` and a jid.

    >>> encode_all({"class": "A"}, [[1], ["x"]], ["j1", "j2"])
    ['{"class":"A","args":[1],"jid":"j1"}', '{"class":"A","args":["x"],"jid":"j2"}']
    """
    head = encode_checked(fields)[:-1] + ',"args":'
    return [f'{head}{args},"jid":"{jid}"}}' for args, jid in zip(_encoded(batches), jids, strict=True)]


def new_jids(count: int) -> list[str]:
    """So many job ids: 24 hex digits each."""
    digits = os.urandom(12 * count).hex()
    return [digits[start : start + 24] for start in range(0, 24 * count, 24)]


def _encoded(batches: Sequence[Sequence[object]]) -> list[str]:
    marked: list[object] = [_MARK] * (2 * len(batches) - 1)
    marked[::2] = batches
    found = encode_checked(marked)[1:-1].split(f',"{_MARK}",')
    return found if len(found) == len(batches) else [encode_checked(args) for args in batches]


def _all_fine(perform: Callable[..., object], batches: Sequence[Sequence[object]]) -> bool:
    """Whether all may be pushed; False: some may not, or it is not known."""
    lengths = set(map(len, batches))
    low, high = arity(perform)
    if not all(low <= length <= high for length in lengths):
        return False
    level: list[object] = list(chain.from_iterable(batches))
    for _ in range(_LEVELS):
        kinds = set(map(type, level))
        if not (kinds <= _KNOWN and _plain_are_fine(kinds, level)):
            return False
        lists = [value for value in level if type(value) is list] if list in kinds else []
        dicts = [value for value in level if type(value) is dict] if dict in kinds else []
        keys = set(chain.from_iterable(dicts))
        if not (set(map(type, keys)) <= {str} and _is_text(keys)):
            return False
        level = [*chain.from_iterable(lists), *chain.from_iterable(map(dict.values, dicts))]
        if not level:
            return True
    return False


def _plain_are_fine(kinds: set[type], level: list[object]) -> bool:
    if float in kinds and not all(map(math.isfinite, [value for value in level if type(value) is float])):
        return False
    if int in kinds:
        ints: list[Any] = level if len(kinds) == 1 else [value for value in level if type(value) is int]
        if max(ints) >= _TOO_LONG or min(ints) <= -_TOO_LONG:
            return False
    return str not in kinds or _is_text([value for value in level if type(value) is str])


def _is_text(words: Iterable[str]) -> bool:
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        return False
    return True
