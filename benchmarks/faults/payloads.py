"""Payloads as nobody should push them, each different."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

Maker = Callable[[random.Random], bytes]

_ODD: list[object] = [None, True, -1, 1.5, 2**80, "", "\x00", "ß" * 50, [], [[]], {}, {"a": {"b": []}}, [None] * 9]


def fuzzed(count: int, rng: random.Random) -> list[bytes]:
    """So many, no two alike."""
    found: dict[bytes, None] = {}
    while len(found) < count:
        found[rng.choice(_MAKERS)(rng)] = None
    return list(found)


def _bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randint(8, 200))


def _any_json(rng: random.Random) -> bytes:
    return json.dumps([rng.choice(_ODD), rng.random(), rng.choice(_ODD)]).encode()


def _cut_short(rng: random.Random) -> bytes:
    text = _fields(rng, {})
    return text[: rng.randint(8, len(text) - 1)]


def _one_byte_off(rng: random.Random) -> bytes:
    text = bytearray(_fields(rng, {}))
    text[rng.randrange(len(text))] = rng.randrange(256)
    return bytes(text)


def _wrong_type(rng: random.Random) -> bytes:
    name = rng.choice(["class", "args", "jid", "queue", "retry", "retry_count", "failed_at", "created_at"])
    return _fields(rng, {name: rng.choice(_ODD)})


def _wrong_arity(rng: random.Random) -> bytes:
    return _fields(rng, {"args": [rng.random()] * rng.choice([0, 3, 50])})


def _unknown_class(rng: random.Random) -> bytes:
    return _fields(rng, {"class": rng.choice(["os.system", "Missing::Job", "", "../etc", "NeverSeenJob"])})


def _worse_options(rng: random.Random) -> bytes:
    names = ["retry", "retry_for", "timeout", "expires_in", "tags", "backtrace", "dead", "worker_killed", "clock"]
    return _fields(rng, {name: rng.choice(_ODD) for name in rng.sample(names, 3)})


def _too_deep(rng: random.Random) -> bytes:
    return b"[" * rng.randint(1_000, 20_000) + str(rng.random()).encode()


def _no_json_number(rng: random.Random) -> bytes:
    text = _fields(rng, {})
    return text.replace(b'"odd"', rng.choice([b"NaN", b"-Infinity", b"1e999", b"01", b"0x1"]))


def _fields(rng: random.Random, over: dict[str, object]) -> bytes:
    """A payload of a job that takes a number; `own` makes it unlike all others."""
    fields = {"class": "TraceRunJob", "args": [-1], "jid": f"{rng.random()}", "own": ["odd", rng.random()]}
    return json.dumps(fields | over).encode()


_MAKERS: list[Maker] = [
    _bytes,
    _any_json,
    _cut_short,
    _one_byte_off,
    _wrong_type,
    _wrong_arity,
    _unknown_class,
    _worse_options,
    _too_deep,
    _no_json_number,
]
