"""The options of the present pytest run.

pytest loads the plugin, `_clock_pytest`, from outside the package, so it does not import the package. This module
reads the plugin's options if it is loaded.
"""

from __future__ import annotations

import sys


def is_updating() -> bool:
    """Whether snapshots are written instead of compared: `pytest --clock-update`."""
    return getattr(sys.modules.get("_clock_pytest"), "is_updating", False)


def collect(history: object) -> None:
    """Hand a history to the report of the test under way, if there is one."""
    histories: list[object] | None = getattr(sys.modules.get("_clock_pytest"), "histories", None)
    if histories is not None:
        histories.append(history)
