"""Lua scripts, loaded by name from the folders of `store/lua/`. Each file starts with its contract.

Functions that several scripts share are in the folders of `store/lua/parts/`, one in each file, named as the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, cast

from redis import Redis
from redis.commands.core import Script

from clock.store.server.connection import translated


@cache
def source(name: str) -> str:
    """The text of the script `name`, after the texts of the parts that it calls."""
    text = scripts()[name]
    parts = dict.fromkeys(one for part in _called_in(text) for one in _with_called(part))
    return "".join([_parts()[part] for part in parts]) + text


@cache
def _with_called(part: str) -> tuple[str, ...]:
    """The names of the parts that a part calls, in an order in which each comes after those that it calls."""
    others = [one for called in _called_in(_parts()[part]) if called != part for one in _with_called(called)]
    return (*dict.fromkeys(others), part)


def _called_in(text: str) -> list[str]:
    return [part for part in _parts() if f"{part}(" in text or f"pcall({part}," in text]


@cache
def scripts() -> dict[str, str]:
    """The text of each script, by its name. All are read at once: an upgrade may replace the files any time."""
    return dict(_texts(files("clock.store").joinpath("lua")))


@cache
def _parts() -> dict[str, str]:
    return dict(sorted(_texts(files("clock.store").joinpath("lua", "parts"))))


def _texts(folder: Traversable) -> Iterator[tuple[str, str]]:
    """The files in a folder and its folders, by name. A script and a part may have the same name."""
    for found in folder.iterdir():
        if found.is_dir() and found.name != "parts":
            yield from _texts(found)
        elif found.name.endswith(".lua"):
            yield found.name.removesuffix(".lua"), found.read_text(encoding="utf-8")


def script(name: str) -> Script:
    """The script `name`. Each call names its client, and loads the script again after a restart of the server."""
    return _registered(source(name))


@cache
def _registered(text: str) -> Script:
    return Script(cast(Redis, None), text.encode())


def run(redis: Redis, name: str, keys: Sequence[str | bytes], args: Iterable[Any]) -> Any:
    """The reply of the script `name`. Raises StoreUnavailable, StoreError."""
    with translated():
        return script(name)(keys, args, redis)
