"""Many lists of arguments at once, checked and encoded by a few calls into C.

One by one, checks and JSON cost several times what Redis needs to take the jobs. Here they cost less.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import Any, cast

from clock.errors import ArgumentsError
from clock.job.payload import encode_checked, encode_each
from clock.job.push.arguments import MOST_BITS, arity, check_arity, check_json
from clock.printable import brief

#: Columns that the quick check may look at. Inner columns share the room of their outer one, so a value that is
#: nested too deeply, or holds itself, soon uses it up. Such arguments are checked one by one.
_ROOM = 100_000
_MOST_VALUES = 1_000_000  # in a column
_AT_ONCE = 1_000  # lists that are checked together: they stay in the processor's cache
_LISTS = {list, tuple}
_TOO_LONG = 2**MOST_BITS


def check_all(job: str, perform: Callable[..., object], batches: Sequence[Sequence[object]]) -> None:
    """Check each list of arguments, all before any is pushed. Raises ArgumentsError, which names the mistake."""
    if not set(map(type, batches)) <= _LISTS:
        stray = next(args for args in batches if type(args) not in _LISTS)
        raise ArgumentsError(
            f"{job}.perform_bulk takes a list with a list of arguments for each job, "
            f"but it holds {brief(stray)}; write [[1], [2]] for two jobs of one argument"
        )
    low, high = arity(perform)
    if all(low <= length <= high for length in set(map(len, batches))) and all(
        _lists_are_fine(batches[start : start + _AT_ONCE], _ROOM) for start in range(0, len(batches), _AT_ONCE)
    ):
        return
    for number, args in enumerate(batches, 1):
        check_arity(job, perform, args, f"job {number}, ")
        check_json(job, args, f"job {number}, ")


def encode_all(
    fields: Mapping[str, object], batches: Sequence[Sequence[object]], jids: Sequence[str]
) -> list[str]:
    """A payload for each list of arguments, with these `fields` and a jid."""
    head = encode_checked(fields)[:-1] + ',"args":'
    return [f'{head}{args},"jid":"{jid}"}}' for args, jid in zip(encode_each(batches), jids, strict=True)]


def new_jids(count: int) -> list[str]:
    """So many job ids: 24 hex digits each."""
    return os.urandom(12 * count).hex(" ", -12).split()


def _lists_are_fine(lists: Sequence[Sequence[object]], room: int) -> bool:
    """Whether JSON can hold all values of these lists. Lists of one length are checked by columns."""
    width = len(lists[0])
    if width < min(len(lists), room):
        with suppress(ValueError):  # they have different lengths
            return all(_column_is_fine(column, room // (width + 1)) for column in [*zip(*lists, strict=True)])
    return sum(map(len, lists)) <= _MOST_VALUES and _column_is_fine([*chain.from_iterable(lists)], room // 2)


def _dicts_are_fine(dicts: Sequence[Mapping[Any, object]], room: int) -> bool:
    """Whether JSON can hold all keys and values of these dicts. Dicts of the same keys are checked by columns."""
    width = len(dicts[0])
    if width < min(len(dicts), room) and set(map(len, dicts)) == {width} and _are_keys(dicts[0]):
        with suppress(KeyError):  # they have different keys
            columns = [[*map(itemgetter(key), dicts)] for key in dicts[0]]
            return all(_column_is_fine(column, room // (width + 1)) for column in columns)
    return _are_keys(set(chain.from_iterable(dicts))) and _lists_are_fine([[*one.values()] for one in dicts], room)


def _are_keys(keys: Collection[object]) -> bool:
    return set(map(type, keys)) <= {str} and _is_text(cast("Collection[str]", keys))


def _column_is_fine(column: Sequence[Any], room: int) -> bool:
    """Whether JSON can hold all of these values. Most columns have values of one type."""
    kinds = set(map(type, column))
    if len(kinds) > 1:
        return all(_column_is_fine([one for one in column if type(one) is kind], room) for kind in kinds)
    return room > 0 and all(kind in _CHECKS and _CHECKS[kind](column, room) for kind in kinds)


def _is_text(words: Iterable[str], _room: int = 0) -> bool:
    try:
        "".join(words).encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_short(numbers: Sequence[int], _room: int) -> bool:
    try:
        struct.pack(f"{len(numbers)}q", *numbers)  # three times as fast as `min` and `max`
    except struct.error:  # of more than 64 bits
        return bool(max(numbers) < _TOO_LONG and min(numbers) > -_TOO_LONG)
    return True


#: The check of a column of values of one type. JSON supports no other type.
_CHECKS: Mapping[type, Callable[[Sequence[Any], int], bool]] = {
    type(None): lambda column, room: True,
    bool: lambda column, room: True,
    int: _are_short,
    float: lambda column, room: all(map(math.isfinite, column)),
    str: _is_text,
    list: _lists_are_fine,
    dict: _dicts_are_fine,
}
