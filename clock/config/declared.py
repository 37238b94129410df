"""An event that a YAML file declares, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Declared:
    """An event of a YAML file: its name, its fields, and its place: `config/clock.yml:12`.

    `is_rubys` if it was written for sidekiq-cron or sidekiq-scheduler.
    """

    name: str
    values: Mapping[str, object]
    where: str
    is_rubys: bool = False
