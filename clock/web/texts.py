"""The catalogue of all texts that the pages show: `texts/en.toml`. A translation is another file with its keys."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clock.inspection.events.event_rows import DecisionKind

FOLDER = Path(__file__).parent / "texts"


class Texts:
    """The texts of one language, by keys such as `schedules.title`."""

    def __init__(self, language: str = "en") -> None:
        found = _flat(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8")))
        self.by_key = {f"decision.{kind}": kind.replace("_", " ") for kind in DecisionKind} | dict(found)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with values in its places. `n` chooses between two forms: for 1 or another number.

        Raises KeyError.
        """
        form = "one" if values.get("n") == 1 else "many"
        text = self.by_key[key] if key in self.by_key else self.by_key[f"{key}.{form}"]
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        return text.format_map(shown) if values else text

    def has(self, key: str) -> bool:
        """Whether the catalogue has a text of that key, in one form or two."""
        return key in self.by_key or f"{key}.many" in self.by_key


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


TEXTS = Texts()
