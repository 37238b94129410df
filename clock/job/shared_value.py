"""A value of the process that a thread or task may replace for itself: the receiver of pushes in tests."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedValue(Generic[T]):
    """The value that all threads share, unless a thread or task has its own."""

    def __init__(self, name: str, value: T) -> None:
        self._shared = value
        self._own: ContextVar[T | None] = ContextVar(f"clock_{name}", default=None)

    def get(self) -> T:
        """The value for this thread or task. Tasks and `asyncio.to_thread` have the value of their starter."""
        own = self._own.get()
        return self._shared if own is None else own

    def change(self, value: T, *, this_thread: bool = False) -> Callable[[], None]:
        """Set the value of all threads, or of this thread or task. Returns the function that undoes it.

        The value of all threads also replaces this thread's own: the caller uses it from now on.
        """
        shared, own = self._shared, self._own.get()

        def undo() -> None:
            self._own.set(own)
            if not this_thread:
                self._shared = shared

        self._own.set(value if this_thread else None)
        if not this_thread:
            self._shared = value
        return undo
