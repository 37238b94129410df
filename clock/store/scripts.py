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

#: The parts in the order of the composed script: a part may call those before it.
PARTS = (
    "need",
    "may_have",
    "in_chunks",
    "fields_of",
    "is_outranked",
    "is_covered",
    "refuse_unless",
    "refuse_unless_lists",
    "push_job",
    "lock_holder",
    "take_lock",
    "free_lock",
    "free_lock_of",
    "batch_keys",
    "push_later",
    "read_batch",
    "count_children",
    "state_of_child",
    "move_child",
    "add_child",
    "fire_callback",
    "settle_batch",
    "end_child",
    "revive_child",
    "accepts_children",
    "remove_batches",
    "open_batch",
    "seal_batch",
    "end_job",
    "try_end_job",
    "has_failed",
    "now_ms",
    "rules_of",
    "jid_of",
    "limit_keys",
    "places_of",
    "save_places",
    "limit_is_full",
    "leave_queue",
    "hand_over",
    "free_places",
    "count_limits",
    "end_holder",
    "rate_keys",
    "rate_state",
    "save_starts",
    "save_rates",
    "earliest_start",
    "rate_slot",
    "admit",
    "admit_more",
)


@cache
def source(name: str) -> str:
    """The text of the script `name`, after the texts of the parts that it calls."""
    text = scripts()[name].read_text(encoding="utf-8")
    for part in reversed(PARTS):
        if f"{part}(" in text or f"pcall({part}," in text:
            text = _part(part) + text
    return text


@cache
def scripts() -> dict[str, Traversable]:
    """The file of each script, by its name."""
    return dict(_named(files("clock.store").joinpath("lua")))


def _part(name: str) -> str:
    return _parts()[name].read_text(encoding="utf-8")


@cache
def _parts() -> dict[str, Traversable]:
    return dict(_named(files("clock.store").joinpath("lua", "parts")))


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
