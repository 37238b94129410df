"""Properties as tests: each is tried on random examples."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from tests.examples import examples

Check = Callable[..., None]


def for_all(full: int = 60, **strategies: SearchStrategy[Any]) -> Callable[[Check], Check]:
    """Make `check(**examples)` a test over random examples of the strategies, `full` of them in a full run."""
    chosen, drawn = settings(max_examples=examples(full)), given(**strategies)
    return lambda check: chosen(drawn(check))
