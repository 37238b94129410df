"""How many random examples a property is tried on.

Each test names the number of a full run. `CLOCK_EXAMPLES` says which run it is: `few` for every day (the default),
`full` for `make test`, `many` for `make thorough`, and `least` for other versions of Python and of the libraries:
what they break, they break in each example.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_RUN = os.environ.get("CLOCK_EXAMPLES", "few")
_SHARES = {"least": 0.01, "few": 0.1, "full": 1.0, "many": 8.0}
_LEAST = 2 if _RUN == "least" else 5

#: Whether every case is tried of what is too long for a full run.
ARE_MANY = _RUN == "many"


def examples(full: int) -> int:
    """How many to try, where a full run tries `full`."""
    return max(_LEAST, round(full * _SHARES[_RUN]))


def load_profile() -> None:
    """Load the settings of all properties. An example may take long: the machine may be busy."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    settings.register_profile("clock", max_examples=examples(100), deadline=None, suppress_health_check=slow)
    settings.load_profile("clock")


def few_every_day(cases: Sequence[Any], count: int) -> list[Any]:
    """Cases for `parametrize`: the first `count`; in a full run all of them."""
    return [*cases[:count], *(_slow(case) for case in cases[count:])]


def _slow(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
