"""Capsules, as in a sidekiq.yml: queues with separate worker processes and a separate concurrency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clock.config import setting_types

DEFAULT = "default"  # the name of the rest outside of capsules, as in Sidekiq


@dataclass(frozen=True, slots=True)
class Capsule:
    """A capsule: its queues, and its concurrency (None: the worker's)."""

    name: str
    queues: tuple[tuple[str, int], ...]
    concurrency: int | None = None

    def __str__(self) -> str:
        queues = ", ".join(name for name, _ in self.queues)
        return f"{self.name} ({queues}{f', {self.concurrency} at once' if self.concurrency else ''})"


def read(value: object) -> tuple[Capsule, ...]:
    """`{single: {concurrency: 1, queues: [serial]}}`. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError
    return tuple(_capsule(setting_types.text(str(name).removeprefix(":")), given) for name, given in value.items())


def _capsule(name: str, given: object) -> Capsule:
    if not isinstance(given, Mapping) or name == DEFAULT:
        raise ValueError
    fields = {str(key).removeprefix(":"): value for key, value in given.items()}
    if not fields.keys() <= {"queues", "concurrency"}:
        raise ValueError
    concurrency = fields.get("concurrency")
    return Capsule(
        name,
        setting_types.queues(fields.get("queues")),
        None if concurrency is None else int(str(setting_types.THREADS.read(concurrency))),
    )


CAPSULES = setting_types.Kind(
    read,
    "it must be a mapping: {single: {concurrency: 1, queues: [serial]}}",
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "queues": setting_types.QUEUES_SCHEMA,
                "concurrency": setting_types.THREADS.schema,
            },
            "required": ["queues"],
            "additionalProperties": False,
        },
    },
)
