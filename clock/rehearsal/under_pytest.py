"""What the pytest plugin knows of the run under way.

pytest loads the plugin, `_clock_pytest`, which stands outside the package so that it need not import it; where
it is loaded, it is asked here.
"""

from __future__ import annotations

import sys


def is_updating() -> bool:
    """Whether snapshots are written anew instead of compared: `pytest --clock-update`."""
    return getattr(sys.modules.get("_clock_pytest"), "is_updating", False)


def collect(history: object) -> None:
    """Hand a history to the report of the test under way, if there is one."""
    histories: list[object] | None = getattr(sys.modules.get("_clock_pytest"), "histories", None)
    if histories is not None:
        histories.append(history)
