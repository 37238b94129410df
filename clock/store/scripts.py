"""Lua scripts, loaded by name from `store/lua/`. Each file starts with its contract.

Functions that several scripts share are in `store/lua/parts/`, one in each file, named as the file.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from redis import Redis
from redis.commands.core import Script

#: The parts in the order of the composed script: a part may call those before it.
PARTS = (
    "need",
    "in_chunks",
    "fields_of",
    "is_outranked",
    "refuse_unless_hashes",
    "refuse_unless_lists",
    "push_job",
    "lock_holder",
    "take_lock",
    "free_lock",
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
    "has_failed",
    "now_ms",
    "rules_of",
    "limit_keys",
    "limit_is_full",
    "leave_places",
    "hand_over",
    "end_holder",
    "rate_keys",
    "rate_state",
    "earliest_start",
    "rate_slot",
    "admit",
)


@cache
def source(name: str) -> str:
    """The text of `store/lua/<name>.lua`, after the texts of the parts that it calls."""
    text = _text(name)
    for part in reversed(PARTS):
        if f"{part}(" in text or f"pcall({part}," in text:
            text = _text("parts", part) + text
    return text


def _text(*path: str) -> str:
    return files("clock.store").joinpath("lua", *path[:-1], f"{path[-1]}.lua").read_text(encoding="utf-8")


def script(redis: Redis, name: str) -> Script:
    """The script `name`, callable on `redis` and on its pipelines (EVALSHA, loaded again after a restart)."""
    return redis.register_script(source(name))
