"""The kinds of actions that `.do(...)` accepts, for type checkers: with these, they check the action's arguments.

A class is also a callable. So a function is recognized by its code object, which a class does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import ParamSpec, Protocol

P = ParamSpec("P")


class Performs(Protocol[P]):
    """A job."""

    @property
    def perform(self) -> Callable[P, object]:
        """Do the work."""


class Pushes(Protocol[P]):
    """A job with options, or a job made of a function."""

    @property
    def perform_async(self) -> Callable[P, object]:
        """Push the job."""

    @property
    def check_arguments(self) -> Callable[..., None]:
        """Check the arguments."""


class Function(Protocol[P]):
    """A function or a method."""

    @property
    def __code__(self) -> CodeType:
        """Its code."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> object:
        """Call it."""
