"""Lua scripts, loaded by name from the folders of `store/lua/`. Each file starts with its contract.

Functions that several scripts share are in the folders of `store/lua/parts/`, one in each file, named as the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from redis import Redis
from redis.commands.core import Script


@cache
def source(name: str) -> str:
    """The text of the script `name`, after the texts of the parts that it calls."""
    text = scripts()[name].read_text(encoding="utf-8")
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
def scripts() -> dict[str, Traversable]:
    """The file of each script, by its name."""
    return dict(_named(files("clock.store").joinpath("lua")))


@cache
def _parts() -> dict[str, str]:
    """The text of each part, by its name."""
    found = _named(files("clock.store").joinpath("lua", "parts"))
    return {name: file.read_text(encoding="utf-8") for name, file in sorted(found)}


def _named(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    """The files in a folder and its folders, by name. A script and a part may have the same name."""
    for found in folder.iterdir():
        if found.is_dir() and found.name != "parts":
            yield from _named(found)
        elif found.name.endswith(".lua"):
            yield found.name.removesuffix(".lua"), found


def script(redis: Redis, name: str) -> Script:
    """The script `name`, callable on `redis` and on its pipelines (EVALSHA, loaded again after a restart)."""
    return redis.register_script(source(name))
