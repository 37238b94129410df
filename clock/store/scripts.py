"""Lua scripts, loaded by name from `store/lua/`. Each file tells its own contract on top."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from redis import Redis
from redis.commands.core import Script


@cache
def source(name: str) -> str:
    """The text of `store/lua/<name>.lua`, after that of `need.lua` if it calls that."""
    text = _text(name)
    return _text("need") + text if "need(" in text else text


def _text(name: str) -> str:
    return files("clock.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


def script(redis: Redis, name: str) -> Script:
    """The script `name`, callable on `redis` and on its pipelines (EVALSHA, loaded anew after a restart)."""
    return redis.register_script(source(name))
