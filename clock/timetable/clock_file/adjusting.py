"""Reading what declarations say of holidays, spread, jitter and the odd nights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clock.errors import DeclarationError
from clock.timetable.clock_file.callable_checks import check_called
from clock.timetable.clock_file.options import check_option
from clock.timetable.triggers.adjustments import NONE, Adjustments, excepted_days
from clock.timetable.triggers.wall_times import DstChoice

#: The options of Clockwork's form, and of rows, that are read here.
OPTIONS = ("except_on", "otherwise", "spread", "salt", "jitter", "gap", "fold")


def adjusted(where: str, already: Adjustments, given: Mapping[str, Any]) -> Adjustments:
    """What was chosen `already`, with the options that are `given`; None chooses nothing.

    Raises DeclarationError, which begins with `where`.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, value in chosen.items():
        check_option(where, name, value)
    if "otherwise" in chosen and "except_on" not in chosen:
        raise DeclarationError(f"{where}otherwise needs except_on")
    if chosen.get("salt") and "spread" not in chosen:
        raise DeclarationError(f"{where}salt needs spread")
    if "except_on" in chosen:
        if callable(chosen["except_on"]):
            check_called(where, "except_on", chosen["except_on"], "date")
        try:
            chosen["excepted"] = excepted_days(chosen.pop("except_on"))
        except ValueError as error:
            raise DeclarationError(f"{where}{error}") from None
    dst = DstChoice(chosen.pop("gap", already.dst.gap), chosen.pop("fold", already.dst.fold))
    return replace(already, dst=dst, **chosen)


def take_adjustments(where: str, options: dict[str, Any]) -> Adjustments:
    """The adjustments among `options`, which are taken out of it. Raises DeclarationError."""
    return adjusted(where, NONE, {name: options.pop(name) for name in OPTIONS if name in options})
