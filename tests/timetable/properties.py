"""Properties as tests: each is tried on some random examples in the everyday run, on very many in the full one."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

EVERYDAY = 25
THOROUGH = int(os.environ.get("CLOCK_EXAMPLES", "150"))  # `make thorough` tries 500
IS_LONG = "CLOCK_EXAMPLES" in os.environ


def for_all(**strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[int], None]]:
    """Make `check(**examples)` a test over random examples of the strategies."""

    def decorate(check: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("examples", [EVERYDAY, pytest.param(THOROUGH, marks=pytest.mark.slow)])
        def test(examples: int) -> None:
            chosen = settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck))
            chosen(given(**strategies)(check))()

        test.__name__ = check.__name__
        test.__doc__ = check.__doc__
        return test

    return decorate
